"""What the tests of both servers say and look at. Turns are begun and heard as in ``tests.wire.turns.support``."""

from collections.abc import Iterable
from typing import Any, Final

from tests.support.reference import COMMON
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import Course, start_thread

NOBODY_ID: Final = "01a1fdca-cf50-755d-98b8-94821808da8f"
"""The id of no thread."""


def refused(message: str) -> Json:
    """The error of a request that makes no sense as it stands."""
    return {"code": -32600, "message": message}


def invalid(text: str) -> Json:
    """The error of a request that cannot be read."""
    return refused(f"Invalid request: {text}")


def common(messages: Iterable[Json]) -> list[Json]:
    """Of what was said, answers and what both servers know to say."""
    return [message for message in messages if message.get("method") in (None, *COMMON)]


def told(messages: Iterable[Json]) -> list[tuple[str, Json]]:
    """The notifications that both servers know, without their times."""
    return [(message["method"], message["params"]) for message in common(messages) if "method" in message]


def in_order(course: Course) -> list[str]:
    """What was said of a turn, in short: items with their types, statuses with their names."""
    said = []
    for message in common(course.messages):
        params = message["params"]
        detail = params.get("item", {}).get("type") or params.get("status", {}).get("type", "")
        said.append(f"{message['method']} {detail}".strip())
    return said


def only(value: Json, *names: str) -> Json:
    """These members, all of which must be there."""
    return {name: value[name] for name in names}


async def thread_on(server: ServerProcess, provider: str = "once", **params: Any) -> str:
    """The id of a new thread whose turns go to this provider."""
    return await start_thread(server, provider, **params)
