"""Bytes to lines, however the bytes are cut."""

import tracemalloc

import pytest

from app_server.transport.base import MessageTooLong
from app_server.transport.framing import DEFAULT_MAX_LINE_BYTES, LineBuffer

TOO_LONG = "too long"


def drain(buffer: LineBuffer) -> list[bytes | str]:
    """Everything that can be popped; TOO_LONG stands for a line over the limit."""
    lines: list[bytes | str] = []
    while True:
        try:
            line = buffer.pop()
        except MessageTooLong:
            lines.append(TOO_LONG)
            continue
        if line is None:
            return lines
        lines.append(line)


def lines_of(chunks: list[bytes], limit: int = DEFAULT_MAX_LINE_BYTES) -> list[bytes | str]:
    buffer = LineBuffer(limit)
    for chunk in chunks:
        buffer.feed(chunk)
    return drain(buffer)


TEXT = b'{"id":1}\n\n{"id":"\xc3\xa9"}\r\n  \nabcdefgh\nabcdefghi\nabcdefgh\n\nrest'
EXPECTED: list[bytes | str] = [b'{"id":1}', b"", TOO_LONG, b"  ", b"abcdefgh", TOO_LONG, b"abcdefgh", b""]
LIMIT = 8


def test_lines_are_the_same_in_one_chunk_as_in_single_bytes() -> None:
    assert lines_of([TEXT], LIMIT) == EXPECTED
    assert lines_of([bytes([byte]) for byte in TEXT], LIMIT) == EXPECTED


def test_lines_are_the_same_wherever_one_cut_is_made() -> None:
    for cut in range(len(TEXT) + 1):
        assert lines_of([TEXT[:cut], TEXT[cut:]], LIMIT) == EXPECTED, cut


def test_lines_are_the_same_wherever_two_cuts_are_made() -> None:
    for first in range(len(TEXT) + 1):
        for second in range(first, len(TEXT) + 1):
            chunks = [TEXT[:first], TEXT[first:second], TEXT[second:]]
            assert lines_of(chunks, LIMIT) == EXPECTED, (first, second)


@pytest.mark.parametrize("size", range(1, 12))
def test_lines_are_the_same_in_chunks_of_any_size_and_when_popped_between_chunks(size: int) -> None:
    buffer = LineBuffer(LIMIT)
    lines: list[bytes | str] = []
    for start in range(0, len(TEXT), size):
        buffer.feed(TEXT[start : start + size])
        lines += drain(buffer)

    assert lines == EXPECTED
    assert buffer.unfinished == len(b"rest")


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not(limit: int, cut: int) -> None:
    text = b"x" * limit + b"\n" + b"y" * (limit + 1) + b"\n" + b"z" * limit + b"\n"
    chunks = [text[start : start + cut] for start in range(0, len(text), cut)]

    assert lines_of(chunks, limit) == [b"x" * limit, TOO_LONG, b"z" * limit]


def test_a_carriage_return_belongs_to_the_line() -> None:
    assert lines_of([b"a\r\nb\r", b"\n"]) == [b"a\r", b"b\r"]


def test_many_lines_in_a_chunk_come_out_in_order() -> None:
    expected = [b"%d" % number for number in range(20_000)]

    assert lines_of([b"\n".join(expected) + b"\n"]) == expected


def test_each_line_over_the_limit_is_reported_once_and_in_its_place() -> None:
    assert lines_of([b"aaaa\nb\ncccc\n", b"dd", b"dd", b"dd", b"dd\ne\nffff", b"\n"], 3) == [
        TOO_LONG,
        b"b",
        TOO_LONG,
        TOO_LONG,
        b"e",
        TOO_LONG,
    ]


def test_a_line_over_the_limit_is_reported_only_when_it_has_ended() -> None:
    buffer = LineBuffer(3)
    buffer.feed(b"aaaaaaaa")

    assert buffer.pop() is None
    buffer.feed(b"aaaa\n")
    with pytest.raises(MessageTooLong) as refusal:
        buffer.pop()
    assert refusal.value.limit == 3
    assert str(refusal.value) == "a message was longer than 3 bytes"
    assert buffer.pop() is None


def test_an_empty_chunk_changes_nothing() -> None:
    assert lines_of([b"", b"a", b"", b"\n", b""]) == [b"a"]
    assert LineBuffer().pop() is None


def test_unfinished_counts_the_bytes_of_the_last_line_alone() -> None:
    buffer = LineBuffer(4)
    counts = []
    for chunk in (b"", b"ab", b"c", b"d\n", b"x\ny", b"yyyyyy", b"\n"):
        buffer.feed(chunk)
        counts.append(buffer.unfinished)

    assert counts == [0, 2, 3, 0, 1, 7, 0]


def test_a_line_over_the_limit_is_not_kept() -> None:
    limit = 1 << 20
    buffer = LineBuffer(limit)
    chunk = b"x" * (1 << 18)
    tracemalloc.start()
    try:
        for _ in range(256):
            buffer.feed(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2 * limit
    assert buffer.unfinished == 64 << 20


def test_a_line_that_arrives_in_small_pieces_takes_memory_in_proportion() -> None:
    size = 1 << 17
    buffer = LineBuffer()
    tracemalloc.start()
    try:
        for start in range(0, size, 2):
            buffer.feed(b"%02d" % (start % 100))
        buffer.feed(b"\n")
        line = buffer.pop()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert line is not None
    assert len(line) == size
    assert peak < 4 * size


def test_a_line_is_bytes() -> None:
    assert [type(line) for line in lines_of([b"a\nb", b"c\n"])] == [bytes, bytes]


def test_the_limit_is_64_mebibytes_unless_told_otherwise() -> None:
    assert DEFAULT_MAX_LINE_BYTES == 64 * 1024 * 1024
