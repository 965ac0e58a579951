"""What stands in ``docs`` is so: exchanges are played, commands run, settings loaded, and names exist.

The README has tests of its own, ``test_readme``.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from app_server.config import load_configuration
from app_server.config.known import CHECKS
from app_server.fake_openai.server import FakeOpenAI
from protocol.catalogue import CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS
from tests.support.server import DEADLINE, Json, ServerProcess, environment
from tests.support.upstream import managed_login, server_with, store
from tests.unit.auth.login_support import sign_in
from tests.wire.login.support import ANY_PORT

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
README: Final = (ROOT / "README.md").read_text()
OURS: Final = ("protocol.md", "security.md", "troubleshooting.md")
METHODS: Final = {
    *(each.method for each in CLIENT_REQUESTS),
    *(each.method for each in SERVER_REQUESTS),
    *(each.method for each in SERVER_NOTIFICATIONS),
}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS[name], re.DOTALL | re.MULTILINE)


# The exchanges of protocol.md

MESSAGE_DEADLINE: Final = 5
PLACEHOLDER: Final = re.compile(r"<[a-z A-Z]+>")

EXCHANGES: Final = {
    heading: re.findall(r"^```jsonl\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    for heading, section in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", DOCS["protocol.md"], re.DOTALL | re.MULTILINE)
}


class Exchange:
    """One of them while it is played.

    :param values: what the placeholders stand for, as far as is known.
    """

    def __init__(self, fake: FakeOpenAI, home: Path) -> None:
        self.fake = fake
        self.home = home
        self.tokens = fake.mint()
        self.values: dict[str, Any] = {
            "<access token>": self.tokens.access_token,
            "<account>": self.tokens.account.account_id,
        }

    async def play(self, server: ServerProcess, lines: list[str]) -> None:
        for line in lines:
            kind, text = line[:2], line[2:].strip()
            if kind == "->":
                await server.send(self.filled(json.loads(text)))
            elif kind == "<-":
                pattern = json.loads(text)
                self.learn(pattern, await self.shown(server, pattern))
            else:
                await ACTIONS[text](self)

    async def shown(self, server: ServerProcess, pattern: Json) -> Json:
        """The next message that fits; what comes before it is left out."""
        passed: list[Json] = []
        try:
            with anyio.fail_after(MESSAGE_DEADLINE):
                while not self.fits(pattern, message := await server.message()):
                    passed.append(message)
        except TimeoutError:
            raise AssertionError(f"{pattern} has not come after {passed}") from None
        return message

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.filled(member) for member in value]
        if value == "<fresh token>":
            return self.fake.mint(self.tokens.account.account_id).access_token
        return self.values[value] if self.is_placeholder(value) else value

    def fits(self, pattern: Any, value: Any) -> bool:
        """Whether a message has what is shown; what is shown with an id is an answer or a question."""
        if isinstance(pattern, dict):
            return isinstance(value, dict) and all(
                name in value and self.fits(member, value[name]) for name, member in pattern.items()
            )
        if self.is_placeholder(pattern):
            return bool(self.values.get(pattern, value) == value)
        return bool(pattern == value)

    def learn(self, pattern: Any, value: Any) -> None:
        if isinstance(pattern, dict):
            for name, member in pattern.items():
                self.learn(member, value[name])
        elif self.is_placeholder(pattern):
            self.values[pattern] = value

    @staticmethod
    def is_placeholder(value: object) -> bool:
        return isinstance(value, str) and PLACEHOLDER.fullmatch(value) is not None


async def signs_in(exchange: Exchange) -> None:
    assert (await sign_in(exchange.values["<auth URL>"])).status == 200


async def enters_the_code(exchange: Exchange) -> None:
    exchange.fake.approve_device(exchange.values["<user code>"])


async def expires(exchange: Exchange) -> None:
    exchange.fake.expire_tokens()


async def is_revoked(exchange: Exchange) -> None:
    exchange.fake.expire_tokens()
    exchange.fake.fault("token", status=400, body=json.dumps({"error": {"code": "refresh_token_invalidated"}}))


async def has_signed_in(exchange: Exchange) -> None:
    assert (exchange.home / "auth.json").exists()


async def calls_a_tool(exchange: Exchange) -> None:
    exchange.fake.script(tool_calls=[{"name": "weather", "arguments": {"city": "Lisbon"}}])


async def stops_twice(exchange: Exchange) -> None:
    for words in ("One two three", "Two one zero."):
        exchange.fake.script(text=words, deltas=3)
        exchange.fake.fault("responses", hang_after_events=4)  # up to the first piece


SIGNED_IN: Final = "somebody has signed in"

ACTIONS: Final[Mapping[str, Callable[[Exchange], Awaitable[None]]]] = {
    "the user signs in at the auth URL": signs_in,
    "the user enters the code": enters_the_code,
    "the access token expires": expires,
    "the refresh token is revoked and the access token expires": is_revoked,
    SIGNED_IN: has_signed_in,
    'the model will call the tool "weather" for Lisbon': calls_a_tool,
    "the model will stop in the middle of its answer, twice": stops_twice,
}
"""What somebody else does in an exchange."""


@pytest.mark.parametrize("heading", EXCHANGES)
async def test_the_exchanges_of_the_protocol_happen_as_they_stand(heading: str, fake: FakeOpenAI, home: Path) -> None:
    [text] = EXCHANGES[heading]
    exchange = Exchange(fake, home)
    if SIGNED_IN in text:
        store(home, managed_login(exchange.tokens))
    greeted = '"method": "initialize"' not in text
    async with server_with(fake, home, ANY_PORT, initialize=greeted) as server:
        await exchange.play(server, text.splitlines())


def test_every_section_of_the_protocol_has_one_diagram_and_one_exchange() -> None:
    assert all(len(exchanges) == 1 for exchanges in EXCHANGES.values())
    assert len(EXCHANGES) == len(blocks("protocol.md", "mermaid")) == 7


def test_the_diagrams_name_methods_that_there_are() -> None:
    named = set()
    for diagram in blocks("protocol.md", "mermaid"):
        lines = [line.strip() for line in diagram.splitlines()]
        assert lines[0] == "sequenceDiagram"
        said = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("Note")]
        participants = {line.split()[1] for line in lines if line.startswith("participant ")}
        for arrow, text in said:
            assert set(re.split(r"-?-(?:>>|\))", arrow)) <= participants, arrow
            named |= {word.rstrip(",") for word in text.split() if re.match(r"[a-zA-Z]+/[a-zA-Z]", word)}
    assert named <= METHODS
    assert len(named) > 15


# Everything else


def write_settings(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


@pytest.mark.parametrize("text", [text for name in OURS for text in blocks(name, "sh")])
async def test_the_commands_work(text: str, home: Path, tmp_path: Path) -> None:
    write_settings(home, f"[app_server]\n{ANY_PORT.removeprefix('app_server.')}\n")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with anyio.fail_after(DEADLINE):
        ended = await anyio.run_process(
            ["sh", "-euc", text], env={**environment(home), "PATH": path}, cwd=tmp_path, check=False
        )
    assert ended.returncode == 0, ended.stderr.decode()


@pytest.mark.parametrize("text", [text for name in OURS for text in blocks(name, "toml")])
def test_the_settings_are_taken_as_they_are(text: str, tmp_path: Path) -> None:
    write_settings(tmp_path, text)
    assert not load_configuration([], {"CODEX_HOME": str(tmp_path)}).warnings
    assert set(tomllib.loads(text)) <= {key.split(".")[0] for key in CHECKS} | {"app_server"}


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    for name in OURS:
        opened = re.findall(r"^```(\S+)$", DOCS[name], re.MULTILINE)
        assert set(opened) <= {"jsonl", "mermaid", "sh", "toml"}
        assert DOCS[name].count("```") == 2 * len(opened)
    assert [len(blocks(name, "sh")) for name in OURS] == [0, 0, 2]


@pytest.mark.parametrize("name", DOCS)
def test_files_and_links_lead_somewhere(name: str) -> None:
    text = DOCS[name]
    links = [link for link in re.findall(r"\]\((.*?)\)", text) if "://" not in link]
    for link in links:
        file, _, anchor = link.partition("#")
        target = (ROOT / "docs" / file) if file else ROOT / "docs" / name
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, (
            link
        )
    for path in re.findall(r"`((?:app_server|protocol|tests|examples|schema)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_every_promise_names_code_and_tests() -> None:
    rows = DOCS["security.md"].split("## Promises")[1].split("\n## ")[0].splitlines()
    promises = [row.split("|")[1:-1] for row in rows if row.startswith("| ") and "---" not in row][1:]
    assert len(promises) > 12
    for promise, code, tests in promises:
        assert "`app_server/" in code or "ARCHITECTURE.md" in code, promise
        assert "`tests/" in tests, promise


def test_the_methods_settings_and_options_of_the_guides_exist() -> None:
    for name in OURS:
        spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", DOCS[name], flags=re.DOTALL | re.MULTILINE))
        for span in spans:
            if re.fullmatch(r"(?:account|thread|turn|item|model|server|config)/[a-zA-Z/]+", span):
                assert span in METHODS, span
            setting = re.match(r"(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)(?=$| ?=)", span)
            assert setting is None or setting[0] in README, span


async def test_the_options_of_login_that_are_named_are_offered() -> None:
    named = set(re.findall(r"app-server login (--[a-z-]+)", DOCS["troubleshooting.md"]))
    with anyio.fail_after(DEADLINE):
        help_text = (await anyio.run_process([sys.executable, "-m", "app_server", "login", "--help"])).stdout.decode()
    assert named
    assert [option for option in sorted(named) if option not in help_text] == []


def test_the_readme_leads_to_the_guides() -> None:
    assert [name for name in OURS if f"(docs/{name})" not in README] == []
