"""The end of what a child process has written to stderr, kept for the error that tells of its death."""

from collections import deque
from typing import Final

MAX_LINES: Final = 20
MAX_LINE_BYTES: Final = 16 * 1024
"""How much of a line is kept to be masked; more than is shown, so that no secret is cut before it is recognised."""

MAX_SHOWN: Final = 500
"""Characters of a line that are shown."""


class StderrTail:
    """Bounded, whatever is written."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=MAX_LINES)
        self._partial = b""

    def feed(self, chunk: bytes) -> None:
        """Take in what was read."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._lines.append((self._partial + line)[:MAX_LINE_BYTES])
            self._partial = b""
        self._partial = (self._partial + rest)[:MAX_LINE_BYTES]

    def text(self) -> str:
        """The last lines, masked, each cut to ``MAX_SHOWN``; empty when nothing was written."""
        from app_server.redaction import redact  # noqa: PLC0415 - needed only when a child has died

        whole = b"\n".join([*self._lines, self._partial]).decode(errors="replace")
        return "\n".join(line[:MAX_SHOWN].rstrip() for line in redact(whole).splitlines() if line.strip())
