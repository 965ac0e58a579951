"""Ids: made in ascending order, and checked in the reference's words."""

import uuid

import pytest

from app_server.threads.ids import Uuid7Source, thread_id, uuid7
from protocol.errors import InvalidRequest

NIL = "00000000-0000-0000-0000-000000000000"
CHARACTER = "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found "


def test_an_id_is_a_uuid_of_version_7_and_the_variant_of_rfc_9562() -> None:
    made = uuid.UUID(uuid7())
    assert str(made)[14] == "7"
    assert made.variant == uuid.RFC_4122


def test_ids_ascend_also_within_one_millisecond() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_ascend_while_the_clock_stands_still_or_goes_back() -> None:
    ticks = iter([2_000_000_000] * 10_000 + [1_000_000_000] * 10)
    make = Uuid7Source(lambda: next(ticks))
    made = [make() for _ in range(10_010)]
    assert made == sorted(set(made))


def test_an_id_begins_with_the_time_in_milliseconds() -> None:
    first, second = (int(uuid7().replace("-", "")[:12], 16) for _ in range(2))
    assert 1_700_000_000_000 < first <= second < 5_000_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "ABCDEF00-0000-0000-0000-00000000000A",
        "{abcdef00-0000-0000-0000-00000000000a}",
        "abcdef0000000000000000000000000a",
        "urn:uuid:abcdef00-0000-0000-0000-00000000000A",
    ],
)
def test_every_form_of_a_uuid_is_taken_and_made_canonical(text: str) -> None:
    assert thread_id(text) == "abcdef00-0000-0000-0000-00000000000a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid length: expected length 32 for simple format, found 0"),
        ("0", "invalid length: expected length 32 for simple format, found 1"),
        ("0" * 36, "invalid length: expected length 32 for simple format, found 36"),
        ("{" + "0" * 36 + "}", "invalid length: expected length 32 for simple format, found 36"),
        ("urn:uuid:" + "0" * 36, "invalid length: expected length 32 for simple format, found 36"),
        ("x", CHARACTER + "`x` at 1"),
        ("é", CHARACTER + "`é` at 1"),
        ("abc😀", CHARACTER + "`😀` at 4"),
        (" " + NIL, CHARACTER + "` ` at 1"),
        (NIL + "}", CHARACTER + "`}` at 37"),
        ("{" + NIL, CHARACTER + "`{` at 1"),
        ("{x}", CHARACTER + "`x` at 2"),
        ("{" + "x" * 36 + "}", CHARACTER + "`x` at 1"),
        ("urn:uuid:x", CHARACTER + "`x` at 10"),
        ("urn:uuid:" + "x" * 36, CHARACTER + "`x` at 1"),
        ("URN:UUID:" + NIL, CHARACTER + "`U` at 1"),
        ("00000000x0000-0000-0000-000000000000", CHARACTER + "`x` at 9"),
        (NIL[:-1] + "\n", CHARACTER + "`\n` at 36"),
        ("-", "invalid group count: expected 5, found 2"),
        ("{}", "invalid group count: expected 5, found 1"),
        ("urn:uuid:", "invalid group count: expected 5, found 1"),
        ("{" + "0" * 32 + "}", "invalid group count: expected 5, found 1"),
        ("-" + NIL[:-1], "invalid group count: expected 5, found 6"),
        ("----", "invalid group length in group 0: expected 8, found 0"),
        ("a-b-c-d-e", "invalid group length in group 0: expected 8, found 1"),
        ("00000000-00000-000-0000-000000000000", "invalid group length in group 1: expected 4, found 5"),
        (NIL[:-1], "invalid group length in group 4: expected 12, found 11"),
        (NIL + "0", "invalid group length in group 4: expected 12, found 13"),
        ("{00000000-0000-0000-0000-00}", "invalid group length in group 4: expected 12, found 4"),
        ("urn:uuid:00000000-0000-0000-0000-00", "invalid group length in group 4: expected 12, found 11"),
    ],
)
def test_what_is_no_uuid_is_refused_in_the_words_of_the_reference(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        thread_id(text)
    assert caught.value.message == f"invalid thread id: {message}"


def test_the_error_says_what_the_id_is_of() -> None:
    with pytest.raises(InvalidRequest, match=r"^invalid session id: invalid length"):
        thread_id("", "session id")
