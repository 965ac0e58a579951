"""What a client raises, besides ``TimeoutError``."""

import signal
from contextlib import suppress

from app_server.pending import InvalidAnswer
from protocol.jsonrpc import ErrorObject
from protocol.turn import Turn

__all__ = ["InvalidAnswer", "LoginFailed", "ServerError", "ServerGone", "TurnFailed"]


class ServerError(Exception):
    """The server answered a request with an error.

    :param error: its code, message and data.
    """

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(f"{method}: {error.message} ({error.code})")
        self.code = error.code
        self.message = error.message
        self.data = error.data


class ServerGone(Exception):
    """The server has closed the connection, or was never there.

    :param status: its exit status, where it is known.
    :param reason: why, where more than the status is known.
    :param stderr: the end of what it wrote to stderr, masked, where ``spawn`` was asked to keep it.
    """

    def __init__(self, status: int | None = None, reason: str = "the server is gone", stderr: str = "") -> None:
        why = reason if status is None else f"the server exited with status {status}{_signal_name(status)}"
        super().__init__(f"{why}; the end of its stderr:\n{stderr}" if stderr else why)
        self.status = status
        self.stderr = stderr


class LoginFailed(Exception):
    """A login ended without anybody being logged in; the server says why."""


class TurnFailed(Exception):
    """The server has ended a turn with an error.

    :param turn: as ``turn/completed`` told it; its ``error`` has more than the message.
    """

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn.error.message if turn.error else "the turn failed")
        self.turn = turn


def _signal_name(status: int) -> str:
    """What a negative status means, where the system has signals."""
    with suppress(ValueError):
        return f" ({signal.Signals(-status).name})" if status < 0 else ""
    return ""
