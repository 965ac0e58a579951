"""What the README names exists, and what it leaves out does not: methods, params, settings and their defaults (those
that ARCHITECTURE tells, too), variables, options, fixtures, counts. What its blocks do is seen in ``test_readme``.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any, Final, get_args

import anyio
import pytest
from pydantic import BaseModel

from app_server.cli.argv import SUBCOMMANDS
from app_server.config import Settings
from app_server.config.environment import OWN_NAMES
from app_server.config.known import CHECKS, PROVIDER_CHECKS, PROVIDER_TABLE_CHECKS
from protocol.catalogue import CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS
from protocol.errors import InputTooLarge, InternalError, InvalidRequest, ParseError
from protocol.turn_error import CodexErrorInfo
from tests.support.documents import ROOT, read, rows, section, spans
from tests.support.server import ServerProcess

README: Final = read("README.md")
ARCHITECTURE: Final = read("ARCHITECTURE.md")
DEADLINE: Final = 30

METHODS: Final = {each.method: each for each in CLIENT_REQUESTS}
SERVER_METHODS: Final = {
    **{each.method: (each.params, each.result) for each in SERVER_REQUESTS},
    **{each.method: (each.params,) for each in SERVER_NOTIFICATIONS},
}


def words(model: Any) -> Iterator[str]:
    """What a model of the wire can say of its own accord: the names of its members, and its literals, at any depth."""
    if isinstance(model, str):
        yield model
    elif isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield field.alias or name
            yield from words(field.annotation)
    for argument in get_args(model):
        yield from words(argument)


def told(cell: str) -> set[str]:
    """The words of the wire that are named there."""
    shapes = [span for span in spans(cell) if re.fullmatch(r"\w+\??|[{\w].*\}", span)]
    return {word for shape in shapes for word in re.findall(r"\w+", shape)}


def test_every_method_is_named_in_a_table_and_no_other() -> None:
    named = {span for row in rows(section(README, "Methods")) for span in spans(row[0])}
    assert named == METHODS.keys() | SERVER_METHODS.keys()


def test_params_and_results_are_those_of_the_declarations() -> None:
    methods: list[str] = []
    for row in rows(section(README, "Methods")):
        methods = spans(row[0]) or methods
        models = [model for method in methods for model in SERVER_METHODS.get(method, ())]
        ours = [METHODS[method] for method in methods if method in METHODS]
        if ours and len(row) == 3:
            assert told(row[2]) <= {word for each in ours for word in words(each.result)}, row
        params = row[1] if ours else row[2]
        models += [each.params for each in ours]
        assert told(params) <= {word for model in models for word in words(model)}, row


def test_experimental_methods_are_called_so() -> None:
    for row in rows(section(README, "Methods")):
        for method in spans(row[0]):
            if method in METHODS:
                called = re.search(rf"`{re.escape(method)}` \(experimental\)", row[0]) is not None
                assert called == METHODS[method].experimental, method


def test_every_error_is_named() -> None:
    codes = {row[0] for row in rows(section(README, "Errors")) if row[0].startswith("-")}
    assert codes == {str(error.code) for error in (ParseError, InvalidRequest, InputTooLarge, InternalError)}
    kinds = {kind for row in rows(section(README, "Errors")) for kind in re.findall(r'"(\w+)"', row[0])}
    assert len(kinds) > 10
    assert kinds <= set(words(CodexErrorInfo))


# Settings


def test_every_setting_is_named_and_no_other() -> None:
    named = {span for row in rows(section(README, "Configuration")) for span in spans(row[0]) if span.islower()}
    assert named - {"[app_server]"} == {*CHECKS, *OWN_NAMES, "model_provider"}
    providers = section(README, "Other providers") + README.split("## Other providers")[1].split("```")[1]
    missing = [name for name in (*PROVIDER_CHECKS, *PROVIDER_TABLE_CHECKS) if not re.search(rf"\b{name}\b", providers)]
    assert missing == []


def default(name: str) -> int:
    """In the unit in which people are told it."""
    value = Settings._field_defaults[name]
    return int(value / 2**20 if name.endswith("bytes") else value)


def test_defaults_are_what_is_said_of_them() -> None:
    said: dict[str, int] = {}
    for row in rows(section(README, "Configuration")):
        names = [span for span in spans(row[0]) if span in OWN_NAMES]
        numbers = [int(number) for number in re.findall(r"\d+", row[1])]
        if names and numbers and names != ["login_callback_ports"]:
            said |= dict(zip(names, numbers, strict=True))
    seconds = {"s": 1, "min": 60, "h": 3600, "MiB": 1, "": 1}
    for number, unit, name in re.findall(r"(\d+)(?: (s|min|h|MiB))?[^|(\d]{0,3}\(`(\w+)`\)", ARCHITECTURE):
        if name in OWN_NAMES:
            assert said.setdefault(name, int(number) * seconds[unit]) == int(number) * seconds[unit], name
    assert said == {name: default(name) for name in OWN_NAMES if name not in ("login_callback_ports", "otel")}
    assert str(list(Settings._field_defaults["login_callback_ports"])) in README


def test_every_variable_is_named() -> None:
    read_somewhere: set[str] = set()
    for file in (ROOT / "app_server").rglob("*.py"):
        read_somewhere.update(re.findall(r'"((?:APP_SERVER|CODEX)_[A-Z_]*[A-Z])"', file.read_text()))
    named = set(spans(section(README, "Configuration")))
    assert read_somewhere
    assert sorted(read_somewhere - named) == []


# Commands, fixtures, counts


@pytest.mark.parametrize("command", ["", *SUBCOMMANDS])
async def test_every_option_is_named(command: str) -> None:
    with anyio.fail_after(DEADLINE):
        helped = await anyio.run_process([sys.executable, "-m", "app_server", *command.split(), "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", helped.stdout.decode())) - {"--help", "--version", "--config"}
    assert command in README
    assert [option for option in sorted(options) if option not in README] == []


def test_the_fixtures_are_those_of_the_plugin() -> None:
    plugin = (ROOT / "app_server/testing/plugin.py").read_text()
    fixtures = set(re.findall(r"@pytest\.fixture\n(?:async )?def (\w+)", plugin))
    assert {span for row in rows(section(README, "Testing your application")) for span in spans(row[0])} == fixtures
    settings = set(re.findall(r'addini\("(\w+)"', plugin))
    assert settings
    assert [name for name in settings if f"`{name}`" not in section(README, "Testing your application")] == []


async def test_gauges_and_counters_are_those_that_there_are(server: ServerProcess) -> None:
    said = await server.result("server/diagnostics", {})
    named = [name for row in rows(section(README, "Logs, traces, counters")) for name in expanded(row)]
    assert sorted(named) == sorted(each["name"] for each in (*said["gauges"], *said["counters"]))


def expanded(row: list[str]) -> Iterator[str]:
    """Names in full: ``.failed`` goes on from the one before, and ``.*`` is for each word in the next cell."""
    last = ""
    for span in spans(row[0]):
        if span.endswith(".*"):
            yield from (span.replace("*", word) for word in spans(row[1]))
        else:
            last = last.rpartition(".")[0] + span if span.startswith(".") else span
            yield last
