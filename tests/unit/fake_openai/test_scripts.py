"""What a script makes of an answer: reasoning, messages, tool calls, usage, endings; and which requests take it."""

from typing import Any

import httpx2
import orjson
import pytest

from app_server.fake_openai.script import Script
from app_server.fake_openai.server import FakeOpenAI
from tests.unit.fake_openai.test_responses import KEY, ask, events, post

Stream = list[dict[str, Any]]


async def stream_of(client: httpx2.AsyncClient, text: str = "hi", **members: Any) -> Stream:
    return events((await post(client, ask(text, **members))).text)


def kinds(stream: Stream) -> list[str]:
    return [event["type"].removeprefix("response.") for event in stream]


def said(stream: Stream, kind: str) -> list[str]:
    return [event["delta"] for event in stream if event["type"] == f"response.{kind}.delta"]


def items(stream: Stream) -> list[dict[str, Any]]:
    return [event["item"] for event in stream if event["type"] == "response.output_item.done"]


async def test_reasoning_comes_before_the_echo_with_summary_text_and_a_sealed_copy(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.script(reasoning="Thinking", raw_reasoning="raw", deltas=2)
    stream = await stream_of(client)
    assert kinds(stream)[1:12] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "output_item.done",
        "output_item.added",
    ]
    assert said(stream, "reasoning_summary_text") == ["Thin", "king"]
    reasoning, message = items(stream)
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Thinking"}]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "raw"}]
    assert reasoning["id"].startswith("rs_")
    assert reasoning["encrypted_content"]
    assert message["content"][0]["text"] == "hi"
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))


