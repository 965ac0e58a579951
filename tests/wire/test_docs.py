"""What stands in ``docs``, and how ``examples`` are run, is so: exchanges are played, and diagrams held against them;
commands run, settings loaded, and names exist.

The README has tests of its own, ``test_readme`` and ``test_readme_tables``.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from app_server.config import load_configuration
from app_server.config.known import CHECKS
from app_server.fake_openai.server import FakeOpenAI
from protocol.catalogue import CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS
from tests.support.documents import INDENTED, ROOT, Block, blocks, read, spans
from tests.support.server import DEADLINE, Json, ServerProcess, environment
from tests.support.upstream import managed_login, server_with, store
from tests.unit.auth.login_support import sign_in
from tests.wire.login.support import ANY_PORT

OURS: Final = ("protocol.md", "security.md", "troubleshooting.md")
DOCS: Final = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
EXAMPLES: Final = read("examples/README.md")
README: Final = read("README.md")
METHODS: Final = {
    *(each.method for each in CLIENT_REQUESTS),
    *(each.method for each in SERVER_REQUESTS),
    *(each.method for each in SERVER_NOTIFICATIONS),
}


def of_kind(kind: str) -> list[Block]:
    return [block for document in DOCS.values() for block in blocks(document) if block.kind == kind]


# The exchanges of protocol.md

MESSAGE_DEADLINE: Final = 5
PLACEHOLDER: Final = re.compile(r"<[a-z A-Z]+>")

EXCHANGES: Final = {block.heading: block.text for block in of_kind("jsonl")}
DIAGRAMS: Final = {block.heading: block.text for block in of_kind("mermaid")}


class Said(NamedTuple):
    """A message, and who said it: ``P``, the parent, or ``S``, the server."""

    by: str
    message: Json


class Exchange:
    """One of them while it is played.

    ``values`` has what the placeholders stand for, as far as is known, and ``said`` all that has been said.
    """

    def __init__(self, fake: FakeOpenAI, home: Path) -> None:
        self.fake = fake
        self.home = home
        self.tokens = fake.mint()
        self.said: list[Said] = []
        self.values: dict[str, Any] = {
            "<access token>": self.tokens.access_token,
            "<account>": self.tokens.account.account_id,
        }

    async def play(self, server: ServerProcess, lines: list[str]) -> None:
        for line in lines:
            kind, text = line[:2], line[2:].strip()
            if kind == "->":
                self.said.append(Said("P", self.filled(json.loads(text))))
                await server.send(self.said[-1].message)
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
                    self.said.append(Said("S", message))
        except TimeoutError:
            raise AssertionError(f"{pattern} has not come after {passed}") from None
        self.said.append(Said("S", message))
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
async def test_the_exchanges_of_the_protocol_happen_as_they_stand_and_as_they_are_drawn(
    heading: str, fake: FakeOpenAI, home: Path
) -> None:
    text = EXCHANGES[heading]
    exchange = Exchange(fake, home)
    if SIGNED_IN in text:
        store(home, managed_login(exchange.tokens))
    greeted = '"method": "initialize"' not in text
    async with server_with(fake, home, ANY_PORT, initialize=greeted) as server:
        await exchange.play(server, text.splitlines())
    what_follows = iter(exchange.said)
    for arrow in arrows(DIAGRAMS[heading]):
        assert any(arrow.shows(each) for each in what_follows), arrow


def test_every_section_of_the_protocol_has_one_diagram_and_one_exchange() -> None:
    headings = re.findall(r"^## (.*)$", DOCS["protocol.md"], re.MULTILINE)
    of_exchanges, of_diagrams = ([block.heading for block in of_kind(kind)] for kind in ("jsonl", "mermaid"))
    assert headings == of_exchanges == of_diagrams
    for mode in ("apiKey", "chatgpt", "chatgptDeviceCode", "chatgptAuthTokens"):
        assert any(f"account/login/start ({mode})" in diagram for diagram in DIAGRAMS.values())
    assert sum("S: 401" in diagram for diagram in DIAGRAMS.values()) == 2


# The diagrams of protocol.md

KINDS: Final = {"->>": ("id", "method"), "-)": ("method",), "-->>": ("id",)}
"""The members that make it a request, a notification or an answer."""


class Arrow(NamedTuple):
    """One between parent and server.

    :param method: of a request or notification.
    :param words: what else is written at it.
    """

    by: str
    kind: str
    method: str | None
    words: tuple[str, ...]

    def shows(self, said: Said) -> bool:
        """Whether it is this message, which has all these words in it."""
        members = tuple(sorted(said.message.keys() & {"id", "method"}))
        text = json.dumps(said.message)
        return (
            self.by == said.by
            and members == KINDS[self.kind]
            and said.message.get("method") == self.method
            and all(word in text for word in self.words)
        )


def arrows(diagram: str) -> list[Arrow]:
    found = []
    for by, kind, text in re.findall(r"^ *([PS])(->>|-\)|-->>)[PS]: (.*)$", diagram, re.MULTILINE):
        words = re.findall(r"[A-Za-z]+(?:/[A-Za-z/]+)?", text)
        methods = [word for word in words if word in METHODS] if kind != "-->>" else [None]
        found += [
            Arrow(by, kind, method, tuple(word for word in words if word != method and "/" not in word))
            for method in methods
        ]
        assert methods, text
    return found


def test_the_diagrams_are_drawn_between_whoever_takes_part() -> None:
    for diagram in DIAGRAMS.values():
        lines = [line.strip() for line in diagram.splitlines()]
        assert lines[0] == "sequenceDiagram"
        participants = {line.split()[1] for line in lines if line.startswith("participant ")}
        for line in lines[1:]:
            arrow = re.fullmatch(r"(\w+)(?:-?->>|-\))(\w+): .+", line)
            assert arrow or re.match(
                r"participant \w+ as |Note over \w+: |(?:loop|alt) |(?:par|and|else|end)$", line
            ), line
            assert not arrow or set(arrow.groups()) <= participants, line


# Everything else


def write_settings(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


def shell_environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**environment(home), "PATH": path, "NO_PROXY": "127.0.0.1"}


@pytest.mark.parametrize("block", of_kind("sh"), ids=lambda block: block.heading)
async def test_the_commands_work(block: Block, home: Path, tmp_path: Path) -> None:
    write_settings(home, f"[app_server]\n{ANY_PORT.removeprefix('app_server.')}\n")
    with anyio.fail_after(DEADLINE):
        ended = await anyio.run_process(
            ["sh", "-euc", block.text], env=shell_environment(home), cwd=tmp_path, check=False
        )
    assert ended.returncode == 0, ended.stderr.decode()


@pytest.mark.parametrize("block", of_kind("toml"), ids=lambda block: block.heading)
def test_the_settings_are_taken_as_they_are(block: Block, tmp_path: Path) -> None:
    write_settings(tmp_path, block.text)
    assert not load_configuration([], {"CODEX_HOME": str(tmp_path)}).warnings
    assert set(tomllib.loads(block.text)) <= {key.split(".")[0] for key in CHECKS} | {"app_server"}


async def test_the_first_example_is_run_as_it_says_and_tests_examples_runs_the_others(
    home: Path, tmp_path: Path
) -> None:
    [[_, kind, upstream]] = blocks(EXAMPLES)
    commands = re.findall(r"`((?:python|node) examples/\S+)`", EXAMPLES)
    assert kind == INDENTED
    assert len(commands) == len(list((ROOT / "examples/python").glob("*_*.py"))) + 1
    variables = {**shell_environment(home), "TMPDIR": str(tmp_path)}
    async with await anyio.open_process(["sh", "-euc", f"exec {upstream}"], stderr=None, env=variables) as fake:
        assert fake.stdout is not None
        try:
            with anyio.fail_after(DEADLINE):
                exports = (await BufferedByteReceiveStream(fake.stdout).receive_until(b"# app-server", 10_000)).decode()
            with anyio.fail_after(DEADLINE):
                ended = await anyio.run_process(
                    ["sh", "-euc", f"{exports}\n{commands[0]}"], env=variables, cwd=ROOT, check=False
                )
        finally:
            fake.terminate()
    assert ended.returncode == 0, ended.stderr.decode()
    assert b"Hello, model [completed]" in ended.stdout


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {name: {block.kind for block in blocks(document)} for name, document in DOCS.items()}
    assert kinds.pop("protocol.md") == {"jsonl", "mermaid"}
    assert set().union(*kinds.values()) == {"sh", "toml"}
    assert not any("<pre" in document or "<code" in document for document in DOCS.values())


def anchors(document: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize(
    "name",
    [f"docs/{name}" for name in DOCS]
    + ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md"],
)
def test_files_and_links_lead_somewhere(name: str) -> None:
    text = read(name)
    links = [link for link in re.findall(r"\]\((.*?)\)", text) if "://" not in link]
    for link in links:
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link
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
        for span in spans(DOCS[name]):
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


def test_the_messages_that_are_a_symptom_are_said_somewhere() -> None:
    sources = "".join(
        path.read_text() for folder in ("app_server", "protocol") for path in (ROOT / folder).rglob("*.py")
    )
    messages = [span for span in spans(DOCS["troubleshooting.md"]) if "…" in span and " " in span]
    assert len(messages) > 5
    for message in messages:
        parts = [part.strip() for part in re.split(r"…|: ", message) if len(part.strip()) > 3]
        assert parts
        assert [part for part in parts if part not in sources] == [], message


def test_the_readme_leads_to_the_guides() -> None:
    assert [name for name in OURS if f"(docs/{name})" not in README] == []
