"""``app-server fake-openai``: the fake as a program of its own, for applications in any language.

Standard output gets what points a server at it: shell exports, and the server's options as a comment; or, on request,
one line of JSON. It serves until SIGINT or SIGTERM.
"""

import shlex
import signal
import sys
from contextlib import AsyncExitStack

import anyio
import orjson

from app_server.fake_openai.control import PREFIX
from app_server.fake_openai.server import FakeOpenAI


def run(port: int, *, json: bool = False) -> int:
    """Serve until told to stop.

    :param port: 0 lets the system choose one.
    :param json: announce it as one line of JSON: ``base_url``, ``control_url``, ``environment``, ``config_overrides``.
    :returns: exit code: 0 when stopped by a signal, 1 when the port cannot be had.
    """
    try:
        return anyio.run(_serve, port, json)
    except KeyboardInterrupt:  # where signals cannot be awaited
        return 0


def announcement(fake: FakeOpenAI, *, json: bool) -> str:
    """The text that tells how to point a server at it."""
    environment, overrides = fake.environment(), fake.config_overrides()
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


async def _serve(port: int, json: bool) -> int:
    async with AsyncExitStack() as stack:
        try:
            fake = await stack.enter_async_context(FakeOpenAI.running(port))
        except (OSError, OverflowError) as error:
            sys.stderr.write(f"app-server fake-openai: cannot listen on 127.0.0.1:{port}: {error}\n")
            return 1
        try:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                _announce(fake, json)
                await anext(signals)
        except NotImplementedError:  # Windows
            _announce(fake, json)
            await anyio.sleep_forever()
    return 0


def _announce(fake: FakeOpenAI, json: bool) -> None:
    sys.stdout.write(announcement(fake, json=json))
    sys.stdout.flush()
