"""How many turns there were, and what became of them (`server/diagnostics`)."""

from dataclasses import dataclass

from protocol.turn import TurnStatus


@dataclass(slots=True)
class TurnCounts:
    """Turns since the start. Each that was begun ends in one of three ways, or runs.

    :param retried: streams that broke and were begun again.
    """

    started: int = 0
    completed: int = 0
    interrupted: int = 0
    failed: int = 0
    retried: int = 0

    @property
    def running(self) -> int:
        """Those that have not ended."""
        return self.started - self.completed - self.interrupted - self.failed

    def ended(self, status: TurnStatus) -> None:
        """One has ended."""
        match status:
            case "completed":
                self.completed += 1
            case "interrupted":
                self.interrupted += 1
            case "failed":
                self.failed += 1
