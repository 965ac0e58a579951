"""An upstream that streams as fast as a socket takes it: computed answers, no framework, a process of its own.

It speaks as much of the Responses API over HTTP/1.1 as a turn needs, and nothing else of anything. The requested model
says how many deltas the answer has (``deltas-20000``); like real upstreams it sends each event as a chunk of its own.
``GET /last`` returns the body of the last request, so that a bare client can send the same.

Run as a program, it announces its port as one line of JSON and serves until it is terminated.
"""

import asyncio
import functools
import json
import re
import sys
from typing import Any, Final

DELTA: Final = " word"
"""The text of each delta."""

_MODEL: Final = re.compile(rb'"model"\s*:\s*"deltas-(\d+)"')
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_ITEM: Final = "msg_bench"
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_BACKLOG: Final = 1024


@functools.cache
def answer(deltas: int) -> bytes:
    """The whole response, headers included."""
    text = DELTA * deltas
    message: dict[str, Any] = {"type": "message", "role": "assistant", "id": _ITEM}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_bench"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
    ]
    events += [
        {
            "type": "response.output_text.delta",
            "item_id": _ITEM,
            "output_index": 0,
            "content_index": 0,
            "delta": DELTA,
        }
    ] * deltas
    done = {**message, "content": [{"type": "output_text", "text": text, "annotations": []}]}
    usage = {"input_tokens": 10, "output_tokens": deltas, "total_tokens": 10 + deltas}
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": {"id": "resp_bench", "output": [done], "usage": usage}},
    ]
    return _HEAD + b"".join(map(_chunk, map(_event, events))) + b"0\r\n\r\n"


def _event(event: dict[str, Any]) -> bytes:
    data = json.dumps(event, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Upstream:
    """What all connections share."""

    last_body = b""

    def respond(self, head: bytes, body: bytes) -> bytes:
        """The response to one request."""
        if head.startswith(b"GET /last "):
            return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(self.last_body), self.last_body)
        wanted = _MODEL.search(body)
        if not head.startswith(b"POST ") or wanted is None:
            return _NOT_FOUND
        self.last_body = body
        return answer(int(wanted[1]))


class Connection(asyncio.Protocol):
    """One client: requests in, responses out, in order."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head_end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:head_end]
            length = _LENGTH.search(head)
            end = head_end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            body, self._received = self._received[head_end + 4 : end], self._received[end:]
            self._transport.write(self._upstream.respond(head, body))


async def _serve(sizes: list[int]) -> None:
    for size in sizes:
        answer(size)
    upstream = Upstream()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=_BACKLOG)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve([int(size) for size in sys.argv[1:]]))
