"""What lies between a turn and its thread: what the turn is given when it begins, and whom it tells how it fares.

A thread knows the turn that runs in it; the turn knows of its thread what is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app_server.backend.limit_headers import AccountLimits
from app_server.threads.announcements import ThreadAnnouncements
from app_server.threads.context_window import ContextLimits, ContextWindow
from app_server.threads.dynamic_tools import DynamicTools
from app_server.threads.settings import ThreadSettings
from protocol.turn import Turn


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What a turn is carried out with. It stays what it is, whatever becomes of the thread's settings meanwhile.

    :param limits: of the model that the settings name.
    :param window: what the model has seen; the turn adds to it.
    :param account_limits: told of what the upstream says about limits.
    :param store: appends to the thread's rollout; never raises.
    """

    thread_id: str
    session_id: str
    settings: ThreadSettings
    limits: ContextLimits
    tools: DynamicTools
    window: ContextWindow
    account_limits: AccountLimits
    say: ThreadAnnouncements
    store: Callable[..., None]


class TurnListener(Protocol):
    """The thread, as far as a turn knows it. Nothing of this waits."""

    def turn_waits(self, waiting: bool) -> None:
        """The turn waits for the user, or goes on."""

    def turn_ended(self, turn: Turn, last_message: str | None) -> None:
        """The turn has ended, and the client is about to hear of it.

        :param turn: with all of its items.
        :param last_message: what the model said last, if it said anything.
        """

    def turn_announced(self) -> None:
        """The client has been told of the end."""
