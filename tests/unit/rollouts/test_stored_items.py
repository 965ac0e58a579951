"""Items and errors of turns, to the form that rollouts have and back."""

import pytest

from app_server.rollouts.stored_items import error_of, item_of, preview_of, stored, stored_error
from protocol.function_output import (
    FunctionCallOutputBody,
    FunctionCallOutputContentItem,
    InputImageFunctionCallOutputContentItem,
    InputTextFunctionCallOutputContentItem,
)
from protocol.items import (
    AgentMessageThreadItem,
    ContextCompactionThreadItem,
    DynamicToolCallOutputContentItem,
    DynamicToolCallThreadItem,
    FunctionCallOutputThreadItem,
    InputImageDynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
    PlanThreadItem,
    ReasoningThreadItem,
    ThreadItem,
    UserMessageThreadItem,
)
from protocol.turn_error import CodexErrorInfo, HttpConnectionFailed, HttpStatus, TurnError
from protocol.user_input import (
    ByteRange,
    ImageUserInput,
    LocalImageUserInput,
    MentionUserInput,
    SkillUserInput,
    TextElement,
    TextUserInput,
    UserInput,
)

ELEMENT = TextElement(byte_range=ByteRange(start=0, end=1), placeholder="p")
USER = UserMessageThreadItem(
    id="u",
    client_id="c",
    content=[
        UserInput(TextUserInput(text="a b", text_elements=[ELEMENT])),
        UserInput(ImageUserInput(url="data:x", detail="low")),
        UserInput(ImageUserInput(file_id="file_1")),
        UserInput(LocalImageUserInput(path="/i.png", detail="high")),
        UserInput(SkillUserInput(name="s", path="/s")),
        UserInput(MentionUserInput(name="m", path="/m")),
    ],
)
CALL = DynamicToolCallThreadItem(
    id="c",
    namespace="ns",
    tool="look",
    arguments={"q": [1]},
    status="failed",
    content_items=[
        DynamicToolCallOutputContentItem(InputTextDynamicToolCallOutputContentItem(text="r")),
        DynamicToolCallOutputContentItem(InputImageDynamicToolCallOutputContentItem(image_url="data:x")),
    ],
    success=False,
    duration_ms=1234,
)

MAIL = FunctionCallOutputThreadItem(
    id="fco_1",
    name="mail",
    namespace="post",
    output=FunctionCallOutputBody(
        [
            FunctionCallOutputContentItem(InputTextFunctionCallOutputContentItem(text="t")),
            FunctionCallOutputContentItem(InputImageFunctionCallOutputContentItem(image_url="data:x")),
        ]
    ),
)


