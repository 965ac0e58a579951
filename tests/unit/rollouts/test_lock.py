"""One writer per thread, in all processes."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.rollouts.brief_lock import held_briefly
from app_server.rollouts.errors import AlreadyBeingWritten, RolloutNotWritten
from app_server.rollouts.lock import WriterLock
from tests.unit.rollouts.rollout_support import thread_id

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock(2)")

T = thread_id(1)

_HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def lock_file(home: Path) -> Path:
    return home / "thread-writer-locks" / f"{T}.lock"


def test_the_second_is_refused_in_the_words_that_clients_match_on(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path, T), WriterLock(tmp_path, T)
    first.acquire()
    with pytest.raises(AlreadyBeingWritten) as caught:
        second.acquire()
    assert caught.value.message == f"thread {T} already has an active writer"
    first.release()
    second.acquire()
    second.release()


def test_another_thread_has_another_lock(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path, T), WriterLock(tmp_path, thread_id(2))
    first.acquire()
    second.acquire()
    first.release()
    second.release()


def test_the_file_is_there_while_it_is_held_and_removed_after(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, T)
    lock.acquire()
    assert stat.S_IMODE(lock_file(tmp_path).stat().st_mode) == 0o600
    lock.release()
    assert [path.name for path in (tmp_path / "thread-writer-locks").iterdir()] == [".coordination.lock"]


def test_holding_and_letting_go_twice_is_once(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, T)
    lock.release()
    lock.acquire()
    lock.acquire()
    lock.release()
    lock.release()
    other = WriterLock(tmp_path, T)
    other.acquire()
    lock.release()
    assert lock_file(tmp_path).exists()
    other.release()


def test_a_process_that_holds_it_keeps_others_out_until_it_dies(tmp_path: Path) -> None:
    lock_file(tmp_path).parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, lock_file(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(AlreadyBeingWritten):
            WriterLock(tmp_path, T).acquire()
        holder.kill()
        holder.wait(10)
        lock = WriterLock(tmp_path, T)
        lock.acquire()  # the file that the dead has left is nobody's
        lock.release()


def test_somebody_who_never_lets_go_of_the_coordination_stops_nobody(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, T)
    lock_file(tmp_path).parent.mkdir()
    with held_briefly(lock_file(tmp_path).with_name(".coordination.lock"), exclusive=True) as alone:
        assert alone
        lock.acquire()
        with pytest.raises(AlreadyBeingWritten):
            WriterLock(tmp_path, T).acquire()
        lock.release()
        # To remove the file would be unsafe now; an unlocked one keeps nobody out.
        assert lock_file(tmp_path).exists()
    lock.acquire()
    lock.release()
    assert not lock_file(tmp_path).exists()


def test_threads_may_be_loaded_together_by_programs_that_share_the_coordination(tmp_path: Path) -> None:
    lock_file(tmp_path).parent.mkdir()
    with held_briefly(lock_file(tmp_path).with_name(".coordination.lock"), exclusive=False) as held:
        assert held
        lock = WriterLock(tmp_path, T)
        lock.acquire()
    lock.release()


def test_a_home_in_which_no_lock_can_be_made_is_an_error_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "thread-writer-locks").write_text("in the way")
    with pytest.raises(RolloutNotWritten, match="failed to write"):
        WriterLock(tmp_path, T).acquire()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    held, lock = WriterLock(tmp_path, T), WriterLock(tmp_path, T)
    held.acquire()
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for _ in range(5):
        with pytest.raises(AlreadyBeingWritten):
            lock.acquire()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
    held.release()
    assert len(os.listdir("/dev/fd")) == before - 1  # noqa: PTH208
