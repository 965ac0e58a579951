"""One long answer, in order whatever the pieces are in which it comes (issue 4, "What must be seen", 4)."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turn_load.support import FastServer, Listener, one_turn, text_of_length

DELTAS = 20_000


@pytest.mark.parametrize(("deltas", "chunk_bytes"), [(DELTAS, None), (DELTAS // 4, 977), (100, 7), (10, 1)])
async def test_it_is_complete_and_in_order(
    fake: FakeOpenAI, server: FastServer, deltas: int, chunk_bytes: int | None
) -> None:
    """Cut into odd sizes: inside characters, escapes and line ends."""
    text = text_of_length(deltas)
    fake.script(text=text, deltas=deltas, chunk_bytes=chunk_bytes)
    listener = Listener(server)
    (thread,) = await listener.start_threads(1)

    heard = await one_turn(listener, thread)
    await listener.nothing_more()

    assert heard.statuses == ["completed"]
    assert heard.streamed == text
    assert len(heard.pieces) == deltas
    assert heard.texts == [text]
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    assert [item["text"] for item in read["thread"]["turns"][0]["items"] if item["type"] == "agentMessage"] == [text]
