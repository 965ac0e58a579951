"""Writes ``docs/differences.md`` from the declarations, for which the reference need not run.

Run ``python -m tests.conformance.document`` after a change of the declarations.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.conformance.differences import DIFFERENCES, MEMBERS
from tests.conformance.wire_tests import declared
from tests.unit.protocol.differences import LEFT_OUT

PATH: Final = Path(__file__).parents[2] / "docs" / "differences.md"

_HEAD: Final = """\
# Differences from the reference

<!-- Written by `python -m tests.conformance.document`; not to be edited by hand. -->

The reference is `codex app-server` 0.169.0. `make conformance` runs the same tests against it and against this server,
over pipes, with the same offline upstream. Where the two differ, what each does is declared, and a test sees both: a
difference that is no longer there fails it, like one that nobody has declared.

The numbers are those of the sections of the wire's specification (`wire.md`), where it speaks of it; section 15 is the
list of what a better server does right.

## Behaviour
"""

_MEMBERS: Final = """
## Members with values of another kind

Apart from these, whatever the reference sends in the messages of a conversation, this server sends too, with values of
the same kind.
"""

_LEFT_OUT: Final = """
## Left out

Nothing of this is required by the reference's schema.
"""

_ALONE: Final = """
## Tests of this server alone

`make conformance` also runs `tests/wire`, unchanged, with each of the two servers. Left out is what is not about a
server over pipes (the command line, the Python client, logs, documents, costs), and what is named in
`tests/conformance/wire_tests*.py`, for one of these reasons. Where a number of tests stands, the others of that file
are run.
"""


def render() -> str:
    """The text of the document."""
    behaviour = ((one.section, one.topic, one.reference.says, one.ours.says, one.why) for one in DIFFERENCES.values())
    members = ((f"`{place}`", one.reference, one.ours, one.why) for place, one in MEMBERS.items())
    left_out = ((reason, ", ".join(f"`{place}`" for place in places)) for reason, places in LEFT_OUT.items())
    lines = [
        _HEAD,
        *table(("section", "what happens", "reference", "this server", "why"), behaviour),
        _MEMBERS,
        *table(("member", "reference", "this server", "why"), members),
        _LEFT_OUT,
        *table(("why", "what"), left_out),
        _ALONE,
        *table(("why", "tests in `tests/wire`"), alone()),
    ]
    return "\n".join(lines) + "\n"


def alone() -> Iterator[tuple[str, str]]:
    """Each reason why a test of ``tests/wire`` is for this server alone, and where such tests are."""
    places: dict[str, list[str]] = {}
    for reason, file, names in declared():
        places.setdefault(reason, []).append(f"`{file}` ({len(names) or 'all'})")
    yield from ((reason, ", ".join(found)) for reason, found in places.items())


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table in Markdown, line by line."""
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    PATH.write_text(render())
