"""Appending to a rollout: what the file looks like, and what becomes of it when the disk does not take it."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app_server.rollouts import records
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.layout import path_of
from app_server.rollouts.writer import RolloutWriter
from tests.unit.rollouts.rollout_support import lines_of, meta, raw, session, turn_records, written

SOMETHING = records.turn_context("t", {"model": "m"})


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond this many bytes: writes are cut short there, and then fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def path_in(home: Path) -> Path:
    return path_of(home, meta().created_at, meta().id)


def test_nothing_is_created_before_there_is_something_to_write(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.append()
    assert not writer.materialized
    assert list(tmp_path.iterdir()) == []


def test_the_first_append_writes_the_meta_before_it(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.append(SOMETHING)
    assert [(told["ordinal"], told["type"]) for told in lines_of(writer.path)] == [
        (0, "session_meta"),
        (1, "turn_context"),
    ]
    assert writer.materialized


def test_ordinals_go_on_where_they_were(tmp_path: Path) -> None:
    path = written(tmp_path, meta(), SOMETHING)
    writer = RolloutWriter(path, meta(), next_ordinal=2)
    assert writer.materialized
    writer.append(SOMETHING, SOMETHING)
    writer.append(SOMETHING)
    assert [told["ordinal"] for told in lines_of(path)] == [0, 1, 2, 3, 4]


def test_every_line_has_the_time_in_utc_to_the_millisecond(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta(), now=lambda: meta().created_at)
    writer.append(SOMETHING)
    assert {told["timestamp"] for told in lines_of(writer.path)} == {"2026-11-20T12:00:00.000Z"}


def test_the_file_and_its_directories_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = written(tmp_path, meta())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    directories = [path.parent, path.parent.parent, path.parent.parent.parent, tmp_path / "sessions"]
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in directories} == {0o700}


def test_materializing_writes_the_meta_once(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.materialize()
    writer.materialize()
    writer.append(SOMETHING)
    assert [told["type"] for told in lines_of(writer.path)] == ["session_meta", "turn_context"]


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path) -> None:
    path = written(tmp_path, meta())
    with path.open("ab") as file:
        file.write(b'{"timestamp":"2026')
    RolloutWriter(path, meta(), next_ordinal=1, torn=True).append(SOMETHING)
    assert path.read_bytes().split(b"\n")[1] == b'{"timestamp":"2026'
    assert path.read_bytes().count(b"\n") == 3


def test_a_line_torn_by_somebody_else_is_noticed_too(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.materialize()
    with writer.path.open("ab") as file:
        file.write(b"torn")
    writer.append(SOMETHING)
    assert writer.path.read_bytes().split(b"\n")[1] == b"torn"


def test_what_does_not_fit_is_cut_off_again_and_the_next_append_is_whole(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.append(SOMETHING)
    before = writer.path.read_bytes()
    with room_for(len(before) + 20), pytest.raises(RolloutNotWritten) as caught:
        writer.append(SOMETHING)
    assert caught.value.errno == errno.EFBIG
    assert str(caught.value) == f"failed to write {writer.path}: {os.strerror(errno.EFBIG)}"
    assert caught.value.message == str(caught.value)
    assert isinstance(caught.value, OSError)
    assert writer.path.read_bytes() == before
    writer.append(SOMETHING)
    assert [told["ordinal"] for told in lines_of(writer.path)] == [0, 1, 2]


def test_a_file_that_could_not_be_begun_is_begun_by_the_next_append(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    with room_for(10), pytest.raises(RolloutNotWritten):
        writer.append(SOMETHING)
    assert not writer.path.exists()
    assert not writer.materialized
    writer.append(SOMETHING)
    assert [told["type"] for told in lines_of(writer.path)] == ["session_meta", "turn_context"]


def test_a_file_that_is_gone_is_not_begun_again_without_its_beginning(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.append(SOMETHING)
    writer.path.unlink()
    with pytest.raises(RolloutNotWritten) as caught:
        writer.append(SOMETHING)
    assert caught.value.errno == errno.ENOENT
    assert not writer.path.exists()


def test_a_home_that_cannot_be_made_is_an_error_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("in the way")
    with pytest.raises(RolloutNotWritten, match=r"failed to write .*: "):
        RolloutWriter(path_in(tmp_path), meta()).append(SOMETHING)


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    writer = RolloutWriter(path_in(tmp_path), meta())
    writer.close()
    writer.close()
    with pytest.raises(RolloutNotWritten):
        writer.append(SOMETHING)
    assert not writer.path.exists()


def test_a_file_in_the_legacy_form_keeps_it(tmp_path: Path) -> None:
    path = raw(tmp_path, 1, session())
    RolloutWriter(path, meta(history_mode="legacy")).append(*turn_records(meta().id, "t", "question", "answer"))
    told = lines_of(path)
    assert all("ordinal" not in record for record in told)
    assert [record["payload"].get("type") for record in told if record["type"] == "event_msg"] == [
        "task_started",
        "user_message",
        "agent_message",
        "task_complete",
    ]
