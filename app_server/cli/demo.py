"""``app-server demo``: the main job, offline, as a conversation that a person can follow.

It starts the fake upstream and the real server (a subprocess, over real pipes), acts as the parent application that
owns the tokens, and checks every step. Anything unexpected ends it with a non-zero exit status. What the parent answers
is in ``demo_parent``, how the lines are told in ``narration``; a person talks to the fake in ``chat``.
"""

import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio

from app_server.cli.console import Console
from app_server.cli.demo_parent import DemoParent
from app_server.cli.narration import Narrator
from app_server.cli.own_command import own_command
from app_server.cli.own_server import leaves
from app_server.client import Client, FollowedTurn, ServerError, ServerGone, spawn
from app_server.fake_openai.server import FakeOpenAI
from protocol.account import ACCOUNT_READ, ACCOUNT_UPDATED, LOGOUT, ChatgptAccount, GetAccountParams
from protocol.items import AgentMessageDeltaNotification, AgentMessageThreadItem
from protocol.method import Empty
from protocol.rate_limits import RATE_LIMITS_READ, GetAccountRateLimitsParams
from protocol.thread import ThreadStartParams
from protocol.turn import TOKEN_USAGE_UPDATED

DEADLINE: Final = 60
"""Seconds for the whole demonstration."""

_BETWEEN_EVENTS: Final = 0.02
"""Seconds between two pieces of an answer, so that it can be seen to come piece by piece."""

_LIMITS: Final = {"x-codex-primary-used-percent": "13", "x-codex-primary-window-minutes": "300"}
"""Headers with which an upstream says how much of the limits is used."""

_PLAN: Final = "The weather first, then what to pack, then the trains."
_ADVICE: Final = "Sunny and 24 °C in Lisbon: pack light."
_TRAINS: Final = "There is a train at nine. We have the weather already."


class DemoFailed(Exception):
    """Something differed from what the demonstration promises."""


def run() -> int:
    """Run the demonstration; returns the exit status."""
    console = Console()
    failures: list[str] = []
    try:
        anyio.run(_demonstrate, console)
    except* DemoFailed as group:
        failures += [str(failure) for failure in leaves(group)]
    except* (ServerError, ServerGone) as errors:
        failures += [f"the server did not answer as promised: {failure}" for failure in leaves(errors)]
    except* TimeoutError:
        failures.append(f"not finished within {DEADLINE} s")
    for failure in failures:
        console.say(f"\nFAILED: {failure}")
    if not failures:
        console.say("\nEverything happened as promised.")
    return 1 if failures else 0


async def _demonstrate(console: Console) -> None:
    with anyio.fail_after(DEADLINE), tempfile.TemporaryDirectory() as home:
        async with FakeOpenAI.running() as fake:
            demo = _Demonstration(fake, Path(home), console)
            console.say(
                f"An offline OpenAI listens at {fake.base_url}; the server is a subprocess; this is its parent."
            )
            console.say("  -> parent to server   <- server to parent\n")
            async with demo.server() as client:
                await demo.sign_in(client)
                await demo.meet_401(client)
                thread_id = await demo.converse(client)
            async with demo.server() as client:
                await demo.resume(client, thread_id)
                await demo.sign_out(client)
            demo.look_at_files()


