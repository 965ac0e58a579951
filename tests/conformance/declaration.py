"""What a declared difference is. The declarations stand in ``differences``; ``document`` writes them down."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Side:
    """What one of the servers does.

    :param says: for people, in a few words.
    :param seen: what a test sees of it, as a value that is compared.
    """

    says: str
    seen: Any


@dataclass(frozen=True)
class Difference:
    """One thing that the two servers do differently.

    :param section: of the specification of the wire, where it speaks of it; empty where it does not.
    :param topic: what happens, in a few words.
    :param why: ours is as it is.
    :raises ValueError: there is no difference in what is seen, so nothing would notice if it went away.
    """

    section: str
    topic: str
    reference: Side
    ours: Side
    why: str

    def __post_init__(self) -> None:
        if self.reference.seen == self.ours.seen:
            raise ValueError(f"{self.topic}: both servers are expected to do the same")

    def expected_of(self, server: str) -> Any:
        """What is to be seen.

        :param server: ``ours`` or ``reference``.
        """
        return {"ours": self.ours, "reference": self.reference}[server].seen


@dataclass(frozen=True)
class Member:
    """A member of a message that both servers send with values of different kinds.

    :param reference: the kind of value there, as JSON calls it.
    :param ours: the kind here; ``absent`` if it is not sent.
    """

    reference: str
    ours: str
    why: str
