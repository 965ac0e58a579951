"""The one authorised path to the upstream: snapshot -> send -> 401 -> recover -> send once more.

Every request that carries a credential goes through here. The owner of the credentials decides what a 401 on *this*
credential means; this module only hands back the one that was used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from app_server.auth.credentials import ApiKey
from app_server.auth.errors import AccountChanged, NotRecoverable

if TYPE_CHECKING:
    import httpx2

    from app_server.auth.credentials import Credential
    from app_server.auth.manager import AuthManager
    from app_server.backend.http import HttpClient
    from app_server.backend.http_stream import HttpStream


class Answer(NamedTuple):
    """What the upstream answered, and the credential it accepted or refused last."""

    response: httpx2.Response
    credential: Credential


class AuthorizedHttp:
    """Sends requests on behalf of whoever is logged in.

    :param client: sends them.
    :param auth: owns the credentials.
    """

    def __init__(self, client: HttpClient, auth: AuthManager) -> None:
        self._client = client
        self._auth = auth

    async def get(self, url: str, credential: Credential, *, timeout: float) -> Answer:
        """GET, with at most one recovery from a 401.

        :param credential: the snapshot to begin with.
        :param timeout: seconds for each of the two exchanges; the recovery between them has its own deadline.
        :raises UpstreamUnreachable: there was no answer.
        :raises RecoveryFailed: 401, and no newer credential is to be had.
        """
        response = await self._client.send("GET", url, headers=_headers(credential), timeout=timeout)
        if response.status_code == 401:
            try:
                credential = await self._auth.recover(credential)
            except NotRecoverable:
                return Answer(response, credential)
            response = await self._client.send("GET", url, headers=_headers(credential), timeout=timeout)
        return Answer(response, credential)

    @asynccontextmanager
    async def stream(
        self, url: str, credential: Credential, *, headers: Mapping[str, str], content: bytes, idle_timeout: float
    ) -> AsyncIterator[HttpStream]:
        """POST and read the answer as it comes, with at most one recovery from a 401.

        What is sent is a conversation: it goes to the account that it was begun for and to no other, even if another
        one has been logged in with meanwhile (wire.md section 15.13).

        :param headers: besides those of the credential, which win.
        :param idle_timeout: seconds of silence, before the headers and between the pieces of the body.
        :raises UpstreamUnreachable: there were no headers.
        :raises RecoveryFailed: 401, and no newer credential of the same account is to be had.
        """
        async with self._client.stream(
            url, headers=_merged(headers, credential), content=content, idle_timeout=idle_timeout
        ) as answer:
            if answer.status != 401:
                yield answer
                return
            # Read before the connection is let go: it is the answer if there is nothing to recover with.
            await answer.excerpt()
        try:
            newer = await self._auth.recover(credential)
        except NotRecoverable:
            yield answer
            return
        require_same_account(credential, newer)
        async with self._client.stream(
            url, headers=_merged(headers, newer), content=content, idle_timeout=idle_timeout
        ) as answer:
            yield answer


def require_same_account(used: Credential, newer: Credential) -> None:
    """:raises AccountChanged: a conversation with the account of ``used`` must not go to that of ``newer``."""
    if newer.account_id != used.account_id or isinstance(newer, ApiKey) != isinstance(used, ApiKey):
        raise AccountChanged


def _merged(headers: Mapping[str, str], credential: Credential) -> dict[str, str]:
    return {name.lower(): value for name, value in (*headers.items(), *_headers(credential).items())}


def _headers(credential: Credential) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {credential.bearer.get_secret_value()}"}
    if credential.account_id:
        headers["ChatGPT-Account-ID"] = credential.account_id
    return headers
