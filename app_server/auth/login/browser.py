"""A browser login, from the listening socket to the committed tokens (wire.md section 7).

The browser is answered when it is known what has become of the login: the tokens are committed, or they are not. The
login itself ends at that moment and waits for no browser; only the listener stays for a few seconds, so that the page
can be fetched, and fetched again. Whoever cancels ``run`` gets listener and connections closed, and nothing committed.
"""

import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup, TaskStatus
from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import CredentialsNotSaved, InvalidCallback, LoginFailed, LoginNotAllowed
from app_server.auth.login.callback_pages import Brand, failure_answer, success_answer, text_answer
from app_server.auth.login.callback_query import CALLBACK_PATH, PREFIX, WrongState, authorization_code, missing_code
from app_server.auth.login.callback_server import callback_server
from app_server.auth.login.oauth import ExchangeFailed, OAuthClient, new_state, new_verifier, showable
from app_server.auth.login.port import CALLBACK_PORTS, bind_callback_port
from app_server.auth.tokens import InvalidToken
from app_server.flight import Flight
from app_server.http_server import Response

LOGIN_TIMEOUT: Final = 600.0
"""Seconds for the whole login, from its start."""

LINGER: Final = 3.0
"""Seconds that the listener stays after the login has ended, if a browser has come back."""

FAREWELL: Final = 1.0
"""Seconds to answer another login server that wants the port."""

_MAX_CALLBACK_URL: Final = 16 * 1024
_NOT_SAVED: Final = f"{PREFIX}Sign-in completed but credentials could not be saved locally."
_ABANDONED: Final = "Login was not completed"

Commit = Callable[[ManagedTokens], Awaitable[None]]
"""Saves the tokens and puts them in force, or raises CredentialsNotSaved, or LoginNotAllowed if it is too late."""

log = logging.getLogger(__name__)


