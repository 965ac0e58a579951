"""``app-server login`` from a script: the real command, a browser that is a program, and a real callback."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import Commands, Outcome, Running, authorize, browser, is_refused, page_of, sign_in, was_opened
from tests.support.upstream import stored

KEY = "sk-proj-canary-0123456789-abcdefghijkl-wxyz"


def address_in(text: str) -> str:
    found = re.search(r"^  (http://\S+/oauth/authorize\?\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def secrets_of(fake: FakeOpenAI, home: Path) -> set[str]:
    """What only the store, and the requests that carry it, may hold."""
    login = stored(home)
    exchanges = [request.fields() for request in fake.requests.of("token")]
    return {
        *(login["tokens"][name] for name in ("id_token", "access_token", "refresh_token")),
        login["OPENAI_API_KEY"],
        *(fields[name] for fields in exchanges for name in ("code", "code_verifier") if name in fields),
    } - {None}


def assert_secret(secrets: set[str], outcome: Outcome) -> None:
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in outcome.said]


async def visit(command: Running) -> str:
    """Sign in at the address that the command has printed; returns the page that the user ends on."""
    return await sign_in(address_in(await command.until("waiting for")))


async def test_the_browser_is_opened_and_the_login_is_saved(
    fake: FakeOpenAI, commands: Commands, home: Path, tmp_path: Path
) -> None:
    program = browser(tmp_path)
    outcome = await commands.run("login", env={"BROWSER": str(program), "APP_SERVER_LOG": "debug"})
    assert outcome.status == 0, outcome.said
    assert "Logged in as user@example.com (ChatGPT, plan plus).\n" in outcome.out
    assert stored(home)["tokens"]["account_id"] == "acct-1"
    assert "<html" in page_of(program)
    address = address_in(outcome.out)
    assert parse_qs(urlsplit(address).query)["originator"] == ["app-server"]
    assert_secret(secrets_of(fake, home), outcome)
    assert parse_qs(urlsplit(address).query)["state"][0] not in outcome.err


async def test_without_a_browser_the_printed_address_is_enough(commands: Commands) -> None:
    async with commands.running("login", env={"BROWSER": "/nowhere/to/be/found"}) as command:
        await visit(command)
        outcome = await command.outcome()
    assert (outcome.status, outcome.err) == (0, "")


async def test_no_open_opens_nothing(commands: Commands, tmp_path: Path) -> None:
    program = browser(tmp_path)
    async with commands.running("login", "--no-open", env={"BROWSER": str(program)}) as command:
        assert "<html" in await visit(command)
        outcome = await command.outcome()
    assert outcome.status == 0
    assert not was_opened(program)


async def test_a_refusal_is_told_and_nothing_is_saved(
    fake: FakeOpenAI, commands: Commands, home: Path, tmp_path: Path
) -> None:
    program = browser(tmp_path)
    fake.refuse_authorization("access_denied", "not \x1b[31mtoday")
    outcome = await commands.run("login", env={"BROWSER": str(program)})
    assert outcome.status == 1
    assert outcome.err.startswith("error: Login server error: Sign-in failed: not ")
    assert "\x1b" not in outcome.said
    assert not (home / "auth.json").exists()
    assert "today" in page_of(program)


async def test_ctrl_c_cancels_and_leaves_nothing_behind(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    async with commands.running("login", "--no-open") as command:
        address = address_in(await command.until("waiting for"))
        callback = await authorize(address)
        command.interrupt()
        outcome = await command.outcome()
    assert outcome.status == 130
    assert outcome.out.endswith("Cancelled.\n")
    assert outcome.err == ""
    assert await is_refused(callback)
    assert not (home / "auth.json").exists()
    assert not fake.requests.of("token")


async def test_a_device_code_is_shown_with_its_address(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    fake.configure(device_interval="1")
    async with commands.running("login", "--device-auth") as command:
        said = await command.until("waiting for")
        assert f"\n  {fake.base_url}/codex/device\n" in said
        code = re.search(r"^  ([A-Z]{4}-[A-Z]{5})$", said, re.MULTILINE)
        assert code is not None
        fake.approve_device(code[1])
        outcome = await command.outcome()
    assert outcome.status == 0
    assert "Logged in as user@example.com" in outcome.out
    assert_secret(secrets_of(fake, home), outcome)


async def test_a_device_code_that_is_denied_fails(fake: FakeOpenAI, commands: Commands) -> None:
    fake.configure(device_interval="1")
    fake.fault("device_token", status=400)
    outcome = await commands.run("login", "--device-auth")
    assert outcome.status == 1
    assert outcome.err == "error: device auth failed with status 400 Bad Request\n"


async def test_an_api_key_comes_from_standard_input_and_is_shown_masked(commands: Commands, home: Path) -> None:
    outcome = await commands.run("login", "--with-api-key", stdin=f"{KEY}\r\n")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "Logged in with the API key sk-proj-…wxyz.\n"
    assert stored(home)["OPENAI_API_KEY"] == KEY


async def test_what_is_no_api_key_is_refused_and_not_repeated(commands: Commands, home: Path) -> None:
    outcome = await commands.run("login", "--with-api-key", stdin=f"{KEY}\n{KEY}\n")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "error: what is on standard input is no API key\n"
    assert not (home / "auth.json").exists()


async def test_the_address_that_a_browser_elsewhere_ended_on_is_pasted(
    fake: FakeOpenAI, commands: Commands, home: Path, tmp_path: Path
) -> None:
    program = browser(tmp_path)
    async with commands.running("login", "--paste", env={"BROWSER": str(program)}) as command:
        callback = await authorize(address_in(await command.until("the address> ")))
        other = re.sub("state=[^&]*", "state=canary-of-another-login", callback)
        await command.type(f"{other}\n\nnonsense\n{callback}\n")
        outcome = await command.outcome()
    assert outcome.status == 0, outcome.said
    assert "State mismatch" in outcome.err
    assert outcome.err.count("error: ") == 3
    assert "canary-of-another-login" not in outcome.said
    assert "Logged in as user@example.com" in outcome.out
    assert not was_opened(program)
    assert_secret(secrets_of(fake, home), outcome)


@pytest.mark.parametrize("text", ["", "nonsense\n" * 5])
async def test_without_the_right_address_the_login_is_given_up(commands: Commands, home: Path, text: str) -> None:
    outcome = await commands.run("login", "--paste", stdin=text)
    assert outcome.status == 1
    assert outcome.out.endswith("Cancelled.\n")
    assert not (home / "auth.json").exists()


async def test_a_login_that_comes_back_by_itself_does_not_wait_for_a_paste(commands: Commands) -> None:
    async with commands.running("login", "--paste") as command:
        await sign_in(address_in(await command.until("the address> ")))
        outcome = await command.outcome()
    assert outcome.status == 0, outcome.said


async def test_a_token_of_the_environment_that_outranks_the_login_is_named(
    fake: FakeOpenAI, commands: Commands, home: Path
) -> None:
    token = fake.mint_personal()
    outcome = await commands.run("login", "--with-api-key", stdin=KEY, env={"CODEX_ACCESS_TOKEN": token})
    assert outcome.status == 0
    assert outcome.err.startswith("warning: The environment variable CODEX_ACCESS_TOKEN outranks every login.")
    assert token not in outcome.said
    assert stored(home)["OPENAI_API_KEY"] == KEY


async def test_what_the_configuration_forbids_is_refused(commands: Commands) -> None:
    outcome = await commands.run("login", overrides=("forced_login_method=api",))
    assert outcome.status == 1
    assert outcome.err == "error: ChatGPT login is disabled. Use API key login instead.\n"


async def test_a_login_that_cannot_be_saved_says_so(commands: Commands, home: Path) -> None:
    (home / "auth.json").mkdir(parents=True)
    outcome = await commands.run("login", "--with-api-key", stdin=KEY)
    assert outcome.status == 1
    assert "failed to save api key" in outcome.err
    assert KEY not in outcome.said
