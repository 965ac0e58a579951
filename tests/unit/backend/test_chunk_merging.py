"""Merging chunks on their way to the HTTP library: the body stays what it is, and so does every error."""

import random

import h11
import pytest

from app_server.backend.chunk_merging import ChunkMerger
from tests.unit.backend.support import CLOSE, COMPLETED, CREATED, bench, chunk, head, provider, raw_upstream, sse

HEAD = head()
EVENTS = [sse({"type": "response.output_text.delta", "delta": f"é {number}"}) for number in range(50)]
ANSWER = HEAD + b"".join(map(chunk, EVENTS)) + chunk(b"")


def merged(*pieces: bytes) -> bytes:
    merger = ChunkMerger()
    return b"".join(map(merger.feed, pieces))


def body_of(answer: bytes) -> tuple[bytes, bool]:
    """The body as an independent reader has it, and whether it has ended."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(answer)
    body = b""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return body, True
        elif event is h11.NEED_DATA:
            return body, False


def test_what_comes_together_is_one_chunk() -> None:
    assert merged(ANSWER) == HEAD + chunk(b"".join(EVENTS)) + chunk(b"")


@pytest.mark.parametrize("seed", range(12))
def test_however_the_stream_is_cut_the_body_is_the_same(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    merger, received, place = ChunkMerger(), b"", 0
    while place < len(ANSWER):
        size = chance.choice((1, 2, 3, 7, 50, 500))
        received += merger.feed(ANSWER[place : place + size])
        place += size
        # Nothing that has come is kept back, but for framing.
        so_far, _ = body_of(ANSWER[:place])
        assert body_of(received)[0] == so_far
    assert body_of(received) == (b"".join(EVENTS), True)


def test_extensions_and_trailers_are_no_part_of_the_body() -> None:
    answer = HEAD + b'1;a="b"\r\nx\r\n01 ; c\r\ny\r\n0\r\nx-trailer: 1\r\n\r\n'
    assert merged(answer) == HEAD + chunk(b"xy") + b"0\r\nx-trailer: 1\r\n\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"+1\r\n",
        b"1_0\r\n",
        b"\r\n",
        b"1\n",
        b"1\r\nxy",
        b"1\r\nx\n1\r\ny",
        b"f" * 2000,
    ],
)
def test_what_is_no_chunk_is_an_error_after_what_came_before(bad: bytes) -> None:
    answer = merged(HEAD + chunk(b"good") + bad)
    with pytest.raises(h11.RemoteProtocolError):
        body_of(answer)
    assert b"good" in answer


def test_a_stream_that_breaks_off_in_a_chunk_has_not_ended() -> None:
    assert body_of(merged(HEAD + b"9\r\nhalf")) == (b"half", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 10\r\n\r\n1\r\nx\r\n1\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n",
        b"HTTP/1.1 500 No\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n1\r\nx\r\n1\r\ny\r\n",
        b"\x16\x03\x01 no HTTP at all \r\n\r\n1\r\nx\r\n1\r\ny\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 10, 1000])
def test_everything_else_is_passed_on_as_it_comes(answer: bytes, size: int) -> None:
    assert_passed_on(answer, size)


@pytest.mark.parametrize("size", [100, 1000])
def test_a_head_that_never_ends_is_passed_on_as_it_comes(size: int) -> None:
    assert_passed_on(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, size)


def assert_passed_on(answer: bytes, size: int) -> None:
    """It comes out in the pieces in which it goes in."""
    merger = ChunkMerger()
    for start in range(0, len(answer), size):
        assert merger.feed(answer[start : start + size]) == answer[start : start + size]


def test_an_interim_answer_is_not_taken_for_the_answer() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    assert merged(interim + ANSWER) == interim + HEAD + chunk(b"".join(EVENTS)) + chunk(b"")


def test_each_answer_of_a_connection_is_judged_anew() -> None:
    merger = ChunkMerger()
    plain = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
    for answer, expected in ((ANSWER, merged(ANSWER)), (plain, plain), (ANSWER, merged(ANSWER))):
        merger.expect_answer()
        assert merger.feed(answer) == expected


# In its place


async def test_the_client_reads_what_came_together_at_once() -> None:
    answer = HEAD + b"".join(map(chunk, EVENTS)) + chunk(sse(COMPLETED)) + chunk(b"")
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        for _ in range(2):
            batches = await b.batches()
            assert sum(map(len, batches)) == 51
            # One for each chunk, if the library did not take our way to the network any more.
            assert len(batches) < 5
        assert upstream.connections == 1


async def test_a_body_that_is_no_chunk_breaks_the_stream_off() -> None:
    answer = (HEAD + chunk(sse(CREATED)) + b"zz\r\n", CLOSE)
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        failed = await b.failure()
        assert (failed.came, failed.failure.retry) == ([CREATED], "stream")