class BrowserLogin:
    """One login through a browser; made by :meth:`start`, carried out by :meth:`run`.

    :param listener: where the browser comes back to, or None to wait for a pasted callback only.
    :param port: named in the redirect URI.
    """

    def __init__(
        self,
        oauth: OAuthClient,
        tasks: TaskGroup,
        listener: socket.socket | None,
        port: int,
        *,
        originator: str,
        hosted_success_page: Brand | None,
        timeout: float,
        linger: float,
    ) -> None:
        self.login_id: Final = str(uuid4())
        """What the client calls this login."""
        self._oauth = oauth
        self._tasks = tasks
        self._listener = listener
        self._port = port
        self._hosted_success_page = hosted_success_page
        self._linger = linger
        self._redirect_uri = f"http://127.0.0.1:{port}{CALLBACK_PATH}"
        self._state = new_state()
        self._verifier = new_verifier()
        self.auth_url: Final = oauth.authorize_url(
            redirect_uri=self._redirect_uri, verifier=self._verifier, state=self._state, originator=originator
        )
        """Where the user signs in."""
        self._called_back: Flight[SecretStr] = Flight()
        self._page_wanted = False
        self._withdrawn = False
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + timeout)
        self._cut_short = LoginFailed("Login timed out")
        self._ended = anyio.Event()
        self._failure: LoginFailed | None = None
        self._serving = anyio.CancelScope()
        self._closed = anyio.Event()
        self._closed.set()

    @classmethod
    async def start(
        cls,
        oauth: OAuthClient,
        tasks: TaskGroup,
        *,
        originator: str,
        ports: Sequence[int] = CALLBACK_PORTS,
        hosted_success_page: Brand | None = None,
        listen: bool = True,
        timeout: float = LOGIN_TIMEOUT,
        linger: float = LINGER,
    ) -> "BrowserLogin":
        """Listen for the callback; nothing goes upstream yet. Close an earlier login before this.

        :param tasks: owns the listener from :meth:`run` on, and beyond its end for ``linger`` seconds.
        :param originator: the name of the client, see ``user_agent.originator``.
        :param hosted_success_page: the brand under which ChatGPT shows the success page, or None for ours.
        :param listen: False for a login whose callback will be pasted, on a machine without a free port, say.
        :param timeout: seconds for the whole login.
        :raises PortUnavailable: there is no port to listen on.
        """
        listener = await bind_callback_port(ports) if listen else None
        return cls(
            oauth,
            tasks,
            listener,
            ports[0] if listener is None else listener.getsockname()[1],
            originator=originator,
            hosted_success_page=hosted_success_page,
            timeout=timeout,
            linger=linger,
        )

    async def run(self, commit: Commit) -> None:
        """Wait for the callback, exchange its code, and commit the tokens; once per login.

        Nothing is awaited between the return of ``commit`` and that of this: a login that was cancelled here can have
        committed nothing but what ``commit`` itself did before it was cancelled.

        :raises LoginFailed: the login has ended without credentials; the text is complete.
        """
        try:
            await self._carry_out(commit)
        except LoginFailed as failure:
            self._end(failure)
            raise
        except Exception:
            self._end(LoginFailed(f"{PREFIX}Sign-in could not be completed."))
            raise
        except BaseException:
            await self.aclose()
            raise
        self._end(None)

    async def complete(self, callback_url: str) -> None:
        """Take the URL that the user's browser has ended on, when it cannot reach the listener itself.

        Returns once it is accepted; what becomes of it, :meth:`run` tells.

        :raises InvalidCallback: it is not one, or not one of this login, which goes on.
        """
        if self._ended.is_set():
            raise InvalidCallback("This login has ended.")
        try:
            parts = urlsplit(callback_url[:_MAX_CALLBACK_URL].strip().strip("<>\"'"))
            query = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:
            raise InvalidCallback("The callback URL cannot be read.") from None
        if parts.scheme not in ("http", "https") or parts.path != CALLBACK_PATH:
            raise InvalidCallback(f"This is not a callback URL. It has to begin with {self._redirect_uri}?")
        try:
            code = authorization_code(query, self._state)
        except WrongState:
            raise InvalidCallback("State mismatch: this callback URL is not one of this login.") from None
        except LoginFailed as refusal:
            self._called_back.fail(refusal)
            return
        if code is None:
            raise InvalidCallback("Missing authorization code: the callback URL is not complete.")
        log.debug("a pasted callback was accepted")
        self._called_back.succeed(code)

    async def aclose(self) -> None:
        """End the login if it is pending, and close listener and connections. At any time, and more than once."""
        if not self._ended.is_set():
            self._cut(LoginFailed(_ABANDONED))
            self._end(self._cut_short)
        self._serving.cancel()
        with anyio.CancelScope(shield=True):
            await self._closed.wait()
        if self._listener is not None:
            self._listener.close()

    # What the callback server tells

    async def called_back(self, query: tuple[tuple[str, str], ...]) -> Response:
        """The browser came back: answer when the login has ended. Only the first code is ever used."""
        try:
            code = authorization_code(query, self._state)
        except WrongState:
            log.debug("a callback with another state was refused")
            return text_answer(400, "State mismatch")
        except LoginFailed as refusal:
            self._called_back.fail(refusal)
        else:
            if code is None:
                self._called_back.fail(missing_code())
            else:
                self._called_back.succeed(code)
        self._page_wanted = True
        await self._ended.wait()
        if self._failure is None:
            return success_answer(self._hosted_success_page)
        return failure_answer(self._failure, self._failure.message.removeprefix(PREFIX))

    def withdraw(self) -> None:
        """Another login server wants the port, which it gets."""
        self._withdrawn = True
        if not self._ended.is_set():
            self._cut(LoginFailed(f"{PREFIX}Login cancelled"))
        self._close_within(FAREWELL)

    def close(self) -> None:
        """Nobody needs the listener any more."""
        self._serving.cancel()

    # Carrying it out

    async def _carry_out(self, commit: Commit) -> None:
        with self._scope:
            if self._listener is not None:
                await self._tasks.start(self._serve, self._listener)
            tokens = await self._exchange(await self._called_back.outcome())
            try:
                await commit(tokens)
            except CredentialsNotSaved as error:
                raise LoginFailed(_NOT_SAVED, "persist_failed", error.message) from error
            except LoginNotAllowed as error:
                raise LoginFailed(f"{PREFIX}{error.message}") from None
            return
        raise self._cut_short

    async def _exchange(self, code: SecretStr) -> ManagedTokens:
        try:
            return await self._oauth.sign_in(code, self._redirect_uri, self._verifier, with_api_key=True)
        except ExchangeFailed as error:
            reason = showable(error.reason, self._state)  # an issuer knows it, and may quote it
            raise LoginFailed(f"{PREFIX}Token exchange failed: {reason}", "token_exchange_failed") from None
        except LoginNotAllowed as error:
            raise LoginFailed(f"{PREFIX}{error.message}", "workspace_restriction") from None
        except InvalidToken as error:
            raise LoginFailed(_NOT_SAVED, "persist_failed", error.reason) from None

    def _cut(self, failure: LoginFailed) -> None:
        """Stop before it is complete, with this as the reason."""
        self._cut_short = failure
        self._scope.cancel()

    def _end(self, failure: LoginFailed | None) -> None:
        if self._ended.is_set():  # by aclose(), while this was still on its way
            return
        self._failure = failure
        self._ended.set()
        if self._page_wanted:
            self._close_within(self._linger)
        elif not self._withdrawn:  # who has asked for that is still to be answered
            self._close_within(0)

    def _close_within(self, seconds: float) -> None:
        self._serving.deadline = min(self._serving.deadline, anyio.current_time() + seconds)

    async def _serve(self, listener: socket.socket, *, task_status: TaskStatus[None]) -> None:
        self._closed = anyio.Event()
        try:
            with self._serving:
                await callback_server(self._port, self).serve(listener, task_status=task_status)
        except* OSError as errors:
            log.warning("the callback server failed: %s", type(errors.exceptions[0]).__name__)
            self._called_back.fail(LoginFailed(f"{PREFIX}the callback server failed"))
        finally:
            self._closed.set()
