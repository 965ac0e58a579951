"""Who is told of a notification: those who follow a turn or a login, or else whoever reads all the others."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from app_server.client.feed import MAX_UNREAD, Arrived, NotificationFeed
from protocol.base import WireValue
from protocol.method import ServerNotification


class Follower(Protocol):
    """Follows one thing, and takes the notifications that are about it, so that nobody else sees them."""

    @property
    def ended(self) -> bool:
        """Nothing of it comes any more."""

    def may_concern(self, params: Any) -> bool:
        """Whether a notification with these params may be about it, as long as the server has not said what it is."""

    def concerns(self, params: Any) -> bool:
        """Whether it is about it."""

    def take(self, declaration: ServerNotification[Any], params: Any) -> None:
        """One has come."""

    def close(self) -> None:
        """The connection is closed."""


@dataclass
class _Held:
    """A notification that has come before the answers which tell whom it is for."""

    arrived: Arrived
    waiting: list[Follower]
    """Whom it may be for."""
    taken: bool
    """Somebody follows what it is about."""


class Followers:
    """Those of one connection.

    :param others: takes what nobody follows.
    """

    def __init__(self, others: NotificationFeed) -> None:
        self._others = others
        self._known: list[Follower] = []
        self._beginning: list[Follower] = []
        self._held: deque[_Held] = deque(maxlen=MAX_UNREAD)

    @contextmanager
    def beginning(self, follower: Follower) -> Iterator[None]:
        """From now on it takes what concerns it; what is done within asks for it to begin, and tells it what it is.

        Notifications may come in the same breath as the answer, and so may the end of the connection.
        """
        self._beginning.append(follower)
        try:
            yield
            self._known.append(follower)
        finally:
            self._beginning.remove(follower)
            self._settle(follower)
        if self._others.ended:
            follower.close()

    def tell(self, declaration: ServerNotification[Any], params: WireValue) -> None:
        """A notification has come."""
        arrived = declaration, params
        takers = [follower for follower in self._known if _told(follower, arrived)]
        self._known = [follower for follower in self._known if not follower.ended]
        if waiting := [follower for follower in self._beginning if follower.may_concern(params)]:
            self._held.append(_Held(arrived, waiting, bool(takers)))
        elif not takers:
            self._others.put([arrived])

    def close(self) -> None:
        """The connection is closed."""
        for follower in self._known:
            follower.close()
        self._others.end()

    def _settle(self, follower: Follower) -> None:
        """Give it what has been held for it; what nobody waits for any more is for everybody, or has been taken."""
        for held in self._held:
            if follower in held.waiting:
                held.waiting.remove(follower)
                held.taken |= _told(follower, held.arrived)
        self._others.put(held.arrived for held in self._held if not (held.waiting or held.taken))
        self._held = deque((held for held in self._held if held.waiting), MAX_UNREAD)


def _told(follower: Follower, arrived: Arrived) -> bool:
    """Tell it what concerns it; whether it did."""
    declaration, params = arrived
    concerned = not follower.ended and follower.concerns(params)
    if concerned:
        follower.take(declaration, params)
    return concerned