async def test_a_summary_has_as_many_parts_as_texts(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(reasoning=["one", "two"], text="x", deltas=1)
    stream = await stream_of(client)
    deltas = [event for event in stream if event["type"] == "response.reasoning_summary_text.delta"]
    assert [(event["summary_index"], event["delta"]) for event in deltas] == [(0, "one"), (1, "two")]
    assert "content" not in items(stream)[0]


async def test_several_messages_have_their_own_phases_items_and_places(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.script(messages=[{"text": "Wait", "phase": "commentary"}, {"text": "Done"}], deltas=1)
    stream = await stream_of(client)
    first, second = items(stream)
    assert (first["phase"], first["content"][0]["text"]) == ("commentary", "Wait")
    assert "phase" not in second
    added = [event for event in stream if event["type"] == "response.output_item.added"]
    assert [(event["output_index"], event["item"]["id"]) for event in added] == [(0, first["id"]), (1, second["id"])]
    assert added[0]["item"]["phase"] == "commentary"
    assert stream[-1]["response"]["output"] == [first, second]


async def test_a_message_that_is_not_done_ends_with_its_deltas(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(messages=[{"text": "Half", "done": False}], deltas=2)
    stream = await stream_of(client)
    assert kinds(stream)[-3:] == ["output_text.delta", "output_text.delta", "completed"]
    assert stream[-1]["response"]["output"] == []


async def test_no_messages_means_no_message(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(messages=[])
    assert kinds(await stream_of(client)) == ["created", "completed"]


async def test_tool_calls_come_with_argument_deltas_and_without_a_message(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.script(tool_calls=[{"name": "lookup", "arguments": {"q": "x"}, "call_id": "call_1"}], deltas=2)
    stream = await stream_of(client)
    assert kinds(stream)[1:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert "".join(said(stream, "function_call_arguments")) == '{"q":"x"}'
    (call,) = items(stream)
    assert call["id"].startswith("fc_")
    del call["id"]
    assert call == {
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "lookup",
        "arguments": '{"q":"x"}',
    }


async def test_arguments_that_are_a_text_are_sent_as_they_are(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(tool_calls=[{"name": "a", "arguments": "{no"}, {"name": "b", "namespace": "ns"}], text="Both:")
    message, first, second = items(await stream_of(client))
    assert message["content"][0]["text"] == "Both:"
    assert first["arguments"] == "{no"
    assert (second["arguments"], second["namespace"]) == ("{}", "ns")
    assert first["call_id"] != second["call_id"]


async def test_items_of_other_types_come_whole(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    search = {"type": "web_search_call", "action": {"type": "search", "query": "q"}}
    fake.script(output_items=[search, {"type": "odd", "id": "mine"}])
    stream = await stream_of(client)
    assert kinds(stream) == ["created", "output_item.done", "output_item.done", "completed"]
    first, second = items(stream)
    assert first == {**search, "id": first["id"]}
    assert first["id"].startswith("ws_")
    assert second == {"type": "odd", "id": "mine"}


async def test_usage_is_estimated_from_the_input_and_the_output(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    small = (await stream_of(client, "x" * 400))[-1]["response"]["usage"]
    assert 100 <= small["input_tokens"] <= 130
    assert small["output_tokens"] == 100
    fake.script(reasoning="r" * 40, text="t" * 80)
    usage = (await stream_of(client, "x" * 4000, instructions="i" * 4000))[-1]["response"]["usage"]
    assert 2000 <= usage["input_tokens"] <= 2030
    assert usage["input_tokens_details"] == {"cached_tokens": 0}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 10}
    assert usage["output_tokens"] == 30
    assert usage["total_tokens"] == usage["input_tokens"] + 30


async def test_usage_can_be_said_in_part_as_null_or_not_at_all(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    details = {"cached_tokens": 40, "cache_write_tokens": 5}
    fake.script(text="four", usage={"input_tokens": 8000, "input_tokens_details": details})
    fake.script(usage={"output_tokens_details": None, "total_tokens": None})
    fake.script(usage="absent")
    said, nulls, absent = [(await stream_of(client))[-1]["response"]["usage"] for _ in range(3)]
    assert (said["input_tokens"], said["output_tokens"], said["total_tokens"]) == (8000, 1, 8001)
    assert said["input_tokens_details"] == details
    assert (nulls["output_tokens_details"], nulls["total_tokens"]) == (None, None)
    assert nulls["input_tokens"] > 0
    assert absent is None


async def test_an_error_fails_the_response_without_an_answer(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(error={"code": "context_length_exceeded", "message": "Too long."})
    stream = await stream_of(client)
    assert kinds(stream) == ["created", "failed"]
    response = stream[-1]["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": "context_length_exceeded", "message": "Too long."}
    assert response["usage"] is None


async def test_a_response_can_fail_in_the_middle_of_a_message(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(messages=[{"text": "Half", "done": False}], deltas=1, error={"code": None, "message": "m"})
    assert kinds(await stream_of(client))[-2:] == ["output_text.delta", "failed"]


@pytest.mark.parametrize(("reason", "details"), [("content_filter", {"reason": "content_filter"}), (None, None)])
async def test_an_incomplete_response_says_why(
    fake: FakeOpenAI, client: httpx2.AsyncClient, reason: str | None, details: Any
) -> None:
    fake.script(status="incomplete", incomplete_reason=reason)
    stream = await stream_of(client)
    assert kinds(stream)[-2:] == ["output_item.done", "incomplete"]
    assert stream[-1]["response"]["status"] == "incomplete"
    assert stream[-1]["response"]["incomplete_details"] == details


async def test_an_error_event_ends_the_stream(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(status="error", error={"code": "overloaded", "message": "m"})
    last = (await stream_of(client))[-1]
    del last["sequence_number"]
    assert last == {"type": "error", "code": "overloaded", "message": "m", "param": None}


async def test_the_model_and_the_wish_to_go_on_are_reported(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(model="other", end_turn=False)
    answer = await post(client, ask("x", model="mine"))
    assert answer.headers["openai-model"] == "other"
    created, *_, completed = events(answer.text)
    assert (created["response"]["model"], completed["response"]["model"]) == ("other", "other")
    assert completed["response"]["end_turn"] is False
    plain = await post(client, ask("x", model="mine"))
    assert "openai-model" not in plain.headers
    assert events(plain.text)[-1]["response"]["model"] == "mine"
    assert "end_turn" not in events(plain.text)[-1]["response"]


async def test_an_event_can_be_any_text(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(events=["data: {no JSON\n\n", ": a comment\n\n", {"type": "x"}, "data: [DONE]"])
    answer = await post(client, ask("x"))
    assert answer.text == 'data: {no JSON\n\n: a comment\n\nevent: x\ndata: {"type":"x"}\n\ndata: [DONE]'


async def test_in_one_piece_it_is_the_same_response(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(times=2, tool_calls=[{"name": "a", "call_id": "c"}], error={"message": "m"}, reasoning="r")
    whole = (await post(client, ask("x", stream=False))).json()
    streamed = (await stream_of(client))[-1]["response"]
    assert [item["type"] for item in whole["output"]] == ["reasoning", "function_call"]
    assert (whole["status"], whole["error"]) == (streamed["status"], streamed["error"])


async def test_a_script_can_be_for_requests_with_a_text_only(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(text="for b", contains="bbb")
    fake.script(text="for a", contains="aaa")
    fake.script(text="for any")
    answers = [items(await stream_of(client, text))[0]["content"][0]["text"] for text in ("aaa", "aaa", "bbb", "bbb")]
    assert answers == ["for a", "for any", "for b", "bbb"]


async def test_a_script_can_be_for_turns_or_for_compactions_only(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(text="short", request_kind="compaction")
    fake.script(text="answer", request_kind="turn")
    metadata = {"x-codex-turn-metadata": '{"request_kind":"compaction"}'}
    turn = await stream_of(client)
    compaction = await stream_of(client, client_metadata=metadata)
    assert items(turn)[0]["content"][0]["text"] == "answer"
    assert items(compaction)[0]["content"][0]["text"] == "short"


async def test_deltas_keep_percent_signs_quotes_and_any_script(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    text = '100 %d "quoted" \\ 漢字 🙂\n\n'
    fake.script(text=text, deltas=100)
    assert "".join(said(await stream_of(client), "output_text")) == text


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"txet": "x"}, "txet"),
        ({"messages": [{"txt": "x"}]}, "messages.0.text"),
        ({"messages": [{"text": "x", "phase": "final"}]}, "phase"),
        ({"messages": [{"text": 5}]}, "valid string"),
        ({"tool_calls": [{"name": "x", "args": {}}]}, "args"),
        ({"tool_calls": [{"arguments": {}}]}, "name"),
        ({"usage": {"prompt_tokens": 1}}, "prompt_tokens"),
        ({"usage": {"input_tokens": "1"}}, "input_tokens"),
        ({"usage": {"input_tokens_details": {"cached": 1}}}, "cached"),
        ({"error": {"status": 500}}, "status"),
        ({"status": "done"}, "status"),
        ({"request_kind": "steer"}, "request_kind"),
        ({"text": "x", "messages": []}, "one of text and messages"),
        ({"events": [], "text": "x"}, "whole stream"),
        ({"events": [], "error": {}}, "whole stream"),
        ({"events": [5]}, "an event is an object, or a text"),
        ({"status": "incomplete", "error": {}}, "an error is for"),
        ({"error": {}, "completed": False}, "no status to end with"),
    ],
)
async def test_a_script_with_a_mistake_is_refused(fake: FakeOpenAI, members: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fake.script(**members)
    with pytest.raises(ValueError, match=message):
        Script.model_validate_json(orjson.dumps(members))


async def test_scripts_are_bounded(fake: FakeOpenAI) -> None:
    for _ in range(1000):
        fake.script(text="x")
    with pytest.raises(ValueError, match="waiting already"):
        fake.script(text="x")


async def test_a_stream_of_many_deltas_costs_no_memory_ahead(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(text="x" * 1_000_000, deltas=1_000_000)
    async with client.stream("POST", "/v1/responses", json=ask("x"), headers=KEY) as answer:
        first = await anext(answer.aiter_raw())
    assert len(first) < 100_000
