"""What is wrong with threads, stored or running, as errors of the wire."""

from collections.abc import Iterator
from contextlib import contextmanager

from app_server.rollouts.errors import RolloutError, RolloutNotWritten, RolloutUnreadable
from protocol.errors import InternalError, InvalidRequest
from protocol.turn_error import ActiveTurnNotSteerable, CodexErrorInfo, NonSteerableTurn, TurnError


class NoRollout(InvalidRequest):
    """There is no such stored thread."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"no rollout found for thread id {thread_id}")


def provider_not_configured(provider: str) -> InvalidRequest:
    """The provider that is asked for, or that a thread was begun with, is none of the configuration's."""
    return InvalidRequest(
        f"This chat uses model provider “{provider}”, which is no longer configured. "
        "Restore this provider’s configuration to continue.",  # noqa: RUF001 - the wire
        {"type": "modelProviderNotConfigured", "modelProvider": provider},
    )


class Archived(InvalidRequest):
    """The thread is put away."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"session {thread_id} is archived. Run `codex unarchive {thread_id}` to unarchive it first.")


class CompactionRuns(InvalidRequest):
    """The turn that runs compacts the history, and takes no input. (For ``turn/start`` the reference calls it a fault
    of its own, with the code -32603.)"""

    def __init__(self) -> None:
        message = "cannot steer a compact turn"
        kind = CodexErrorInfo(ActiveTurnNotSteerable(active_turn_not_steerable=NonSteerableTurn(turn_kind="compact")))
        super().__init__(message, TurnError(message=message, codex_error_info=kind).model_dump(by_alias=True))


@contextmanager
def as_wire_errors() -> Iterator[None]:
    """Whatever is wrong with stored threads in this block is told to the client.

    :raises InternalError: a file that cannot be read or written.
    :raises InvalidRequest: anything else that is wrong with a stored thread.
    """
    try:
        yield
    except (RolloutUnreadable, RolloutNotWritten) as error:
        raise InternalError(error.message) from None
    except RolloutError as error:
        raise InvalidRequest(error.message) from None
