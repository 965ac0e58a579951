"""All that is known about models: what their provider says, else what this version knows, else what can be assumed.

A provider is asked when somebody wants a list, not before, and what it says is kept for a while (in memory: the
reference's ``models_cache.json`` is neither read nor written).
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol

import anyio

from app_server.auth.credentials import ApiKey, Credential
from app_server.config import Settings
from app_server.models.bundled import BUNDLED
from app_server.models.facts import ModelFacts, unknown_model

ASKING_TIMEOUT: Final = 5.0
"""Seconds; see :class:`ModelCatalogue`."""

LIFETIME: Final = 300.0
"""Seconds for which a provider's answer counts."""

PAUSE: Final = 30.0
"""Seconds for which a provider that did not answer is left alone."""

_BY_ID: Final = {model.id: model for model in BUNDLED}

_Who = tuple[str, str | None] | None


class Endpoint(Protocol):
    """See :class:`app_server.models.endpoint.ModelsEndpoint`."""

    async def ask(self, provider_id: str, credential: Credential | None, timeout: float) -> list[ModelFacts] | None:
        """The provider's models; None if it did not say."""


class _Listed(NamedTuple):
    """What a provider said, or that it said nothing.

    :param who: whose list it is.
    :param expires: when it is to be asked again.
    """

    who: _Who
    models: Sequence[ModelFacts] | None
    expires: float


class ModelCatalogue:
    """Knows models.

    :param settings: of the server. A provider that only one thread has is not asked.
    :param endpoint: asks a provider.
    :param account: the credential in force.
    :param clock: seconds that only ever grow.
    :param timeout: seconds that a list waits for a provider, a recovery from a 401 included.
    """

    def __init__(
        self,
        settings: Settings,
        endpoint: Endpoint,
        account: Callable[[], Awaitable[Credential | None]],
        clock: Callable[[], float] = time.monotonic,
        timeout: float = ASKING_TIMEOUT,
    ) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._account = account
        self._clock = clock
        self._timeout = timeout
        self._listed: dict[str, _Listed] = {}
        self._asking: dict[str, anyio.Lock] = {}

    async def models(self, provider_id: str) -> Sequence[ModelFacts]:
        """The provider's models, hidden ones too, the preferred ones first; never fails, and waits no
        longer than for the timeout.

        :param provider_id: a key of ``model_providers``.
        """
        with anyio.move_on_after(self._timeout):
            # Whoever wants the same list waits for the same answer.
            async with self._asking.setdefault(provider_id, anyio.Lock()):
                await self._update(provider_id)
        return self._said(provider_id) or self._assumed(provider_id)

    def find(self, provider_id: str, model: str) -> ModelFacts:
        """What is known about a model, without asking anybody."""
        for facts in self._said(provider_id):
            if facts.id == model:
                return facts
        return _BY_ID.get(model) or unknown_model(model)

    def default_model(self, provider_id: str) -> str:
        """The model for those who name none, without asking anybody; what is configured is not looked at."""
        models = self._said(provider_id) or BUNDLED
        return next((model for model in models if not model.hidden), models[0]).id

    async def _update(self, provider_id: str) -> None:
        takes_account = self._takes_account(provider_id)
        credential = await self._account() if takes_account else None
        who = None if credential is None else (credential.auth_mode, credential.account_id)
        listed = self._listed.get(provider_id)
        if listed is not None and listed.who == who and self._clock() < listed.expires:
            return
        if takes_account and (credential is None or isinstance(credential, ApiKey)):
            # As in the reference: the platform's list has hundreds of names, and few of them are for this.
            self._listed.pop(provider_id, None)
            return
        # Noted before the answer, because this can be cancelled. An old answer is better than none, but not another's.
        stale = listed.models if listed is not None and listed.who == who else None
        self._listed[provider_id] = _Listed(who, stale, self._clock() + PAUSE)
        if models := await self._endpoint.ask(provider_id, credential, self._timeout):
            self._listed[provider_id] = _Listed(who, models, self._clock() + LIFETIME)

    def _takes_account(self, provider_id: str) -> bool:
        """Whether requests carry the credential of this server's account: not where there is a key of its own."""
        provider = self._settings.model_providers[provider_id]
        return provider.requires_openai_auth and provider.env_key is None

    def _said(self, provider_id: str) -> Sequence[ModelFacts]:
        listed = self._listed.get(provider_id)
        return (listed and listed.models) or ()

    def _assumed(self, provider_id: str) -> Sequence[ModelFacts]:
        """What a provider is taken to have that does not say: what is configured for it, else the bundled models."""
        model, selected = self._settings.model, self._settings.model_provider
        if model is None or provider_id != selected or self._settings.requires_openai_auth:
            return BUNDLED
        return [self.find(provider_id, model)]
