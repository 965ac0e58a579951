"""What stands in Markdown: its blocks of code, fenced or indented, and the code spans and tables of a section.

Just as much of CommonMark as the documents of this repository use.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
INDENTED: Final = "indented"

_FENCE: Final = re.compile(r"\s*(?:```+|~~~+)(.*)")
_NOT_CODE: Final = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
"""A list may go on after a blank line, and what is indented below an entry belongs to it."""


class Block(NamedTuple):
    """A block of code.

    :param heading: the last one before it.
    :param kind: what stands behind the fence; ``indented`` without one.
    """

    heading: str
    kind: str
    text: str


def read(name: str) -> str:
    """A document, by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(document: str) -> list[Block]:
    """All blocks of code, in their order.

    :raises ValueError: one has no end.
    """
    found: list[Block] = []
    heading, kind, lines = "", None, list[str]()
    blank, in_list = True, False
    for line in [*document.splitlines(), ""]:
        fence = _FENCE.fullmatch(line)
        if kind == INDENTED and line.strip() and not line.startswith("    "):
            found.append(_indented(heading, lines))
            kind, lines = None, []
        if kind is None:
            if fence:
                kind = fence[1].strip()
            elif line.startswith("      " if in_list else "    ") and blank:
                kind, lines = INDENTED, [line]
            elif line.startswith("#"):
                heading = line.lstrip("#").strip()
            in_list = bool(_NOT_CODE.match(line)) or (in_list and (not line or line.startswith(" ")))
        elif fence and kind != INDENTED:
            found.append(Block(heading, kind, "".join(f"{each}\n" for each in lines)))
            kind, lines = None, []
        else:
            lines.append(line)
        blank = not line.strip()
    if kind == INDENTED:
        found.append(_indented(heading, lines))
    elif kind is not None:
        raise ValueError(f"a block below {heading!r} has no end")
    return found


def section(document: str, heading: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    [found] = re.findall(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", _without_code(document), re.DOTALL | re.MULTILINE
    )
    return str(found)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of the tables' rows, without the heads."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line) and not re.fullmatch(r"\|[|\s:-]+", following):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def spans(text: str) -> list[str]:
    """The code spans, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", _without_code(text))


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _indented(heading: str, lines: list[str]) -> Block:
    text = "\n".join(line[4:] for line in lines)
    return Block(heading, INDENTED, text.rstrip("\n") + "\n")
