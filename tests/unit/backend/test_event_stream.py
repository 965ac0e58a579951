"""Server-sent events: lines, fields and cuts (WHATWG HTML section 9.2.6), and what no stream may do to us."""

import logging
from typing import Any

import pytest

from app_server.backend.event_stream import EventStream, EventTooLarge

A: dict[str, Any] = {"type": "a", "text": "é😀"}
B: dict[str, Any] = {"type": "b"}
STREAM = 'event: a\ndata: {"type":"a","text":"é😀"}\n\n: a comment\n\nid: 7\nretry: 5\ndata: {"type":"b"}\n\n'.encode()


def read(*chunks: bytes) -> list[dict[str, Any]]:
    stream = EventStream()
    return [event for chunk in chunks for event in stream.feed(chunk)]


def test_the_events_that_end_in_a_piece_come_at_once_and_in_order() -> None:
    assert EventStream().feed(STREAM) == [A, B]


@pytest.mark.parametrize("size", range(1, 12))
def test_a_stream_can_be_cut_anywhere_even_within_a_character(size: int) -> None:
    assert read(*(STREAM[start : start + size] for start in range(0, len(STREAM), size))) == [A, B]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_end_in_any_of_three_ways_wherever_they_are_cut(ending: bytes, size: int) -> None:
    stream = STREAM.replace(b"\n", ending) + b"data: "
    assert read(*(stream[start : start + size] for start in range(0, len(stream), size))) == [A, B]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_line(cut: int) -> None:
    stream = b"\xef\xbb\xbf" + STREAM
    assert read(stream[:cut], stream[cut:]) == [A, B]


def test_a_byte_order_mark_anywhere_else_is_part_of_its_line() -> None:
    assert read(STREAM, b'\xef\xbb\xbfdata: {"type":"b"}\n\n', b'data: {"type":"b"}\n\n') == [A, B, B]


def test_several_lines_of_data_are_one_event() -> None:
    assert read(b'data: {"type":\ndata:"a",\nevent: x\ndata: "text": "\xc3\xa9\xf0\x9f\x98\x80"}\ndata\n\n') == [A]


def test_a_space_after_the_colon_is_optional_and_only_one_is_dropped() -> None:
    assert read(b'data:{"type":"b"}\n\ndata:  {"type":"b"}\n\n') == [B, B]


def test_other_fields_that_begin_with_data_are_not_data() -> None:
    assert read(b'database: 1\ndata: {"type":"b"}\n\n') == [B]


@pytest.mark.parametrize(
    "data", [b"[DONE]", b"5", b"[]", b"null", b"{}", b'{"type":5}', b'{"type":"a"', b"", b"\xff", b'"a"', b"NaN"]
)
def test_an_event_that_is_no_object_with_a_type_is_left_out(data: bytes) -> None:
    assert read(b"data: %b\n\n" % data, STREAM) == [A, B]


def test_what_is_no_json_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert read(b"data: {secret\n\ndata: [DONE]\n\n") == []
    assert caplog.messages == ["an event of 7 bytes is not JSON and is left out"]


def test_what_is_not_utf_8_is_replaced() -> None:
    assert read(b'data: {"type":"a","text":"\xff"}\n\n') == [{"type": "a", "text": "\ufffd"}]


def test_json_beyond_the_fast_decoder_is_read_all_the_same() -> None:
    assert read(b'data: {"type":"a","text":"\\ud800"}\n\n') == [{"type": "a", "text": "\ud800"}]


def test_an_event_that_has_not_ended_when_the_stream_does_is_none() -> None:
    assert read(b'data: {"type":"a"}\n') == []


def test_an_event_may_be_large_and_come_in_many_pieces() -> None:
    text = "x" * 3_000_000
    stream = b'data: {"type":"a","text":"%b"}\n\n' % text.encode()
    pieces = (stream[start : start + 1000] for start in range(0, len(stream), 1000))
    assert read(*pieces) == [{"type": "a", "text": text}]


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 100, b"data: x\n", b"data:\n", b": x" * 30])
def test_an_event_that_does_not_end_is_given_up(piece: bytes) -> None:
    stream = EventStream(max_event_bytes=10_000)

    def go_on() -> None:
        for _ in range(20_000):
            stream.feed(piece)

    with pytest.raises(EventTooLarge):
        go_on()


@pytest.mark.parametrize("piece", [b": ping\n", b"\n\n\n", b"id: 1\n", b"event: x\n\n", STREAM])
def test_a_stream_may_go_on_for_ever_as_long_as_its_events_end(piece: bytes) -> None:
    stream = EventStream(max_event_bytes=200)
    for _ in range(1000):
        stream.feed(piece)
