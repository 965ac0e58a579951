"""``session_index.jsonl``: the names of threads."""

import json
import stat
from pathlib import Path

import pytest

from app_server.rollouts.brief_lock import held_briefly
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.names import NameBook, append_name, forget_names, read_names
from tests.unit.rollouts.rollout_support import NOON, thread_id

A, B = thread_id(1), thread_id(2)


def file_in(home: Path) -> Path:
    return home / "session_index.jsonl"


def test_a_name_is_one_line_in_the_form_of_the_reference(tmp_path: Path) -> None:
    append_name(tmp_path, A, "Ünd so", now=lambda: NOON)
    assert json.loads(file_in(tmp_path).read_bytes()) == {
        "id": A,
        "thread_name": "Ünd so",
        "updated_at": "2026-11-20T12:00:00.000Z",
    }
    assert stat.S_IMODE(file_in(tmp_path).stat().st_mode) == 0o600


def test_the_last_name_counts_whatever_its_time(tmp_path: Path) -> None:
    book = NameBook(tmp_path)
    assert book.name(A) is None
    append_name(tmp_path, A, "one")
    append_name(tmp_path, B, "other")
    assert book.name(A) == "one"
    append_name(tmp_path, A, "two", now=lambda: NOON)
    assert (book.name(A), book.name(B)) == ("two", "other")


def test_only_what_has_been_added_is_read_again(tmp_path: Path) -> None:
    append_name(tmp_path, A, "one")
    _, end = read_names(tmp_path)
    append_name(tmp_path, B, "two")
    assert read_names(tmp_path, end) == ({B: "two"}, file_in(tmp_path).stat().st_size)


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    append_name(tmp_path, A, "one")
    line = file_in(tmp_path).read_bytes().replace(b"one", b"two")
    book = NameBook(tmp_path)
    with file_in(tmp_path).open("ab") as file:
        file.write(line[:30])
        file.flush()
        assert book.name(A) == "one"
        file.write(line[30:])
    assert book.name(A) == "two"


def test_garbage_is_skipped_and_a_torn_line_gets_its_end(tmp_path: Path) -> None:
    file_in(tmp_path).write_bytes(b'garbage\n[]\n{"id":5,"thread_name":"x"}\n{"id":"x"}\n{"id":"to')
    append_name(tmp_path, A, "one")
    assert read_names(tmp_path)[0] == {A: "one"}


def test_a_deleted_threads_names_are_taken_out_and_the_rest_stays(tmp_path: Path) -> None:
    append_name(tmp_path, A, "one")
    append_name(tmp_path, B, "other")
    append_name(tmp_path, A, "two")
    with file_in(tmp_path).open("ab") as file:
        file.write(b"garbage\n")
    other = file_in(tmp_path).read_bytes().splitlines(keepends=True)[1]
    book = NameBook(tmp_path)
    assert book.name(A) == "two"
    forget_names(tmp_path, A)
    assert file_in(tmp_path).read_bytes() == other + b"garbage\n"
    assert (book.name(A), book.name(B)) == (None, "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["session_index.jsonl", "session_index.jsonl.lock"]


def test_a_thread_without_a_name_changes_nothing_when_it_goes(tmp_path: Path) -> None:
    forget_names(tmp_path, A)
    append_name(tmp_path, B, "other")
    before = file_in(tmp_path).stat()
    forget_names(tmp_path, A)
    assert file_in(tmp_path).stat().st_ino == before.st_ino


def test_names_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    append_name(tmp_path, A, "one")
    book = NameBook(tmp_path)
    assert book.name(A) == "one"
    file_in(tmp_path).unlink()
    assert book.name(A) is None


def test_nothing_is_written_while_another_process_changes_it(tmp_path: Path) -> None:
    append_name(tmp_path, A, "one")
    with held_briefly(tmp_path / "session_index.jsonl.lock", exclusive=True) as alone:
        assert alone
        with pytest.raises(RolloutNotWritten, match="another process is changing it"):
            append_name(tmp_path, A, "two")
        with pytest.raises(RolloutNotWritten, match="another process is changing it"):
            forget_names(tmp_path, A)
    assert read_names(tmp_path)[0] == {A: "one"}


@pytest.mark.parametrize("in_place", [False, True])
def test_names_that_another_program_has_taken_out_are_forgotten(tmp_path: Path, in_place: bool) -> None:
    append_name(tmp_path, A, "one")
    append_name(tmp_path, B, "a name as long as can be, so that there is room for more")
    book = NameBook(tmp_path)
    assert book.name(B) is not None
    kept = file_in(tmp_path).read_bytes().splitlines(keepends=True)[0]
    if in_place:
        file_in(tmp_path).write_bytes(kept)
    else:
        other = tmp_path / "other"
        other.write_bytes(kept + b"\n" * 500)
        other.replace(file_in(tmp_path))
    assert (book.name(A), book.name(B)) == ("one", None)
