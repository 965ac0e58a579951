"""A real Secret Service of its own for every test: gnome-keyring on a private D-Bus session, with a keyring that is
unlocked. No desktop, no display, and nothing of the user's is touched.

Debian: ``apt-get install dbus gnome-keyring``. Without them these tests fail, and do not skip.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import secretstorage
from jeepney.io.blocking import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]

from app_server.fake_openai.server import FakeOpenAI
from tests.support.upstream import Start, server_with

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <servicedir>{directory}/services</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""

SERVICE = """[D-BUS Service]
Name=org.freedesktop.secrets
Exec=/bin/sh {directory}/start.sh
"""

START_GNOME_KEYRING = """echo $$ > {directory}/pid
printf password | exec gnome-keyring-daemon --foreground --unlock --components=secrets \\
    --control-directory={directory}/control
"""

SILENT_SERVICE = Path(__file__).with_name("silent_service.py")


class Bus:
    """A D-Bus session, whose Secret Service starts when it is first asked for.

    :ivar environment: of a program that takes part in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._address = f"unix:path={directory}/bus"
        self.environment = {
            "DBUS_SESSION_BUS_ADDRESS": self._address,
            "HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_DATA_HOME": str(directory / "data"),
            "XDG_RUNTIME_DIR": str(directory / "runtime"),
        }

    def connect(self) -> DBusConnection:
        """Take part in it."""
        return open_dbus_connection(self._address)

    @contextmanager
    def collection(self) -> Iterator[secretstorage.Collection]:
        """The keyring, for looking into it and changing it as another program."""
        with closing(self.connect()) as connection:
            yield secretstorage.get_default_collection(connection)


@contextmanager
def running_bus(start_service: str | None) -> Iterator[Bus]:
    """A D-Bus session.

    :param start_service: the shell script that becomes its Secret Service, if it has one.
    """
    with ExitStack() as cleaning:
        # Not in tmp_path: the path of a socket may have only some 100 characters.
        directory = Path(tempfile.mkdtemp(prefix="keyring-"))
        cleaning.callback(shutil.rmtree, directory, ignore_errors=True)
        for name in ("services", "runtime", "data", "config", "control"):
            (directory / name).mkdir(mode=0o700)
        (directory / "bus.conf").write_text(BUS.format(directory=directory))
        if start_service is not None:
            (directory / "start.sh").write_text(start_service.format(directory=directory))
            (directory / "services" / "secrets.service").write_text(SERVICE.format(directory=directory))
        bus = Bus(directory)
        daemon = cleaning.enter_context(
            subprocess.Popen(
                ["dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork", "--print-address"],  # noqa: S607
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **bus.environment},
            )
        )
        cleaning.callback(_end_service, directory / "pid")
        cleaning.callback(daemon.terminate)
        assert daemon.stdout is not None
        assert daemon.stdout.readline().startswith(b"unix:path=")
        yield bus


def _end_service(pid_file: Path) -> None:
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def secret_service() -> Iterator[Bus]:
    """gnome-keyring, with a keyring that is unlocked and has nothing in it."""
    with running_bus(START_GNOME_KEYRING) as bus:
        yield bus


@pytest.fixture
def no_secret_service() -> Iterator[Bus]:
    """A session without one."""
    with running_bus(None) as bus:
        yield bus


@pytest.fixture
def silent_secret_service() -> Iterator[Bus]:
    """One that never answers."""
    with running_bus(None) as bus:
        service = subprocess.Popen(
            [sys.executable, SILENT_SERVICE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **bus.environment},
        )
        with service:
            assert service.stdout is not None
            assert service.stdout.readline() == b"ready\n"
            yield bus
            service.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
async def start(home: Path) -> AsyncIterator[Start]:
    async with FakeOpenAI.running() as fake:
        yield partial(server_with, fake, home)
