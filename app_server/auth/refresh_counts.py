"""How often tokens were refreshed, and with what success, since the start."""

from dataclasses import dataclass


@dataclass(slots=True)
class RefreshCounts:
    """Refreshes, each of which serves any number of requests.

    :param asked: begun.
    :param succeeded: ended with newer tokens.
    :param failed: ended without.
    """

    asked: int = 0
    succeeded: int = 0
    failed: int = 0

    def ended(self, *, well: bool) -> None:
        """One has ended."""
        if well:
            self.succeeded += 1
        else:
            self.failed += 1
