"""The ``request_user_input`` tool: how the model asks the parent's user something.

What the tool looks like to the model, what it may ask, and what it reads as the answer; asking is done by the turn.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from app_server.threads.tool_arguments import PREFIX
from protocol.base import WireModel
from protocol.serde_text import describe
from protocol.tools import (
    ToolRequestUserInputOption,
    ToolRequestUserInputQuestion,
    ToolRequestUserInputResponse,
)

REQUEST_USER_INPUT_NAME: Final = "request_user_input"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _string(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


_OPTION: Final = _object(
    {
        "label": _string("What the user picks, in five words at most."),
        "description": _string("One sentence: what follows from picking it."),
    }
)

_QUESTION: Final = _object(
    {
        "id": _string("A name for the question in snake_case; the answer comes back under it."),
        "header": _string("A heading of at most twelve characters."),
        "question": _string("The question, as one sentence."),
        "options": {
            "type": "array",
            "description": (
                "Two or three answers that exclude each other, the one you would pick first and marked "
                '"(Recommended)". Leave out "other": the user can always answer in their own words.'
            ),
            "items": _OPTION,
        },
    }
)

REQUEST_USER_INPUT: Final[dict[str, Any]] = {
    "type": "function",
    "name": REQUEST_USER_INPUT_NAME,
    "description": (
        "Ask the user one to three short questions and wait for the answers. For decisions that only the user can "
        "take; works in Plan mode only."
    ),
    "strict": False,
    "parameters": _object(
        {
            "questions": {
                "type": "array",
                "description": "The questions, at best one, and no more than three.",
                "items": _QUESTION,
            }
        }
    ),
}
"""The tool as the Responses API wants it."""


class InvalidQuestions(ValueError):
    """The model's arguments are no questions; the text is for the model."""


# These have the names that the reference's texts have.


class RequestUserInputQuestionOption(WireModel):
    """An answer to choose, in the model's words."""

    label: str
    description: str


class RequestUserInputQuestion(WireModel):
    """A question in the model's words."""

    id: str
    header: str
    question: str
    is_other: bool = True
    """Without effect: the user may always answer something else."""
    is_secret: bool = False
    options: list[RequestUserInputQuestionOption] | None = None


class RequestUserInputToolArgs(WireModel):
    """The arguments of the tool."""

    questions: list[RequestUserInputQuestion]


def parse_questions(arguments: Any) -> list[ToolRequestUserInputQuestion]:
    """The questions in the model's arguments.

    :raises InvalidQuestions: something is missing or of the wrong type, or a question has no options.
    """
    try:
        asked = RequestUserInputToolArgs.model_validate(arguments)
    except ValidationError as error:
        raise InvalidQuestions(PREFIX + describe(error, arguments, "RequestUserInputToolArgs")) from None
    return [_question(question, question.options or ()) for question in asked.questions]


def output_of_answers(response: ToolRequestUserInputResponse) -> str:
    """What the model reads: the answers as JSON, by the question's id. The ids are the client's to get right."""
    return response.to_json().decode()


def _question(
    question: RequestUserInputQuestion, options: Sequence[RequestUserInputQuestionOption]
) -> ToolRequestUserInputQuestion:
    if not options:
        raise InvalidQuestions(f"{REQUEST_USER_INPUT_NAME} requires non-empty options for every question")
    return ToolRequestUserInputQuestion(
        id=question.id,
        header=question.header,
        question=question.question,
        is_other=True,
        is_secret=question.is_secret,
        options=[ToolRequestUserInputOption(label=option.label, description=option.description) for option in options],
    )
