"""A CODEX_HOME and an environment that lead a server to the fake, and to nothing of whoever runs the tests.

Everything is said in ``config.toml`` and in variables, so that it reaches the server through a parent application too,
whatever command that starts it with.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from app_server.config.overrides import parse_value, split_override

_FOREIGN: Final = ("CODEX_", "OPENAI_", "APP_SERVER_")
"""Variables with these prefixes belong to a login or a server outside the test."""

_FOR_TESTS: Final = ("app_server.login_callback_ports=[0]", "app_server.drain_timeout=1")
"""Browser logins take any free port, so that tests can run beside each other, and beside a login of the developer; and
no test waits for long at its end because the fake hangs.
"""


class Upstream(Protocol):
    """What a server is led to: ``FakeOpenAI``, or ``ThreadedFakeOpenAI``."""

    def environment(self) -> dict[str, str]: ...

    def config_overrides(self) -> list[str]: ...


def make_home(home: Path, upstream: Upstream, overrides: Iterable[str]) -> None:
    """Make a CODEX_HOME whose ``config.toml`` leads to this upstream.

    :param overrides: further ``key=value``, as for ``-c``; they win.
    :raises ValueError: one of them is no ``key=value``, or they contradict each other.
    """
    text = config_toml([*_FOR_TESTS, *upstream.config_overrides(), *overrides])
    home.mkdir(mode=0o700, parents=True)
    (home / "config.toml").write_text(text, encoding="utf-8")


def config_toml(overrides: Iterable[str]) -> str:
    """What ``config.toml`` has to say for these ``key=value``; the last of the same key counts.

    :raises ValueError: one of them is no ``key=value``, or they contradict each other.
    """
    lines: dict[str, str] = {}
    for override in overrides:
        key, value = split_override(override)
        path = ".".join(part if re.fullmatch(r"[\w-]+", part, re.ASCII) else _string(part) for part in key.split("."))
        lines[path] = f"{path} = {_value(value)}\n"
    text = "".join(lines.values())
    try:
        tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"the settings cannot be said together: {error}") from None
    return text


def environment(home: Path, upstream: Upstream, further: Mapping[str, str]) -> dict[str, str]:
    """All variables for a server with this home, or for a parent that starts one.

    The directory of ``app-server`` comes first in PATH.

    :param further: variables to set besides; they win.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    return {
        **inherited,
        "PATH": path,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "CODEX_HOME": str(home),
        "APP_SERVER_LOG": "debug",
        **upstream.environment(),
        **further,
    }


def _value(text: str) -> str:
    try:
        tomllib.loads(f"value = {text}")
    except ValueError:
        return _string(str(parse_value(text)))
    return text


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
