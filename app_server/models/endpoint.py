"""Asking a provider for its models: ``GET {base}/models``. What the answer means is ``listing``.

A failure is never an error: the catalogue has another answer. Nothing of a failure but its kind is logged, because
addresses and answers can hold keys.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import anyio

from app_server.auth.credentials import Credential
from app_server.auth.errors import RecoveryFailed
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import HttpClient, UpstreamUnreachable
from app_server.config import Settings
from app_server.models.facts import ModelFacts
from app_server.models.listing import read_list
from app_server.version import WIRE_VERSION

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

MAX_BYTES: Final = 8 * 1024 * 1024
"""Longest answer that is read as a list of models."""

_PATH: Final = "/models"


class ModelsEndpoint:
    """Asks providers.

    :param client: for providers with a key of their own, or none.
    :param authorized: for those that take this server's account.
    :param settings: of the server, with the providers.
    :param environ: holds keys and headers that the configuration names.
    """

    def __init__(
        self, client: HttpClient, authorized: AuthorizedHttp, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self._client = client
        self._authorized = authorized
        self._settings = settings
        self._environ = environ

    async def ask(self, provider_id: str, credential: Credential | None, timeout: float) -> list[ModelFacts] | None:
        """The provider's models; None if it did not say.

        :param credential: the snapshot to ask with, for a provider that takes this server's account.
        :param timeout: seconds for each exchange.
        """
        # What speaks HTTP takes a while to import, and the event loop goes on meanwhile.
        await anyio.to_thread.run_sync(_import)
        from app_server.backend.response_failures import UpstreamFailure  # noqa: PLC0415

        try:
            response = await (
                self._with_own_key(provider_id, timeout)
                if credential is None
                else self._with_account(provider_id, credential, timeout)
            )
        except (UpstreamUnreachable, UpstreamFailure, RecoveryFailed) as error:
            log.info("a provider's models cannot be listed: %s", type(error).__name__)
            return None
        return None if response is None else _models(response)

    async def _with_own_key(self, provider_id: str, timeout: float) -> "httpx2.Response | None":
        from app_server.backend.providers import endpoint, url_of  # noqa: PLC0415 - see ask

        asked = endpoint(self._settings, provider_id, {"accept": "application/json"}, self._environ)
        if asked.provider.base_url is None:
            return None
        url = url_of(asked.provider.base_url, asked.provider, _PATH)
        return await self._client.send("GET", url, headers=dict(asked.headers), timeout=timeout)

    async def _with_account(self, provider_id: str, credential: Credential, timeout: float) -> "httpx2.Response":
        from app_server.backend.providers import base_url, url_of  # noqa: PLC0415 - see ask

        provider = self._settings.model_providers[provider_id]
        url = url_of(base_url(self._settings, provider, credential), provider, _PATH)
        url += f"{'&' if '?' in url else '?'}client_version={WIRE_VERSION}"
        return (await self._authorized.get(url, credential, timeout=timeout)).response


def _import() -> None:
    import app_server.backend.providers  # noqa: PLC0415
    import app_server.backend.response_failures  # noqa: F401, PLC0415


def _models(response: "httpx2.Response") -> list[ModelFacts] | None:
    if response.status_code != 200 or len(response.content) > MAX_BYTES:
        log.info("a provider's models cannot be listed: status %s", response.status_code)
        return None
    try:
        return read_list(response.json()) or None
    except (ValueError, RecursionError):
        log.info("a provider's models cannot be listed: not JSON")
        return None
