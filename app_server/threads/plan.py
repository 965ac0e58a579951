"""The plan in a message: in plan mode the model puts it into a ``<proposed_plan>`` block, which becomes an item.

Knows nothing of items or notifications: it takes the message's text, and tells what belongs where.
"""

from typing import Final, Literal

Piece = tuple[Literal["message", "plan"], str]
"""A part of the text, and where it belongs. ``("plan", "")`` says that a plan begins."""

_OPENING: Final = "<proposed_plan>"
_CLOSING: Final = "</proposed_plan>"

_MAX_TAG_LINE: Final = 256
"""Characters of a line that may still turn out to be a tag; a longer one is text."""


class PlanSplitter:
    """Takes the plan out of one message while it streams.

    A tag counts only if it has a line of its own, white space aside; the line belongs to neither text. Text is held
    back only while its line may still be a tag, and as long as a message has nothing but white space: a message that
    is empty apart from its plan gives no message text at all. What an unterminated block holds is the plan.
    """

    def __init__(self) -> None:
        self._in_plan = False
        self._line = ""
        """The beginning of a line, as long as it may be a tag."""
        self._within_line = False
        """Whether the line under way is text, whatever follows."""
        self._blank: list[str] | None = []
        """White space that the message begins with; None once there is more."""

    def feed(self, delta: str) -> list[Piece]:
        """More of the message: what is certain by now, neighbouring parts of one kind as one."""
        pieces: list[Piece] = []
        for line in _lines(delta):
            if self._within_line:
                self._within_line = not line.endswith("\n")
                self._add(pieces, line)
                continue
            self._line += line
            if self._line.endswith("\n"):
                self._end_line(pieces)
            elif not _may_be(self._tag, self._line):
                self._within_line = True
                held, self._line = self._line, ""
                self._add(pieces, held)
        return pieces

    def finish(self) -> list[Piece]:
        """The message is complete: what was held back."""
        pieces: list[Piece] = []
        if self._line:
            self._end_line(pieces)
        return pieces

    @staticmethod
    def strip(text: str) -> tuple[str, str | None]:
        """A complete message: its text without plans, and the last plan in it, or None if it has none."""
        splitter = PlanSplitter()
        message: list[str] = []
        plan: list[str] | None = None
        for kind, piece in (*splitter.feed(text), *splitter.finish()):
            if kind == "message":
                message.append(piece)
            elif plan is None or not piece:
                plan = [piece]
            else:
                plan.append(piece)
        return "".join(message), None if plan is None else "".join(plan)

    @property
    def _tag(self) -> str:
        return _CLOSING if self._in_plan else _OPENING

    def _end_line(self, pieces: list[Piece]) -> None:
        line, self._line = self._line, ""
        if line.strip() != self._tag:
            self._add(pieces, line)
            return
        self._in_plan = not self._in_plan
        if self._in_plan:
            pieces.append(("plan", ""))

    def _add(self, pieces: list[Piece], text: str) -> None:
        kind: Literal["message", "plan"] = "plan" if self._in_plan else "message"
        if kind == "message" and self._blank is not None:
            self._blank.append(text)
            if not text.strip():
                return
            text, self._blank = "".join(self._blank), None
        if pieces and pieces[-1][0] == kind and pieces[-1][1]:
            pieces[-1] = (kind, pieces[-1][1] + text)
        else:
            pieces.append((kind, text))


def _lines(text: str) -> list[str]:
    """Split at line feeds only, and keep them: a carriage return may be half of a line's end."""
    lines = text.split("\n")
    whole = [f"{line}\n" for line in lines[:-1]]
    return [*whole, lines[-1]] if lines[-1] else whole


def _may_be(tag: str, line: str) -> bool:
    if len(line) > _MAX_TAG_LINE:
        return False
    line = line.strip()
    return tag.startswith(line)
