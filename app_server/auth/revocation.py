"""Telling the issuer that a token is not used any more (wire.md section 5): best effort, bounded, never waited for.

The login is already forgotten here when this begins, so nothing depends on its outcome.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.abc import TaskGroup

from app_server.auth.credentials import Credential, ManagedTokens

REVOKE_TIMEOUT: Final = 10.0
"""Seconds for the exchange with the issuer."""

PostJson = Callable[[str, dict[str, str], float], Awaitable[int]]
"""Posts JSON to a URL within so many seconds and returns the HTTP status; raises OSError when there is no answer."""

log = logging.getLogger(__name__)


class Revocation:
    """Revokes managed tokens in the background.

    :param post: sends the request.
    :param url: the issuer's revocation endpoint.
    :param client_id: the OAuth client that the tokens were issued to.
    :param tasks: owns the exchanges under way.
    """

    def __init__(self, post: PostJson, url: str, client_id: str, tasks: TaskGroup) -> None:
        self._post = post
        self._url = url
        self._client_id = client_id
        self._tasks = tasks
        self._under_way = 0
        self._done = anyio.Event()

    def begin(self, credential: Credential | None) -> None:
        """Revoke what was in force, if it was ours to revoke: API keys and the parent's tokens are not."""
        if isinstance(credential, ManagedTokens):
            self._under_way += 1
            self._tasks.start_soon(self._revoke, credential)

    async def finished(self) -> None:
        """Wait for every exchange under way."""
        while self._under_way:
            await self._done.wait()

    async def _revoke(self, tokens: ManagedTokens) -> None:
        refresh_token = tokens.refresh_token.get_secret_value()
        if refresh_token:
            body = {"token": refresh_token, "token_type_hint": "refresh_token", "client_id": self._client_id}
        else:
            # The reference names no client here.
            body = {"token": tokens.access_token.get_secret_value(), "token_type_hint": "access_token"}
        try:
            status = await self._post(self._url, body, REVOKE_TIMEOUT)
            log.debug("the issuer answered the revocation with status %d", status)
        except OSError as error:
            log.warning("the old tokens could not be revoked: %s", error)
        finally:
            self._under_way -= 1
            self._done.set()
            self._done = anyio.Event()
