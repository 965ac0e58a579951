"""No secret of a login gets out: canaries in every token, code, state, verifier and key, through success and failure.

The log is at its most talkative, and the issuer repeats everything it is told. Searched are the log, every message but
for the members whose job it is to hand a secret over, the pages, and every file but the store.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.support.server import Json, ServerProcess, running_server
from tests.support.upstream import COMPLETED, LOGIN, UPDATED, files, stored
from tests.unit.auth.login_support import parameters
from tests.wire.login.canaries import Aviary, Manner, ParrotIssuer, parrot_issuer, without
from tests.wire.login.support import ANY_PORT, BROWSER, CANCEL, COMPLETE, DEVICE, BrowserLogin, get

MANNERS: tuple[Manner, ...] = get_args(Manner)


class Conversation:
    """A server whose every word is kept.

    :param aviary: takes in the secrets that the server makes itself.
    """

    def __init__(self, server: ServerProcess, issuer: ParrotIssuer, aviary: Aviary) -> None:
        self.server = server
        self.issuer = issuer
        self.aviary = aviary
        self.heard: list[Json] = []
        self.pages: list[str] = []
        self._id = 0

    async def until(self, wanted: Callable[[Json], bool]) -> Json:
        """Listen until this is said."""
        while True:
            self.heard.append(await self.server.message())
            if wanted(self.heard[-1]):
                return self.heard[-1]

    async def ask(self, method: str, params: Any) -> Json:
        """The answer to a request."""
        self._id += 1
        request_id = self._id
        await self.server.send({"id": request_id, "method": method, "params": params})
        return await self.until(lambda message: message.get("id") == request_id)

    async def browser_login(self) -> BrowserLogin:
        """Begin one."""
        result = (await self.ask(LOGIN, BROWSER))["result"]
        login = BrowserLogin(result["loginId"], result["authUrl"])
        self.issuer.gossip = self.aviary.keep("state", login.state)
        return login

    async def visit(self, url: str) -> None:
        """Let the browser go there."""
        answer = await get(url)
        self.pages.append(f"{answer.headers} {answer.text}")

    async def end(self, *, success: bool) -> None:
        """Wait until a login has ended as it should."""
        completed = await self.until(lambda message: message.get("method") == COMPLETED)
        assert completed["params"]["success"] is success, completed
        if success:
            await self.until(lambda message: message.get("method") == UPDATED)

    async def log_out(self) -> None:
        """As far as the issuer's answer to that."""
        await self.ask("account/logout", {})
        await self.until(lambda message: message.get("method") == UPDATED)


@asynccontextmanager
async def conversation(home: Path) -> AsyncIterator[Conversation]:
    """Check in the end that nothing has got out."""
    aviary = Aviary()
    async with parrot_issuer(aviary) as issuer:
        arguments = ["-c", ANY_PORT, "-c", f"chatgpt_base_url={issuer.url}/backend-api"]
        async with running_server(home, *arguments, env=issuer.environment(), forked=True) as server:
            talk = Conversation(server, issuer, aviary)
            await server.send({"method": "unknown"})
            yield talk
            if (home / "auth.json").is_file() and "tokens" in stored(home):
                aviary.keep("owner", stored(home)["tokens"]["login_owner_id"])
            await server.close_input()
            talk.heard += await server.rest()
            assert await server.exit_status() == 0
    assert_nothing_got_out(talk, home)


def assert_nothing_got_out(talk: Conversation, home: Path) -> None:
    """Search everywhere."""
    log = talk.server.log.read_text()
    assert " DEBUG " in log  # which is what the unknown notification is for
    places = {"the log": log, "the pages": "\n".join(talk.pages)}
    places["the messages"] = "\n".join(
        str(without(message, ("authUrl", "userCode", "authToken"))) for message in talk.heard
    )
    for message in talk.heard:
        if "authUrl" in (message.get("result") or {}):
            own = parameters(message["result"]["authUrl"])
            places["the URL for the browser"] = str({name: value for name, value in own.items() if name != "state"})
    places |= {str(file.name): file.read_text() for file in files(home) if file.name != "auth.json"}
    assert {place: leaks for place, text in places.items() if (leaks := talk.aviary.leaks(text))} == {}


def test_the_search_finds_what_it_looks_for() -> None:
    aviary = Aviary()
    canary, token = aviary.new("one"), aviary.token("two")

    assert aviary.leaks("nothing") == set()
    assert aviary.leaks(f"x{canary}x") == {"one 0"}
    assert aviary.leaks(f"x{canary[4:20]}x") == {"one 0"}
    assert aviary.leaks(token[40:80]) == {"two 3"}
    assert aviary.leaks(aviary.keep("short", "AB-CD")) == {"short 4"}


async def test_a_browser_login_keeps_its_secrets_whatever_the_issuer_says(home: Path) -> None:
    async with conversation(home) as talk:
        for manner in MANNERS:
            talk.issuer.manners = {"exchange": manner}
            login = await talk.browser_login()
            await talk.visit(login.callback(code=talk.aviary.new("code")))
            await talk.end(success=manner == "succeed")
        await talk.ask("getAuthStatus", {"includeToken": True})
        assert talk.heard[-1]["result"]["authToken"] in talk.aviary.canaries.values()