@pytest.mark.parametrize(
    "item",
    [
        USER,
        CALL,
        MAIL,
        FunctionCallOutputThreadItem(id="fco_1", name="mail", output=FunctionCallOutputBody("You have mail")),
        DynamicToolCallThreadItem(id="c", tool="look", arguments=None, status="completed"),
        AgentMessageThreadItem(id="a", text="said", phase="final_answer"),
        AgentMessageThreadItem(id="a", text=""),
        PlanThreadItem(id="p", text="plan"),
        ReasoningThreadItem(id="r", summary=["one", "two"], content=["raw"]),
        ContextCompactionThreadItem(id="x"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_an_item_comes_back_as_it_was(item: AgentMessageThreadItem) -> None:
    assert item_of(stored(item)) == ThreadItem(item)


def test_what_a_tool_has_delivered_has_the_names_of_the_reference() -> None:
    assert stored(MAIL) == {
        "type": "FunctionCallOutput",
        "id": "fco_1",
        "name": "mail",
        "namespace": "post",
        "output": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "data:x"}],
    }
    assert "namespace" not in stored(MAIL.model_copy(update={"namespace": None}))


def test_the_times_of_an_item_are_those_of_its_record() -> None:
    item = item_of(stored(PlanThreadItem(id="p", text="x")), 5, 7)
    assert item is not None
    assert (item.root.started_at_ms, item.root.completed_at_ms) == (5, 7)


def test_a_users_message_has_the_names_of_the_reference() -> None:
    assert stored(USER) == {
        "type": "UserMessage",
        "id": "u",
        "client_id": "c",
        "content": [
            {
                "type": "text",
                "text": "a b",
                "text_elements": [{"byte_range": {"start": 0, "end": 1}, "placeholder": "p"}],
            },
            {"type": "image", "image_url": "data:x", "detail": "low"},
            {"type": "image", "file_id": "file_1"},
            {"type": "local_image", "path": "/i.png", "detail": "high"},
            {"type": "skill", "name": "s", "path": "/s"},
            {"type": "mention", "name": "m", "path": "/m"},
        ],
    }


def test_a_call_has_the_names_of_the_reference() -> None:
    assert stored(CALL) == {
        "type": "DynamicToolCall",
        "id": "c",
        "namespace": "ns",
        "tool": "look",
        "arguments": {"q": [1]},
        "status": "failed",
        "content_items": [{"type": "inputText", "text": "r"}, {"type": "inputImage", "imageUrl": "data:x"}],
        "success": False,
        "duration": {"secs": 1, "nanos": 234_000_000},
    }


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "text",
        {},
        {"type": "CommandExecution", "id": "c"},
        {"type": "Plan", "text": "no id"},
        {"type": "Plan", "id": "p"},
        {"type": "AgentMessage", "id": "a", "content": 5},
        {"type": "AgentMessage", "id": "a", "content": [{"type": "Text"}]},
        {"type": "UserMessage", "id": "u", "content": [{"type": "smell"}]},
        {"type": "DynamicToolCall", "id": "c", "tool": "t", "status": "odd"},
        {"type": "DynamicToolCall", "id": "c", "tool": "t", "status": "failed", "duration": 5},
    ],
)
def test_what_is_unknown_or_broken_is_no_item(broken: object) -> None:
    assert item_of(broken) is None


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        ([{"type": "text", "text": "  one\n two "}], "one\n two"),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "onetwo"),
        ([{"type": "text", "text": "# Open files\n## My request for Codex:\n do it"}], "do it"),
        ([{"type": "image", "image_url": "data:x"}], "[Image]"),
        ([{"type": "local_image", "path": "/x"}, {"type": "text", "text": " "}], "[Image]"),
        ([{"type": "image", "image_url": "data:x"}, {"type": "text", "text": "see"}], "see"),
        ([{"type": "mention", "name": "m", "path": "/m"}], ""),
        ([{"type": "text", "text": 5}, 5], ""),
        (None, ""),
    ],
)
def test_the_preview_is_what_the_user_asked_for(content: object, preview: str) -> None:
    assert preview_of({"type": "UserMessage", "content": content}) == preview


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (CodexErrorInfo("usageLimitExceeded"), "usage_limit_exceeded"),
        (CodexErrorInfo("other"), "other"),
        (
            CodexErrorInfo(HttpConnectionFailed(http_connection_failed=HttpStatus(http_status_code=401))),
            {"http_connection_failed": {"http_status_code": 401}},
        ),
    ],
)
def test_an_error_has_the_names_of_the_reference_and_comes_back(info: CodexErrorInfo, told: object) -> None:
    error = TurnError(message="m", codex_error_info=info, additional_details="d")
    assert stored_error(error) == {"message": "m", "codex_error_info": told, "additional_details": "d"}
    assert error_of(stored_error(error)) == error


def test_an_error_without_a_kind_has_none() -> None:
    assert error_of(stored_error(TurnError(message="m"))) == TurnError(message="m")


@pytest.mark.parametrize("info", ["brand_new_kind", {"brand": {"new": 1}}, 5])
def test_an_error_of_an_unknown_kind_is_of_another_kind(info: object) -> None:
    assert error_of({"message": "m", "codex_error_info": info}) == TurnError(
        message="m", codex_error_info=CodexErrorInfo("other")
    )


@pytest.mark.parametrize("told", [None, "text", {}, {"message": 5}])
def test_what_is_no_error_is_none(told: object) -> None:
    assert error_of(told) is None
