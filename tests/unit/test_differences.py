"""The declared differences from the reference (``tests.conformance``): that they are written down as declared, and that
none stays when its test has gone. That each is still to be seen is what ``make conformance`` checks.
"""

import ast
from pathlib import Path

import pytest

from tests.conformance.declaration import Difference, Side
from tests.conformance.differences import DIFFERENCES, MEMBERS
from tests.conformance.document import PATH, render
from tests.conformance.wire_tests import NO_SERVER, declared

TESTS = Path(__file__).parents[1] / "conformance"
WIRE = Path(__file__).parents[1] / "wire"


def test_the_document_says_what_the_declarations_say() -> None:
    assert PATH.read_text() == render(), "run python -m tests.conformance.document"


def checked() -> set[str]:
    """The names that a test passes to ``differs``."""
    calls = (
        node
        for path in TESTS.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "differs"
    )
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}  # type: ignore[misc]


def test_every_declared_difference_is_seen_by_a_test_and_none_is_seen_undeclared() -> None:
    assert checked() == set(DIFFERENCES)


def test_every_declared_member_is_one_of_a_message_that_is_compared() -> None:
    compared = {
        node.value
        for node in ast.walk(ast.parse((TESTS / "test_shapes.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {place.partition(".")[0] for place in MEMBERS} <= compared
    assert all(one.reference != one.ours for one in MEMBERS.values())


def test_a_difference_that_is_none_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="the same"):
        Difference("", "Nothing", reference=Side("one", 1), ours=Side("the same", 1), why="")


def test_every_test_that_is_for_this_server_alone_is_there_and_is_declared_once() -> None:
    seen: list[tuple[str, str]] = []
    for _, file, names in declared():
        there = {
            node.name
            for node in ast.walk(ast.parse((WIRE / file).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert set(names) <= there, file
        seen += [(file, name) for name in names or there]
    assert len(seen) == len(set(seen))
    assert all(any(path.is_relative_to(WIRE) for path in WIRE.glob(f"{place}*")) for place in NO_SERVER)
