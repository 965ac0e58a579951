"""The command line as published clients write it, and what is wrong with one (wire.md section 16).

How the arguments are taken apart is tested in ``unit/cli``.
"""

import re
from pathlib import Path

import pytest

from app_server.version import __version__
from tests.support.server import Finished, run_to_end

LIMIT = "app_server.max_line_bytes=1024"

CONVERSATION = (
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'
    + b"y" * 1_025
    + b'\n{"id":2,"method":"getAuthStatus","params":{}}\n'
)


def is_limited(ended: Finished) -> bool:
    """Whether the conversation was had, and the override was in force."""
    assert ended.status == 0, ended.log
    answers = ended.answers()
    assert {1, 2} <= set(answers)
    assert answers[None]["error"]["code"] in {-32600, -32700}
    return "1024" in answers[None]["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        (f"-c{LIMIT}",),
        ("--config", LIMIT, "app-server"),
        ("app-server", f"--config={LIMIT}"),
        ("-c", "model=x", "app-server", "--listen", "stdio://", "--enable", "some_feature", "-c", LIMIT),
        ("-c", LIMIT, "app-server", "--listen=stdio://", "--disable", "a", "--stdio", "--analytics-default-enabled"),
        ("-c", "app_server.max_line_bytes=4096", "-c", LIMIT),
    ],
    ids=" ".join,
)
async def test_flags_may_stand_before_and_after_the_optional_word(home: Path, arguments: tuple[str, ...]) -> None:
    assert is_limited(await run_to_end(home, CONVERSATION, *arguments))


async def test_without_arguments_it_serves_as_well(home: Path) -> None:
    assert not is_limited(await run_to_end(home, CONVERSATION))
    assert not is_limited(await run_to_end(home, CONVERSATION, "app-server"))


async def test_a_value_that_is_no_toml_is_a_string_and_one_that_is_wrong_a_warning(home: Path) -> None:
    ended = await run_to_end(home, CONVERSATION, "-c", "forced_login_method=sometimes", "-c", LIMIT)
    assert is_limited(ended)
    (warning,) = [message for message in ended.messages if message.get("method") == "configWarning"]
    assert "forced_login_method" in str(warning["params"])
    assert "sometimes" in str(warning["params"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--no-such-flag",), "--no-such-flag"),
        (("app-server", "-x"), "-x"),
        (("no-such-command",), "no-such-command"),
        (("app-server", "app-server"), "app-server"),
        (("-c",), "-c needs a value"),
        (("-c", "no equals sign"), "KEY=VALUE"),
        (("-c", "=x"), "KEY=VALUE"),
        (("--listen", "ws://127.0.0.1:0"), "stdio://"),
        (("--listen",), "--listen needs a value"),
        (("--enable",), "--enable needs a value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_arguments_that_make_no_sense_are_told_in_one_line_with_status_2(
    home: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    ended = await run_to_end(home, CONVERSATION, *arguments)
    assert (ended.status, ended.output) == (2, b"")
    assert ended.log.startswith("app-server: error: ")
    assert ended.log.count("\n") == 1
    assert complaint in ended.log


async def test_a_secret_among_senseless_arguments_is_not_told(home: Path) -> None:
    for arguments in (("-c", "sk-canary-0123456789"), ("sk-canary-0123456789",), ("--api-key=sk-canary-0123456789",)):
        ended = await run_to_end(home, b"", *arguments)
        assert ended.status == 2
        assert "canary" not in ended.log


@pytest.mark.parametrize("flag", ["--version", "-V"])
async def test_the_version_is_our_own_with_that_of_the_wire_beside_it(home: Path, flag: str) -> None:
    ended = await run_to_end(home, b"", flag)
    assert (ended.status, ended.log) == (0, "")
    assert re.fullmatch(rf"app-server {re.escape(__version__)} \(.*0\.169\.0\)\n", ended.output.decode())


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("app-server", "--help")], ids=" ".join)
async def test_help_names_every_flag(home: Path, arguments: tuple[str, ...]) -> None:
    ended = await run_to_end(home, b"", *arguments)
    assert (ended.status, ended.log) == (0, "")
    text = ended.output.decode()
    for flag in ("--config", "-c", "--listen", "--enable", "--disable", "--version", "--help"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 120
