"""What an experiment is, and what it is given: the shapes that ``rows``, ``turns`` and ``report`` share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from processes import Subject
from upstream import StreamingUpstream, Upstream

Figures = dict[str, float]
"""By the figure's name; what could not be measured is left out."""


class Figure(NamedTuple):
    """One line of the table.

    :param aim: what the ratio ours/peer should be, as text.
    """

    name: str
    label: str
    unit: str
    aim: str = ""


@dataclass
class Bench:
    """What measurements need.

    :param upstream: starts the offline upstream; called only by rows that need one.
    :param streaming_upstream: likewise.
    :param user_agents: what each program calls itself.
    :param peer_size: bytes of the peer's installation, if given.
    """

    subjects: list[Subject]
    upstream: Callable[[], Upstream]
    streaming_upstream: Callable[[], StreamingUpstream]
    user_agents: dict[str, str]
    peer_size: int | None = None
    _upstream: Upstream | None = field(default=None, init=False)
    _streaming: StreamingUpstream | None = field(default=None, init=False)

    def fake(self) -> Upstream:
        """The one upstream of all rows that sign in."""
        self._upstream = self._upstream or self.upstream()
        return self._upstream

    def streaming(self) -> StreamingUpstream:
        """The one upstream of all rows that are about the speed of a stream."""
        self._streaming = self._streaming or self.streaming_upstream()
        return self._streaming


@dataclass(frozen=True)
class Row:
    """One experiment.

    :param runs: how often it is measured unless told otherwise.
    :param most_runs: more would only repeat the same.
    :param has_peer: whether the peer can be measured too.
    :param ceiling: measures the same figures of a program that does no more than it must.
    """

    name: str
    figures: tuple[Figure, ...]
    measure: Callable[[Bench, Subject], Figures]
    runs: int
    most_runs: int | None = None
    has_peer: bool = True
    ceiling: Callable[[Bench], Figures] | None = None
