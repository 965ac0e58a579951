"""A crowd of processes that share one home, some of which die at any moment, and somebody who watches the file."""

import os
import random
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from app_server.auth.stores.auth_json import decode

ROOT = Path(__file__).parents[3]
CHURNER = Path(__file__).with_name("churner.py")
STEPS_BETWEEN_KILLS = 25
SILENCE = 60.0
"""Seconds without a single step of anybody after which something is stuck."""


@dataclass
class Observations:
    """What was seen of the file."""

    steps: int = 0
    whole: int = 0
    absent: int = 0
    killed: int = 0


def watch_crowd(home: Path, log: Path, *, processes: int, seconds: float, kills: int) -> Observations:
    """Let processes log in and out, kill some of them, and look at the file all the time.

    :param log: where the processes complain.
    :param kills: at least so many of them are killed, even if that takes longer than ``seconds``.
    :raises AssertionError: the file was neither absent nor whole, or open to others; or a process has failed.
    """
    seen = Observations()
    chance = random.Random(4711)  # noqa: S311 - to be repeatable, not secret
    with _crowd(home, log, processes) as crowd:
        end = time.monotonic() + seconds
        next_kill = STEPS_BETWEEN_KILLS
        while time.monotonic() < end or seen.killed < kills:
            seen.steps += crowd.steps_done()
            for _ in range(10):
                _look(home / "auth.json", seen)
            if seen.steps >= next_kill:
                crowd.replace_one(chance)
                seen.killed += 1
                next_kill = seen.steps + STEPS_BETWEEN_KILLS
    return seen


def _look(file: Path, seen: Observations) -> None:
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except FileNotFoundError:
        seen.absent += 1
        return
    assert mode == 0o600
    assert decode(content).credential is not None
    seen.whole += 1


class _Crowd:
    def __init__(self, home: Path, log: Path, steps: tuple[int, int]) -> None:
        self._home = home
        self._log = log
        self._read_end, self._write_end = steps
        self._started = 0
        self._processes: list[Popen[bytes]] = []

    def start_one(self) -> None:
        self._started += 1
        with self._log.open("ab") as log:
            self._processes.append(
                Popen(
                    [sys.executable, CHURNER, self._home, str(self._started)],
                    stdout=self._write_end,
                    stderr=log,
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    umask=0,
                )
            )

    def steps_done(self) -> int:
        """Wait until something is done; how much."""
        readable, _, _ = select.select([self._read_end], [], [], SILENCE)
        assert readable, "nothing happens any more"
        return len(os.read(self._read_end, 4096))

    def replace_one(self, chance: random.Random) -> None:
        victim = self._processes.pop(chance.randrange(len(self._processes)))
        self._end(victim)
        self.start_one()

    def end(self) -> None:
        while self._processes:
            self._end(self._processes.pop())

    def _end(self, process: "Popen[bytes]") -> None:
        failed = process.poll()
        process.kill()
        process.wait()
        assert failed is None, self._log.read_text()


@contextmanager
def _crowd(home: Path, log: Path, processes: int) -> Iterator[_Crowd]:
    with ExitStack() as cleanup:
        steps = os.pipe()
        for fd in steps:
            cleanup.callback(os.close, fd)
        crowd = _Crowd(home, log, steps)
        cleanup.callback(crowd.end)
        for _ in range(processes):
            crowd.start_one()
        yield crowd
