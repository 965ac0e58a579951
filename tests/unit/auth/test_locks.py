"""The locks that programs sharing a CODEX_HOME take (wire.md section 15.23)."""

import fcntl
import sys
import threading
from pathlib import Path

import anyio
import pytest

from app_server.auth.stores.locks import locked
from app_server.auth.stores.store_errors import LockTimeout, StoreError
from tests.unit.auth.conftest import Hold

DEADLINE = 20.0
SOON = 0.05


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize("name", ["auth.lock", "auth.json.lock"])
async def test_the_locks_of_the_reference_are_held_and_released(home: Path, name: str) -> None:
    async with locked(home, DEADLINE):
        assert not is_free(home / name)
    assert is_free(home / name)
    assert (home / name).stat().st_mode & 0o777 == 0o600


async def test_the_second_lock_is_beside_the_file_that_a_link_leads_to(home: Path, tmp_path: Path) -> None:
    (home / "auth.json").symlink_to(tmp_path / "real.json")
    async with locked(home, DEADLINE):
        assert not is_free(tmp_path / "real.json.lock")
    assert not (home / "auth.json.lock").exists()


@pytest.mark.parametrize("name", ["auth.lock", "auth.json.lock"])
async def test_a_lock_that_another_process_keeps_is_given_up_and_its_holder_named(
    home: Path, hold: Hold, name: str
) -> None:
    holder = hold(home / name)
    with anyio.fail_after(DEADLINE):
        with pytest.raises(LockTimeout) as caught:
            async with locked(home, SOON):
                pytest.fail("two holders")
    assert (caught.value.lock, caught.value.seconds) == (str(home / name), SOON)
    if sys.platform == "linux":
        assert caught.value.holder == holder.pid
        assert f"process {holder.pid}" in str(caught.value)


async def test_whoever_gives_up_holds_nothing(home: Path, hold: Hold) -> None:
    hold(home / "auth.json.lock")
    with pytest.raises(LockTimeout):
        async with locked(home, 0):
            pass
    assert is_free(home / "auth.lock")


async def test_a_lock_that_another_process_lets_go_is_taken(home: Path, hold: Hold) -> None:
    holder = hold(home / "auth.lock")
    assert holder.stdin is not None
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            taken = anyio.Event()

            async def take() -> None:
                async with locked(home, DEADLINE):
                    taken.set()

            tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            assert not taken.is_set()
            # That this line is reached shows that waiting does not block the event loop.
            holder.stdin.close()
            await taken.wait()


async def test_a_process_that_is_killed_lets_go(home: Path, hold: Hold) -> None:
    hold(home / "auth.lock").kill()
    with anyio.fail_after(DEADLINE):
        async with locked(home, DEADLINE):
            pass


async def test_tasks_of_one_process_take_turns(home: Path) -> None:
    entered = 0
    inside = 0

    async def enter() -> None:
        nonlocal entered, inside
        async with locked(home, DEADLINE):
            inside += 1
            assert inside == 1
            await anyio.lowlevel.checkpoint()
            inside -= 1
            entered += 1

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(enter)
    assert entered == 10


def test_threads_of_one_process_take_turns(home: Path) -> None:
    turns: list[str] = []

    async def enter(name: str) -> None:
        for _ in range(5):
            async with locked(home, DEADLINE):
                turns.append(name)
                await anyio.lowlevel.checkpoint()
                turns.append(name)

    threads = [threading.Thread(target=anyio.run, args=(enter, name)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(turns) == 30
    assert all(first == second for first, second in zip(turns[::2], turns[1::2], strict=True))


async def test_whoever_is_cancelled_while_waiting_never_gets_the_lock(home: Path, hold: Hold) -> None:
    holder = hold(home / "auth.json.lock")

    async def wait() -> None:
        async with locked(home, DEADLINE):
            pytest.fail("it was held")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert is_free(home / "auth.lock")
        holder.kill()
        async with locked(home, DEADLINE):
            pass


async def test_the_locks_are_released_however_the_work_ends(home: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with locked(home, DEADLINE):
            raise ZeroDivisionError
    assert is_free(home / "auth.lock")
    assert is_free(home / "auth.json.lock")


async def test_a_lock_file_that_was_removed_meanwhile_is_not_mistaken_for_the_one_that_is_there(
    home: Path, hold: Hold
) -> None:
    holder = hold(home / "auth.lock")
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:

            async def take() -> None:
                async with locked(home, DEADLINE):
                    assert not is_free(home / "auth.lock")
                    tasks.cancel_scope.cancel()

            tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            (home / "auth.lock").unlink()
            (home / "auth.lock").touch()
            holder.kill()


async def test_where_no_lock_file_can_be_the_failure_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^No such file or directory \(os error 2\)$"):
        async with locked(tmp_path / "missing", DEADLINE):
            pass
    (tmp_path / "auth.lock").mkdir()
    with pytest.raises(StoreError, match=r"^Is a directory \(os error 21\)$"):
        async with locked(tmp_path, DEADLINE):
            pass