class _Demonstration:
    """The steps, in their order."""

    def __init__(self, fake: FakeOpenAI, home: Path, console: Console) -> None:
        self._fake = fake
        self._home = home
        self._console = console
        self._parent = DemoParent(fake, "weather", "Tells the weather of a city.", "city", lambda _: "Sunny, 24 °C")

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Client]:
        """A server of its own process."""
        overrides = [word for override in self._fake.config_overrides() for word in ("-c", override)]
        async with spawn(
            [*own_command(), *overrides],
            env={**self._fake.environment(), "CODEX_HOME": str(self._home), "NO_PROXY": "127.0.0.1"},
            handlers=self._parent.handlers,
            trace=Narrator(self._console),
        ) as client:
            yield client

    async def sign_in(self, client: Client) -> None:
        self._step("The handshake")
        hello = await client.initialize("demo", "1.0")
        _check(hello.user_agent.startswith("demo/"), "the user agent does not name the client")

        self._step("The parent signs in with tokens that it owns")
        completed, updated = await self._parent.log_in(client)
        _check(completed.success, f"the login failed: {completed.error}")
        _check(updated.auth_mode == "chatgptAuthTokens", "account/updated does not name the login")
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        _check(account is not None and isinstance(account.root, ChatgptAccount), "account/read knows of no login")

    async def meet_401(self, client: Client) -> None:
        self._step("An authorised request")
        limits = await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())
        _check(limits.rate_limits.primary is not None, "there are no limits")

        self._step(
            "The token expires upstream; the next request meets 401, the server asks its parent, and tries again"
        )
        expired = self._parent.tokens.access_token
        self._fake.expire(expired)
        await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams(exclude_reset_credit_details=True))
        _check(self._parent.asked == 1, f"the parent was asked {self._parent.asked} times instead of once")
        self._check_bearers("usage", [expired, self._parent.tokens.access_token])
        self._note("upstream: 401 for the old token, 200 for the new one; the client saw nothing but its answer")

    async def converse(self, client: Client) -> str:
        self._step("A conversation begins; the parent lends the model a tool")
        thread = await client.start_thread(ThreadStartParams(dynamic_tools=self._parent.tools))

        self._step("A turn; the answer comes piece by piece")
        self._fake.script(text=_PLAN, deltas=8, delay=_BETWEEN_EVENTS, headers=_LIMITS)
        turn = await thread.ask("I travel to Lisbon. Where do I begin?")
        await self._check_answer(turn, _PLAN)

        self._step("The model calls the tool, and the token expires in the middle of the turn")
        expired = self._parent.tokens.access_token
        self._fake.expire_tokens(after_events=2)
        call = {"name": "weather", "arguments": {"city": "Lisbon"}}
        self._fake.script(tool_calls=[call], delay=_BETWEEN_EVENTS)
        self._fake.script(text=_ADVICE, deltas=6, delay=_BETWEEN_EVENTS)
        turn = await thread.ask("The weather, please.")
        await self._check_answer(turn, _ADVICE)
        _check(self._parent.called == [{"city": "Lisbon"}], "the tool was not called as the model wanted it")
        _check(self._parent.asked == 2, f"the parent was asked {self._parent.asked - 1} times instead of once")
        self._check_bearers("responses", [expired, expired, self._parent.tokens.access_token])
        self._note("upstream: the tool's result met 401 with the old token, and was taken with the new one")
        return thread.id

    async def resume(self, client: Client, thread_id: str) -> None:
        self._step("The server has ended; another one goes on with the conversation")
        await client.initialize("demo", "1.0")
        await self._parent.log_in(client)
        resumed = await client.resume_thread(thread_id)
        _check(len(resumed.thread.turns) == 2, "the turns before are not there")
        self._fake.script(text=_TRAINS, deltas=6, delay=_BETWEEN_EVENTS)
        turn = await resumed.ask("And the trains?")
        await self._check_answer(turn, _TRAINS)
        sent = self._fake.requests.of("responses")[-1].body.decode()
        _check("Sunny, 24 °C" in sent and _PLAN in sent, "the model was not told what had been said before")
        self._note("upstream: the request had the whole conversation, the tool's result included")

    async def sign_out(self, client: Client) -> None:
        self._step("The parent signs out")
        await client.request(LOGOUT, Empty())
        updated = await client.notification(ACCOUNT_UPDATED)
        _check(updated.auth_mode is None, "account/updated still names a login")
        after = await client.request(ACCOUNT_READ, GetAccountParams())
        _check(after.account is None, "account/read still knows a login")

    def look_at_files(self) -> None:
        self._step("What is left on disk")
        files = [path for path in self._home.rglob("*") if path.is_file()]
        secrets = [token.encode() for tokens in self._parent.minted for token in (tokens.access_token, tokens.id_token)]
        _check(not (self._home / "auth.json").exists(), "the parent's tokens were written to disk")
        _check(
            not [path for path in files if any(secret in path.read_bytes() for secret in secrets)],
            "a token of the parent's is in a file",
        )
        threads = [path for path in files if path.suffix == ".jsonl" and path.name.startswith("rollout-")]
        _check(len(threads) == 1, f"there are {len(threads)} stored threads instead of one")
        [thread] = threads
        if sys.platform != "win32":
            _check(stat.S_IMODE(thread.stat().st_mode) == 0o600, "others can read the conversation")
        self._note("the conversation, which nobody but its owner can read, and no token")

    async def _check_answer(self, turn: FollowedTurn, expected: str) -> None:
        said, counted = "", False
        async for notification, params in turn:
            if isinstance(params, AgentMessageDeltaNotification):
                said += params.delta
            counted = counted or notification is TOKEN_USAGE_UPDATED
        ended = await turn.completed()
        _check(ended.status == "completed", f"the turn is {ended.status}: {ended.error and ended.error.message}")
        final = ended.items[-1].root if ended.items else None
        _check(isinstance(final, AgentMessageThreadItem) and final.text == expected, "the answer is another one")
        _check(said == expected, "the pieces of the answer do not add up")
        _check(counted, "the tokens were not counted")

    def _check_bearers(self, route: str, expected: list[str]) -> None:
        tried = [request.bearer for request in self._fake.requests.of(route)][-len(expected) :]
        _check(tried == expected, "the retry did not carry the fresh token")

    def _step(self, title: str) -> None:
        self._console.say(f"\n{title}")

    def _note(self, text: str) -> None:
        self._console.say(f"     {text}")


def _check(held: bool, otherwise: str) -> None:
    if not held:
        raise DemoFailed(otherwise)
