"""The model's questions to the user."""

from typing import Any

import pytest

from app_server.threads.user_questions import (
    REQUEST_USER_INPUT,
    REQUEST_USER_INPUT_NAME,
    InvalidQuestions,
    output_of_answers,
    parse_questions,
)
from protocol.tools import ToolRequestUserInputResponse

QUESTION: dict[str, Any] = {
    "id": "q",
    "header": "H",
    "question": "Which?",
    "options": [{"label": "A", "description": "d"}],
}


def asked(**changes: Any) -> dict[str, Any]:
    return {"questions": [{**QUESTION, **changes}]}


def without(name: str) -> dict[str, Any]:
    return {"questions": [{key: value for key, value in QUESTION.items() if key != name}]}


def test_a_question_comes_through_and_may_always_be_answered_in_own_words() -> None:
    [question] = parse_questions(asked(isOther=False, isSecret=True, extra=1))
    assert (question.id, question.header, question.question) == ("q", "H", "Which?")
    assert (question.is_other, question.is_secret) == (True, True)
    assert [(option.label, option.description) for option in question.options or ()] == [("A", "d")]


def test_a_question_is_no_secret_unless_the_model_says_so() -> None:
    assert parse_questions(asked())[0].is_secret is False


def test_no_questions_are_passed_on_as_none() -> None:
    assert parse_questions({"questions": []}) == []


@pytest.mark.parametrize("arguments", [asked(options=[]), asked(options=None), without("options")])
def test_every_question_needs_options(arguments: Any) -> None:
    with pytest.raises(InvalidQuestions, match=r"^request_user_input requires non-empty options for every question$"):
        parse_questions({"questions": [QUESTION, *arguments["questions"]]})


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "missing field `questions`"),
        (5, "invalid type: integer `5`, expected struct RequestUserInputToolArgs"),
        (None, "invalid type: null, expected struct RequestUserInputToolArgs"),
        ({"questions": 5}, "invalid type: integer `5`, expected a sequence"),
        ({"questions": {}}, "invalid type: map, expected a sequence"),
        ({"questions": [5]}, "invalid type: integer `5`, expected struct RequestUserInputQuestion"),
        ({"questions": [{}]}, "missing field `id`"),
        (without("header"), "missing field `header`"),
        (asked(header=None), "invalid type: null, expected a string"),
        (asked(options=5), "invalid type: integer `5`, expected a sequence"),
        (asked(options=[5]), "invalid type: integer `5`, expected struct RequestUserInputQuestionOption"),
        (asked(options=[{"label": "A"}]), "missing field `description`"),
        (asked(isOther="x"), 'invalid type: string "x", expected a boolean'),
    ],
)
def test_what_is_no_question_is_refused_in_the_words_of_the_reference(arguments: Any, fault: str) -> None:
    with pytest.raises(InvalidQuestions) as caught:
        parse_questions(arguments)
    assert str(caught.value) == f"failed to parse function arguments: {fault}"


def test_the_model_reads_the_answers_as_json() -> None:
    answers = {"q1": {"answers": ["A (Recommended)", 'user_note: "é"']}, "q2": {"answers": []}}
    response = ToolRequestUserInputResponse.model_validate({"answers": answers})
    assert (
        output_of_answers(response)
        == '{"answers":{"q1":{"answers":["A (Recommended)","user_note: \\"é\\""]},"q2":{"answers":[]}}}'
    )


def test_no_answers_are_an_empty_object() -> None:
    assert output_of_answers(ToolRequestUserInputResponse(answers={})) == '{"answers":{}}'


def test_what_the_tool_asks_for_is_what_is_understood() -> None:
    properties = REQUEST_USER_INPUT["parameters"]["properties"]["questions"]["items"]["properties"]
    assert set(properties) == set(QUESTION)
    assert set(properties["options"]["items"]["properties"]) == {"label", "description"}
    assert REQUEST_USER_INPUT["name"] == REQUEST_USER_INPUT_NAME
