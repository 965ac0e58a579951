"""The one authorised path to the upstream: snapshot -> send -> 401 -> recover -> send once more.

Every request that carries a credential goes through here. The owner of the credentials decides what a 401 on *this*
credential means; this module only hands back the one that was used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app_server.auth.errors import NotRecoverable

if TYPE_CHECKING:
    import httpx2

    from app_server.auth.credentials import Credential
    from app_server.auth.manager import AuthManager
    from app_server.backend.http import HttpClient


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


def _headers(credential: Credential) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {credential.bearer.get_secret_value()}"}
    if credential.account_id:
        headers["ChatGPT-Account-ID"] = credential.account_id
    return headers
