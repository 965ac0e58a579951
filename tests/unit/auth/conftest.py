"""A home for credentials, and other processes that get in the way."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

Hold = Callable[[Path], "Popen[bytes]"]

HOLDER = Path(__file__).with_name("holder.py")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Start a process that holds a lock by the time it is returned, until its input is closed or it is killed."""
    with ExitStack() as processes:

        def hold(lock: Path) -> "Popen[bytes]":
            process = processes.enter_context(Popen([sys.executable, HOLDER, lock], stdin=PIPE, stdout=PIPE))
            processes.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            return process

        yield hold