async def test_nor_does_it_matter_what_is_said_about_the_key_the_backend_or_the_revocation(home: Path) -> None:
    async with conversation(home) as talk:
        for what in ("key", "check", "revoke"):
            for manner in MANNERS:
                talk.issuer.manners = {what: manner}
                login = await talk.browser_login()
                await talk.visit(login.callback(code=talk.aviary.new("code")))
                await talk.end(success=what != "check" or manner == "succeed")
                await talk.log_out()
        assert talk.issuer.asked.count("key") == 3 * len(MANNERS)


async def test_what_the_callback_itself_says_is_not_passed_on_with_its_secrets(home: Path) -> None:
    async with conversation(home) as talk:
        for members in (
            {"error": "access_denied", "error_description": "state={state} code={code}"},
            {"error": "access_denied", "error_description": "{state} missing_codex_entitlement"},
            {"error": "{state}"},
            {"code": " "},
        ):
            login = await talk.browser_login()
            words = {"state": login.state, "code": talk.aviary.new("code")}
            given = {"code": words["code"], **{name: value.format(**words) for name, value in members.items()}}
            for path in ("/", "/success", "/cancelled"):
                await talk.visit(f"{login.url(path)}?code={words['code']}&state={login.state}&id_token={words['code']}")
            await talk.visit(f"{login.redirect_uri}?code={words['code']}&state={talk.aviary.new('state')}")
            await talk.visit(login.callback(**given))
            await talk.end(success=False)


async def test_a_pasted_callback_keeps_its_secrets(home: Path) -> None:
    async with conversation(home) as talk:
        login = await talk.browser_login()
        code = talk.aviary.new("code")
        for pasted in (
            f"{login.redirect_uri}?code={code}&state={talk.aviary.new('state')}",
            f"{login.redirect_uri}?state={login.state}",
            f"http://[{code}/auth/callback?state={login.state}",
            f"{code} {login.state}",
        ):
            assert "error" in await talk.ask(COMPLETE, {"loginId": login.login_id, "callbackUrl": pasted})
        for params in (
            {"loginId": login.login_id, "callbackUrl": [code]},
            {"loginId": login.login_id, "callbackUrl": {"url": code}},
        ):
            assert "error" in await talk.ask(COMPLETE, params)
        talk.issuer.manners = {"exchange": "description"}
        pasted = login.callback(code=code)
        assert "result" in await talk.ask(COMPLETE, {"loginId": login.login_id, "callbackUrl": pasted})
        await talk.end(success=False)


async def test_a_device_login_keeps_its_secrets_whatever_the_issuer_says(home: Path) -> None:
    async with conversation(home) as talk:
        for manner in MANNERS:
            talk.issuer.manners = {"device usercode": manner}
            answer = await talk.ask(LOGIN, DEVICE)
            if manner == "succeed":
                await talk.end(success=True)
            else:
                assert "error" in answer
        for what in ("device token", "exchange"):
            for manner in MANNERS[1:]:
                talk.issuer.manners = {what: manner}
                login_id = (await talk.ask(LOGIN, DEVICE))["result"]["loginId"]
                if (what, manner) in (("device token", "code"), ("device token", "text"), ("device token", "drop")):
                    # These are waited out: 403 means that nobody has decided yet.
                    while talk.issuer.asked[-1] != what:
                        await talk.ask("getAuthStatus", {})
                    await talk.ask(CANCEL, {"loginId": login_id})
                    assert talk.heard[-2]["params"]["success"] is False
                else:
                    await talk.end(success=False)


async def test_a_login_that_cannot_be_saved_keeps_its_secrets(home: Path) -> None:
    (home / "auth.json").mkdir(parents=True)
    async with conversation(home) as talk:
        login = await talk.browser_login()
        await talk.visit(login.callback(code=talk.aviary.new("code")))
        await talk.end(success=False)
        await talk.ask(LOGIN, DEVICE)
        await talk.end(success=False)
        assert "error" in await talk.ask(LOGIN, {"type": "apiKey", "apiKey": talk.aviary.new("key")})


@pytest.mark.parametrize("name", ["apiKey", "accessToken"])
async def test_a_request_with_a_secret_in_it_is_not_repeated_whatever_is_wrong_with_it(home: Path, name: str) -> None:
    async with conversation(home) as talk:
        secret = talk.aviary.new(name)
        params = {"type": "apiKey" if name == "apiKey" else "chatgptAuthTokens", name: secret, "chatgptAccountId": "a"}
        request = f'{{"id": 1, "method": "{LOGIN}", "params": {{"type": "{params["type"]}", "{name}": "{secret}"'
        # Cut, without an id (wire.md section 15.27), in a batch, not UTF-8, and with the secret in the wrong place.
        await talk.server.send(
            f"{request}\n".encode(),
            {"method": LOGIN, "params": params},
            f"[{request}}}}}]\n".encode(),
            f"{request}\xff}}}}\n".encode("latin-1"),
        )
        for wrong in (
            {**params, name: [secret]},
            {**params, name: {"value": secret}},
            {"type": "chatgptAuthTokens", "accessToken": secret, "chatgptAccountId": [secret]},
            {"type": "chatgptAuthTokens", "accessToken": secret, "chatgptAccountId": "a"},
            {"type": "chatgptAuthTokens", "accessToken": f"a.{secret}.c", "chatgptAccountId": "a"},
            {"type": "chatgpt", "appBrand": [secret]},
            [secret],
        ):
            assert "error" in await talk.ask(LOGIN, wrong), wrong
        await talk.ask(LOGIN, {"type": "apiKey", "apiKey": secret})
        await talk.ask("account/read", {})
