"""Lines of a rollout: one record each, as JSON. What the records mean is ``replay``'s business.

A line that is no record - torn by a crash, written by a stranger - is skipped, and stays in the file as it is.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from app_server.rollouts.errors import RolloutPathNotFound, RolloutUnreadable
from app_server.rollouts.records import Record
from app_server.rollouts.stored import timestamp
from protocol.json_codec import dumps, loads


class Line(NamedTuple):
    """A record and its number; files in the legacy form have none."""

    ordinal: int | None
    type: str
    payload: dict[str, Any]


def encode(records: Sequence[Record], first_ordinal: int | None, moment: datetime) -> bytes:
    """Records as lines of one time, each with its end.

    :param first_ordinal: number of the first of them; None for a file in the legacy form.
    """
    written = timestamp(moment)
    return b"".join(
        dumps(
            {"timestamp": written, "type": record.type, "payload": record.payload}
            if first_ordinal is None
            else {
                "timestamp": written,
                "ordinal": first_ordinal + number,
                "type": record.type,
                "payload": record.payload,
            }
        )
        + b"\n"
        for number, record in enumerate(records)
    )


def decode(text: bytes) -> Line | None:
    """The record of a line; None if there is none."""
    try:
        value = loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    kind, payload, ordinal = value.get("type"), value.get("payload"), value.get("ordinal")
    if not isinstance(kind, str) or not isinstance(payload, dict):
        return None
    return Line(ordinal if isinstance(ordinal, int) and not isinstance(ordinal, bool) else None, kind, payload)


def read_texts(path: Path) -> Iterator[bytes]:
    """The lines of a file as they are, each with its end, but for the last one if that is torn.

    :raises RolloutPathNotFound: there is no such file.
    :raises RolloutUnreadable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise RolloutPathNotFound(path, "file does not exist") from None
    except IsADirectoryError:
        raise RolloutPathNotFound(path, "path is a directory") from None
    except OSError as error:
        raise RolloutUnreadable(path, error.strerror or type(error).__name__) from error
