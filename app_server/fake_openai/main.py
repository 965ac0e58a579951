"""``app-server fake-openai``: the fake as a program of its own, for applications in any language.

Standard output gets what points a server at it: shell exports, and the server's options as a comment; or, on request,
one line of JSON. With a home the environment alone is enough, whatever starts the server. It serves until SIGINT or
SIGTERM.
"""

import errno
import os
import shlex
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import orjson

from app_server.fake_openai.control import PREFIX
from app_server.fake_openai.server import FakeOpenAI
from app_server.testing.homes import config_toml


def run(port: int, *, json: bool = False, home: Path | None = None) -> int:
    """Serve until told to stop.

    :param port: 0 lets the system choose one.
    :param json: announce it as one line of JSON: ``base_url``, ``control_url``, ``environment``, ``config_overrides``.
    :param home: a directory that is empty or missing, and becomes a CODEX_HOME that leads to the fake.
    :returns: exit code: 0 when stopped by a signal, 1 when the port or the home cannot be had.
    """
    try:
        return anyio.run(_serve, port, json, home and home.absolute())
    except KeyboardInterrupt:  # where signals cannot be awaited
        return 0


def announcement(fake: FakeOpenAI, *, json: bool, home: Path | None = None) -> str:
    """The text that tells how to point a server at it."""
    environment, overrides = fake.environment(), fake.config_overrides()
    if home is not None:
        environment["CODEX_HOME"] = str(home)
    control_url = fake.base_url + PREFIX
    if json:
        announced = {
            "base_url": fake.base_url,
            "control_url": control_url,
            "environment": environment,
            "config_overrides": overrides,
        }
        return orjson.dumps(announced).decode() + "\n"
    options = " ".join(f"-c {shlex.quote(override)}" for override in overrides)
    return "".join(
        [
            f"# Offline OpenAI at {fake.base_url}, programmed at {control_url}; Ctrl-C ends it.\n",
            *(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()),
            f"# app-server {options}\n",
        ]
    )


async def _serve(port: int, json: bool, home: Path | None) -> int:
    async with AsyncExitStack() as stack:
        try:
            fake = await stack.enter_async_context(FakeOpenAI.running(port))
        except (OSError, OverflowError) as error:
            sys.stderr.write(f"app-server fake-openai: cannot listen on 127.0.0.1:{port}: {error}\n")
            return 1
        if home is not None:
            try:
                _make_home(home, fake)
            except OSError as error:
                sys.stderr.write(f"app-server fake-openai: {home} cannot be a home: {error.strerror}\n")
                return 1
        try:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                _announce(fake, json, home)
                await anext(signals)
        except NotImplementedError:  # Windows
            _announce(fake, json, home)
            await anyio.sleep_forever()
    return 0


def _make_home(home: Path, fake: FakeOpenAI) -> None:
    """Never in a directory that somebody else uses: a login against the fake would replace theirs.

    :raises OSError: it holds something, or cannot be written.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(home.iterdir()):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
    # No login against the fake should wait for the ports of a real one.
    text = config_toml(["app_server.login_callback_ports=[0]", *fake.config_overrides()])
    (home / "config.toml").write_text(text, encoding="utf-8")


def _announce(fake: FakeOpenAI, json: bool, home: Path | None) -> None:
    sys.stdout.write(announcement(fake, json=json, home=home))
    sys.stdout.flush()
