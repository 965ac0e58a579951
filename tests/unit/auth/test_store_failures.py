"""Keeping a login in auth.json when that cannot be: the failure is told, and what was there stays."""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree, which
from subprocess import run

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.store_errors import StoreError, StoreUnreadable
from tests.unit.auth.samples import ACCESS_TOKEN

KEY = ApiKey(SecretStr("key-1"))
ROOT = Path(__file__).parents[3]
SAVER = Path(__file__).with_name("saver.py")


def kept_copies(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.corrupt-*"))


def names(directory: Path) -> list[str]:
    """Everything but the lock files."""
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".lock")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def saved_by(home: Path, handicap: str, *launcher: str) -> str:
    """What becomes of a save in a process with a handicap."""
    command = [*launcher, sys.executable, str(SAVER), str(home), handicap]
    process = run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT, env=environment())
    assert process.stderr == ""
    return process.stdout.strip()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


# Files that are not understood

CORRUPT = [
    b"{",
    b'{"OPENAI_API_KEY":5}',
    b'{"auth_mode":"of the future","future_secret":"s"}',
    b"\xff\xfe canary",
    json.dumps({"tokens": {"id_token": "damaged", "access_token": ACCESS_TOKEN, "refresh_token": "r"}}).encode(),
]


@pytest.mark.parametrize("content", CORRUPT)
async def test_nobody_is_logged_in_by_a_file_that_is_not_understood(home: Path, content: bytes) -> None:
    (home / "auth.json").write_bytes(content)
    with pytest.raises(StoreUnreadable, match=r"^auth\.json is not understood: ") as caught:
        await FileStore(home).load()
    assert "canary" not in str(caught.value)
    assert (home / "auth.json").read_bytes() == content


@pytest.mark.parametrize("content", [*CORRUPT, b'{"number":1e999}'])
async def test_a_file_that_is_not_understood_is_kept_beside_before_it_is_replaced(home: Path, content: bytes) -> None:
    (home / "auth.json").write_bytes(content)
    (home / "auth.json").chmod(0o644)
    await FileStore(home).save(KEY)
    assert await FileStore(home).load() == KEY
    [kept] = kept_copies(home)
    assert kept.name.startswith("auth.json.corrupt-20")
    assert kept.name.endswith("Z")
    assert kept.read_bytes() == content
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_every_file_that_is_not_understood_is_kept_and_no_other(home: Path) -> None:
    store = FileStore(home)
    for content in CORRUPT:
        (home / "auth.json").write_bytes(content)
        await store.save(KEY)
        await store.save(KEY)
    assert [copy.read_bytes() for copy in kept_copies(home)] == CORRUPT


@pytest.mark.parametrize("content", [b"", b"{}", b'{"auth_mode":"chatgpt"}', b'{"auth_mode":"bedrockApiKey"}'])
async def test_a_file_in_order_by_which_nobody_is_logged_in_is_replaced(home: Path, content: bytes) -> None:
    (home / "auth.json").write_bytes(content)
    assert await FileStore(home).load() is None
    await FileStore(home).save(KEY)
    assert names(home) == ["auth.json"]


async def test_behind_a_link_the_copy_is_kept_beside_the_file_itself(home: Path, tmp_path: Path) -> None:
    (home / "auth.json").symlink_to(tmp_path / "real.json")
    (tmp_path / "real.json").write_bytes(b"{")
    await FileStore(home).save(KEY)
    [kept] = kept_copies(tmp_path)
    assert kept.name.startswith("real.json.corrupt-")
    assert kept.read_bytes() == b"{"


async def test_logging_out_removes_a_file_that_is_not_understood(home: Path) -> None:
    (home / "auth.json").write_bytes(b"{")
    assert await FileStore(home).delete() is True
    assert names(home) == []


# What is no file


@pytest.mark.parametrize("via_link", [False, True])
async def test_a_directory_in_the_place_of_the_file_is_left_alone(home: Path, *, via_link: bool) -> None:
    directory = home / "directory" if via_link else home / "auth.json"
    directory.mkdir()
    if via_link:
        (home / "auth.json").symlink_to(directory)
    store = FileStore(home)
    for attempt in (store.load, lambda: store.save(KEY), store.delete):
        with pytest.raises(StoreError, match=r"^Is a directory \(os error 21\)$"):
            await attempt()
    assert directory.is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
async def test_no_failure_leaves_a_file_open(home: Path) -> None:
    (home / "auth.json").mkdir()
    store = FileStore(home)

    async def fail_everywhere() -> None:
        for attempt in (store.load, lambda: store.save(KEY), store.delete):
            with pytest.raises(StoreError):
                await attempt()

    await fail_everywhere()
    before = open_files()
    await fail_everywhere()
    assert open_files() == before


