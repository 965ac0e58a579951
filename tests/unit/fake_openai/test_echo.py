"""What is said without a script: echo, tool outputs, summaries, JSON to a schema."""

import base64
from typing import Any

import httpx2
import jsonschema  # type: ignore[import-untyped]
import orjson
import pytest

from app_server.fake_openai.echo import default_answer, is_compaction
from app_server.fake_openai.example_json import example
from app_server.http_server import Headers, Request
from tests.unit.fake_openai.test_responses import ask, events, post

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
ASSISTANT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
DEVELOPER = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be good"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def output(value: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "c", "output": value}


def prompt(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@pytest.mark.parametrize(
    ("items", "answer"),
    [
        ([USER, CALL, output("42")], "The tool said: 42"),
        ([USER, CALL, output([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}])], "ab"),
        ([USER, CALL, CALL, output("1"), output("2")], "The tool said: 1; 2"),
        ([USER, CALL, {"type": "custom_tool_call_output", "call_id": "c", "output": "x"}], "The tool said: x"),
        ([USER, CALL, output([])], "The tool said: "),
        ([USER, CALL, output("42"), prompt("and now?")], "and now?"),
    ],
)
def test_what_a_tool_said_is_repeated_when_it_was_last(items: list[Any], answer: str) -> None:
    assert str(default_answer({"input": items}, compaction=False)).endswith(answer)


@pytest.mark.parametrize(
    ("headers", "fields", "expected"),
    [
        ((), {"input": [USER]}, False),
        ((), {"input": [USER, {"type": "compaction_trigger"}]}, True),
        ((("x-codex-turn-metadata", '{"request_kind":"compaction"}'),), {"input": [USER]}, True),
        ((), {"input": [USER], "client_metadata": {"x-codex-turn-metadata": '{"request_kind":"compaction"}'}}, True),
        ((), {"input": [prompt("Do the checkpoint COMPACTION: write a handoff summary.")]}, True),
        ((), {"input": [prompt("Write a summary for the hand-off.")]}, True),
        ((), {"input": [prompt("Write a summary of this page.")]}, False),
        ((("x-codex-turn-metadata", '{"request_kind":"turn"}'),), {"input": "compaction summary"}, False),
        ((("x-codex-turn-metadata", "{"),), {"input": "hi", "client_metadata": 5}, False),
    ],
)
def test_a_request_for_a_summary_is_recognised(headers: Any, fields: dict[str, Any], expected: bool) -> None:
    assert is_compaction(Request("POST", "/", headers=Headers(headers)), fields) is expected


async def test_a_summary_counts_the_messages_of_both_sides(client: httpx2.AsyncClient) -> None:
    body = ask("", input=[DEVELOPER, USER, ASSISTANT, USER, prompt("Compaction: a summary, please.")])
    stream = events((await post(client, body)).text)
    assert stream[-1]["response"]["output"][0]["content"][0]["text"] == "Summary: 3 messages."


async def test_a_compaction_trigger_gets_one_compaction_item(client: httpx2.AsyncClient) -> None:
    body = ask("", input=[USER, ASSISTANT, {"type": "compaction_trigger"}])
    stream = events((await post(client, body)).text)
    (done,) = (event for event in stream if event["type"] == "response.output_item.done")
    assert done["item"]["type"] == "compaction"
    assert done["item"]["id"].startswith("cmp_")
    assert base64.b64decode(done["item"]["encrypted_content"]) == b"Summary: 2 messages."


async def test_where_json_is_wanted_the_echo_is_a_document_that_fits(client: httpx2.AsyncClient) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}, "extra": {"type": "string"}},
        "required": ["answer", "sure"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "name": "x", "strict": True, "schema": schema}
    stream = events((await post(client, {**ask("hi"), "text": {"format": wanted, "verbosity": "low"}})).text)
    text = stream[-1]["response"]["output"][0]["content"][0]["text"]
    assert orjson.loads(text) == {"answer": "hi", "sure": True}
    tool = default_answer({"input": [output("42")], "text": {"format": wanted}}, compaction=False)
    assert isinstance(tool, str)
    assert orjson.loads(tool)["answer"] == "The tool said: 42"


@pytest.mark.parametrize("text", [None, 5, {}, {"format": None}, {"format": {"type": "text"}}])
def test_where_no_json_is_wanted_the_echo_is_plain(text: Any) -> None:
    assert default_answer({"input": "hi", "text": text}, compaction=False) == "hi"


TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["left", "right"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "minLength": 10},
        {"type": "string", "maxLength": 1},
        {"type": "string", "enum": ["a", "b"]},
        {"const": 7},
        {"type": "integer"},
        {"type": "integer", "minimum": 3},
        {"type": "integer", "exclusiveMinimum": 3, "maximum": 4},
        {"type": "integer", "maximum": -2},
        {"type": "number", "minimum": 0.25},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "integer", "exclusiveMinimum": 1.5},
        {"type": "integer", "exclusiveMaximum": 0},
        {"type": "number", "minimum": 1e308},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["string", "null"]},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2},
        {"type": "array", "prefixItems": [{"type": "boolean"}], "items": {"type": "integer"}, "minItems": 2},
        {"type": "object"},
        {"type": "object", "required": ["anything"]},
        {"properties": {"a": {"type": "array"}}, "required": ["a"]},
        {"items": {"type": "integer"}},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"oneOf": [{"type": "boolean"}]},
        {
            "allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}],
            "properties": {"b": {"type": "boolean"}},
            "required": ["b"],
        },
        {"$defs": {"a/b": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/a~1b"}, "minItems": 1},
        {"default": "d"},
        TREE,
        True,
        {},
    ],
)
def test_the_example_fits_its_schema(schema: Any) -> None:
    jsonschema.validate(example(schema, "hello"), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere/at/all"},
        {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9}},
        {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "string", "minLength": 10**12},
        {"type": "odd", "enum": [], "required": 5, "properties": 5},
        {"type": []},
        {"type": "object", "required": 5, "properties": 5},
        None,
        5,
    ],
)
def test_no_schema_makes_it_endless_or_huge(schema: Any) -> None:
    assert len(orjson.dumps(example(schema, "hello"))) < 1_000_000
