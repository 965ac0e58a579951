"""What a parent says to a server: the handshake, logins, threads, turns. All else is :meth:`Client.request`."""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from app_server.client.connection import Connection
from app_server.client.feed import MAX_UNREAD
from app_server.client.login import FollowedLogin, Started
from app_server.client.thread import OpenThread
from app_server.client.turn import FollowedTurn
from protocol.account import (
    LOGIN_START,
    ApiKeyLogin,
    ChatgptAuthTokensLogin,
    ChatgptLogin,
    ChatgptLoginStarted,
    DeviceCodeLogin,
    DeviceCodeLoginStarted,
    LoginAccountParams,
)
from protocol.lifecycle import INITIALIZE, ClientInfo, InitializeCapabilities, InitializeParams, InitializeResponse
from protocol.thread import THREAD_RESUME, THREAD_START, ThreadResumeParams, ThreadStartParams
from protocol.turn import TURN_START, TurnStartParams


class Client(Connection):
    """A client of a server; made by :func:`spawn` or :func:`in_process`.

    Each method sends a request, and so raises what :meth:`request` raises: ``ServerError``, ``ServerGone``,
    ``InvalidAnswer``, ``TimeoutError``.
    """

    async def initialize(
        self, name: str, version: str, *, experimental_api: bool = True, opt_out: Sequence[str] = ()
    ) -> InitializeResponse:
        """The handshake, which comes before everything else.

        :param opt_out: methods of notifications that are not wanted.
        """
        capabilities = InitializeCapabilities(
            experimental_api=experimental_api, opt_out_notification_methods=list(opt_out) or None
        )
        params = InitializeParams(client_info=ClientInfo(name=name, version=version), capabilities=capabilities)
        return await self.request(INITIALIZE, params)

    async def log_in_with_api_key(self, key: str, *, timeout: float = 60) -> None:
        """Log in with an API key, which the server stores."""
        login = ApiKeyLogin(type="apiKey", api_key=SecretStr(key))
        await self.request(LOGIN_START, LoginAccountParams(login), timeout=timeout)

    async def log_in_with_tokens(
        self, access_token: str, account_id: str, plan_type: str | None = None, *, timeout: float = 60
    ) -> None:
        """Log in with ChatGPT tokens of this application's own, which the server keeps in memory only.

        When they are refused, the handler ``refresh_tokens`` is asked for others.
        """
        login = ChatgptAuthTokensLogin(
            type="chatgptAuthTokens",
            access_token=SecretStr(access_token),
            chatgpt_account_id=account_id,
            chatgpt_plan_type=plan_type,
        )
        await self.request(LOGIN_START, LoginAccountParams(login), timeout=timeout)

    async def log_in_with_browser(self, *, timeout: float = 60) -> FollowedLogin[ChatgptLoginStarted]:
        """Begin a login for which the user opens ``started.auth_url`` in a browser on this machine.

        :param timeout: seconds for it to begin; the user has ten minutes.
        """
        return await self._begin_login(ChatgptLoginStarted, ChatgptLogin(type="chatgpt"), timeout)

    async def log_in_with_device_code(self, *, timeout: float = 60) -> FollowedLogin[DeviceCodeLoginStarted]:
        """Begin a login for which the user opens ``started.verification_url`` anywhere and types ``started.user_code``.

        :param timeout: seconds for it to begin; the user has fifteen minutes.
        """
        return await self._begin_login(DeviceCodeLoginStarted, DeviceCodeLogin(type="chatgptDeviceCode"), timeout)

    async def _begin_login(
        self, kind: type[Started], wanted: ChatgptLogin | DeviceCodeLogin, timeout: float
    ) -> FollowedLogin[Started]:
        login = FollowedLogin(kind, self.request, self._gone)
        with self._followers.beginning(login):
            login.begun((await self.request(LOGIN_START, LoginAccountParams(wanted), timeout=timeout)).root)
        return login

    async def start_thread(self, params: ThreadStartParams | None = None, *, timeout: float = 60) -> OpenThread:
        """Begin a thread.

        :param params: what is special about it.
        """
        started = await self.request(THREAD_START, params or ThreadStartParams(), timeout=timeout)
        return OpenThread(started.thread, self.start_turn)

    async def resume_thread(self, params: ThreadResumeParams | str, *, timeout: float = 60) -> OpenThread:
        """Go on with a stored thread.

        :param params: its id, or more than that.
        """
        wanted = ThreadResumeParams(thread_id=params) if isinstance(params, str) else params
        resumed = await self.request(THREAD_RESUME, wanted, timeout=timeout)
        return OpenThread(resumed.thread, self.start_turn)

    async def start_turn(
        self, params: TurnStartParams, *, timeout: float = 60, trace_context: Mapping[str, str] | None = None
    ) -> FollowedTurn:
        """Begin a turn, or give the input to the one that runs in the thread.

        What is notified of it from now on goes to the turn that is returned, and not to :meth:`notifications`.

        :param timeout: seconds to wait for it to be accepted; the turn itself may take as long as it likes.
        :param trace_context: the trace that the turn belongs to, as for :meth:`request`.
        """
        turn = FollowedTurn(params.thread_id, self.request, self._gone, MAX_UNREAD)
        with self._followers.beginning(turn):
            begun = await self.request(TURN_START, params, timeout=timeout, trace_context=trace_context)
            turn.accepted(begun.turn)
        return turn