async def test_a_pipe_behind_a_link_is_neither_waited_for_nor_replaced(home: Path) -> None:
    pipe = home / "pipe"
    os.mkfifo(pipe)
    (home / "auth.json").symlink_to(pipe)
    store = FileStore(home)
    for attempt in (store.load, lambda: store.save(KEY)):
        with pytest.raises(StoreError, match=r"^credential file is not a regular file$"):
            await attempt()
    with pytest.raises(StoreError):
        await store.delete()
    assert pipe.is_fifo()


async def test_links_that_lead_in_a_circle_are_an_error(home: Path) -> None:
    (home / "auth.json").symlink_to(home / "auth.json")
    with pytest.raises(StoreError):
        await FileStore(home).load()
    with pytest.raises(StoreError):
        await FileStore(home).save(KEY)


# What must not be written


async def test_a_read_only_file_is_not_replaced_but_removed_on_logout(home: Path) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"old"}')
    (home / "auth.json").chmod(0o400)
    with pytest.raises(StoreError, match=r"^credential file is read-only$"):
        await FileStore(home).save(KEY)
    assert await FileStore(home).load() == ApiKey(SecretStr("old"))
    assert await FileStore(home).delete() is True


@pytest.mark.parametrize(
    ("home", "message"),
    [("file", "File exists (os error 17)"), ("file/home", "Not a directory (os error 20)")],
)
async def test_a_home_that_cannot_be_is_an_error(tmp_path: Path, home: str, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        await FileStore(tmp_path / home).save(KEY)
    assert str(caught.value) == message
    assert names(tmp_path) == ["file"]


async def test_a_link_into_a_directory_that_is_missing_is_an_error(home: Path, tmp_path: Path) -> None:
    (home / "auth.json").symlink_to(tmp_path / "missing" / "auth.json")
    with pytest.raises(StoreError, match=r"^No such file or directory \(os error 2\)$"):
        await FileStore(home).save(KEY)
    assert (home / "auth.json").is_symlink()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A home that other users reach, too."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    rmtree(directory)


def test_a_home_that_may_not_be_written_keeps_its_login(shared: Path) -> None:
    (shared / "auth.json").write_text('{"OPENAI_API_KEY":"old"}')
    (shared / "auth.json").chmod(0o644)
    shared.chmod(0o555)
    assert saved_by(shared, "not root") == "old, then StoreError: Permission denied (os error 13), then old"
    assert names(shared) == ["auth.json"]


def test_a_home_that_may_not_be_written_does_not_keep_anybody_from_logging_out_who_is_not_logged_in(
    shared: Path,
) -> None:
    shared.chmod(0o555)
    assert saved_by(shared, "not root, log out") == "nobody, then nothing to remove, then nobody"


def test_a_file_that_may_not_be_read_is_not_overwritten(shared: Path) -> None:
    (shared / "auth.json").write_text('{"OPENAI_API_KEY":"old"}')
    (shared / "auth.json").chmod(0o200)
    shared.chmod(0o777)
    seen = saved_by(shared, "not root")
    unreadable = "StoreUnreadable: Permission denied (os error 13)"
    if kept_copies(shared):  # the same user may link what it may not read
        assert seen == f"{unreadable}, then saved, then new"
        assert '"old"' in kept_copies(shared)[0].read_text()
    else:
        assert seen.startswith(f"{unreadable}, then StoreError: ")
        assert (shared / "auth.json").read_text() == '{"OPENAI_API_KEY":"old"}'


def test_a_write_that_breaks_off_leaves_the_previous_login_and_no_temporary_file(home: Path) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"old"}')
    assert saved_by(home, "small files only") == "old, then StoreError: File too large (os error 27), then old"
    assert names(home) == ["auth.json"]


def test_a_write_that_breaks_off_takes_back_the_copy_of_a_file_that_is_not_understood(home: Path) -> None:
    (home / "auth.json").write_bytes(b"{")
    assert saved_by(home, "small files only").count("os error 27") == 1
    assert names(home) == ["auth.json"]
    assert (home / "auth.json").read_bytes() == b"{"


def may_mount() -> bool:
    unshare = which("unshare")
    command = [str(unshare), "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return unshare is not None and run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="a file system of its own needs the permission to mount one")
@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ("size=8k", "old, then StoreError: No space left on device (os error 28), then old"),
        ("size=1m,remount,ro", "old, then StoreError: Read-only file system (os error 30), then old"),
    ],
)
def test_a_full_or_read_only_disk_keeps_its_login(home: Path, options: str, outcome: str) -> None:
    size, *remount = options.split(",")
    script = f'mount -t tmpfs -o {size} none "$0"; echo \'{{"OPENAI_API_KEY":"old"}}\' > "$0/auth.json"; '
    if remount:
        script += f'mount -o {",".join(remount)} "$0"; '
    script += 'exec "$@"'
    launcher = ("unshare", "--mount", "sh", "-c", script, str(home))
    assert saved_by(home, "large", *launcher) == outcome
