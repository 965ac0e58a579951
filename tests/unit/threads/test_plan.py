"""The plan is taken out of the message in plan mode, however its text is cut into deltas."""

from collections.abc import Sequence

import pytest

from app_server.threads.plan import Piece, PlanSplitter

WHOLE = "Intro\n<proposed_plan>\n# Plan\n- a\n</proposed_plan>\nOutro"


def split(deltas: Sequence[str]) -> list[Piece]:
    splitter = PlanSplitter()
    pieces = [piece for delta in deltas for piece in splitter.feed(delta)]
    return pieces + splitter.finish()


def joined(pieces: Sequence[Piece]) -> tuple[str, str | None]:
    plan = [text for kind, text in pieces if kind == "plan"]
    return "".join(text for kind, text in pieces if kind == "message"), "".join(plan) if plan else None


def test_a_block_on_lines_of_its_own_is_the_plan() -> None:
    assert split([WHOLE]) == [("message", "Intro\n"), ("plan", ""), ("plan", "# Plan\n- a\n"), ("message", "Outro")]


def test_the_deltas_of_the_model_stay_apart() -> None:
    assert split(["Intro\n", "<proposed_plan>\n", "# Plan\n", "- a\n", "</proposed_plan>\n", "Outro"]) == [
        ("message", "Intro\n"),
        ("plan", ""),
        ("plan", "# Plan\n"),
        ("plan", "- a\n"),
        ("message", "Outro"),
    ]


@pytest.mark.parametrize("size", range(1, 20))
def test_it_does_not_matter_where_the_deltas_are_cut(size: int) -> None:
    deltas = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    assert joined(split(deltas)) == ("Intro\nOutro", "# Plan\n- a\n")


def test_text_is_held_back_only_while_its_line_may_be_a_tag() -> None:
    splitter = PlanSplitter()
    assert splitter.feed("Hello") == [("message", "Hello")]
    assert splitter.feed("\n<") == [("message", "\n")]
    assert splitter.feed("proposed") == []
    assert splitter.feed(" ones> x") == [("message", "<proposed ones> x")]
    assert splitter.feed("<proposed_plan>\n") == [("message", "<proposed_plan>\n")]


@pytest.mark.parametrize(
    ("text", "message", "plan"),
    [
        ("Intro <proposed_plan>x</proposed_plan> outro", "Intro <proposed_plan>x</proposed_plan> outro", None),
        ("x\n</proposed_plan>\ny", "x\n</proposed_plan>\ny", None),
        ("x\n<proposed_plan> foo\nA\n", "x\n<proposed_plan> foo\nA\n", None),
        ('<proposed_plan id="1">\nA', '<proposed_plan id="1">\nA', None),
        ("x\n<PROPOSED_PLAN>\nA", "x\n<PROPOSED_PLAN>\nA", None),
        ("x\n<proposed_pl", "x\n<proposed_pl", None),
        ("x\n  <proposed_plan>  \nA\n\t</proposed_plan> \ny", "x\ny", "A\n"),
        ("x\n\u00a0<proposed_plan>\nA\n", "x\n", "A\n"),
        ("x\r\n<proposed_plan>\r\nA\r\n</proposed_plan>\r\ny", "x\r\ny", "A\r\n"),
        ("x\n\n<proposed_plan>\n\nA\n\n</proposed_plan>\n\ny\n", "x\n\n\ny\n", "\nA\n\n"),
        ("x\n<proposed_plan>\n</proposed_plan>\ny", "x\ny", ""),
        ("x\n<proposed_plan>", "x\n", ""),
        ("x\n<proposed_plan>\nA\nB", "x\n", "A\nB"),
        ("x\n<proposed_plan>\nA\n</proposed_pl", "x\n", "A\n</proposed_pl"),
        ("x\n<proposed_plan>\nA</proposed_plan>\ny", "x\n", "A</proposed_plan>\ny"),
        ("<proposed_plan>\nA\n<proposed_plan>\nB\n</proposed_plan>\nC", "C", "A\n<proposed_plan>\nB\n"),
        ("<proposed_plan>\nA\n</proposed_plan>\nmid\n<proposed_plan>\nB\n</proposed_plan>\nend", "mid\nend", "B\n"),
    ],
)
def test_a_complete_message_is_taken_apart_as_the_reference_does(text: str, message: str, plan: str | None) -> None:
    assert PlanSplitter.strip(text) == (message, plan)


@pytest.mark.parametrize("text", ["", "  \n", "\n\n<proposed_plan>\nA\n</proposed_plan>\n\n"])
def test_a_message_of_nothing_but_white_space_is_none(text: str) -> None:
    assert [piece for piece in split(list(text)) if piece[0] == "message"] == []
    assert PlanSplitter.strip(text)[0] == ""


def test_white_space_before_the_text_comes_with_the_text() -> None:
    assert split(["  ", "  ", "x\n"]) == [("message", "    x\n")]


def test_a_line_that_goes_on_and_on_is_not_held_back_for_ever() -> None:
    splitter = PlanSplitter()
    assert splitter.feed("x\n") == [("message", "x\n")]
    assert splitter.feed(" " * 300) == [("message", " " * 300)]
