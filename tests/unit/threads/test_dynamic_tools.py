"""The parent's tools: what may be declared, and what the model is offered."""

from typing import Any

import pytest
from pydantic import ValidationError

from app_server.threads.dynamic_tools import DynamicTools, check
from protocol.errors import InvalidRequest
from protocol.tools import DynamicToolSpec


def tool(name: str = "t", **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "d", "inputSchema": {}, **more}


def older(name: str = "t", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "d", "inputSchema": {}, **more}


def namespace(name: str = "ns", *tools: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "description": "D", "tools": list(tools or [tool()]), **more}


def declared(*raw: dict[str, Any]) -> DynamicTools:
    return check([DynamicToolSpec.model_validate(each) for each in raw])


def offered(*raw: dict[str, Any]) -> list[dict[str, Any]]:
    return declared(*raw).for_request()


def refusal(*raw: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        declared(*raw)
    return caught.value.message


@pytest.mark.parametrize("specs", [None, []])
def test_a_thread_may_have_no_tools(specs: list[DynamicToolSpec] | None) -> None:
    tools = check(specs)
    assert not tools
    assert (tools.for_request(), tools.to_stored(), tools.find("t")) == ([], [], None)


def test_a_function_is_offered_as_the_responses_api_wants_it() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    assert offered(tool("lookup", inputSchema=schema)) == [
        {"type": "function", "name": "lookup", "description": "d", "strict": False, "parameters": schema}
    ]


def test_a_namespace_is_offered_with_its_functions() -> None:
    [found] = offered(namespace("ns", tool("a"), tool("b")))
    assert (found["type"], found["name"], found["description"]) == ("namespace", "ns", "D")
    assert [(each["type"], each["name"]) for each in found["tools"]] == [("function", "a"), ("function", "b")]


def test_a_namespace_without_a_description_gets_one() -> None:
    assert offered(namespace(description=""))[0]["description"] == "Tools in the ns namespace."


@pytest.mark.parametrize("schema", [{}, True, False])
def test_a_schema_that_says_nothing_is_offered_as_an_object(schema: Any) -> None:
    assert offered(tool(inputSchema=schema))[0]["parameters"] == {"type": "object", "properties": {}}


def test_an_object_without_properties_is_offered_with_none() -> None:
    schema = {"type": "object", "additionalProperties": False}
    assert offered(tool(inputSchema=schema))[0]["parameters"] == {**schema, "properties": {}}
    assert declared(tool(inputSchema=schema)).to_stored()[0]["inputSchema"] == schema


def test_a_deferred_tool_is_offered_all_the_same() -> None:
    assert offered(namespace("ns", tool(deferLoading=True)))[0]["tools"][0]["name"] == "t"


def test_a_tool_is_found_by_its_name_and_namespace_only() -> None:
    tools = declared(tool("a"), namespace("ns", tool("a", description="inner"), tool("b")))
    alone, inner = tools.find("a"), tools.find("a", "ns")
    assert alone is not None
    assert alone.description == "d"
    assert inner is not None
    assert (inner.namespace, inner.description) == ("ns", "inner")
    assert tools.find("b") is None
    assert tools.find("b", "other") is None


def test_the_older_form_is_taken_and_gathered_into_namespaces() -> None:
    tools = declared(older("a", namespace="n"), older("b"), older("c", namespace="n"))
    assert [(entry["type"], entry["name"]) for entry in tools.to_stored()] == [("namespace", "n"), ("function", "b")]
    assert [entry["name"] for entry in tools.to_stored()[0]["tools"]] == ["a", "c"]
    assert tools.find("c", "n") is not None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([tool(), tool()], "duplicate dynamic tool name: t"),
        ([tool(), tool(inputSchema=5)], "duplicate dynamic tool name: t"),
        ([namespace("ns", tool(), tool())], "duplicate dynamic tool name in namespace ns: t"),
        ([namespace(), namespace()], "duplicate dynamic tool namespace: ns"),
        ([older(namespace="n"), older(namespace="n")], "duplicate dynamic tool name in namespace n: t"),
        ([tool("")], "dynamic tool name must not be empty"),
        ([tool(" ")], "dynamic tool name must not be empty"),
        ([namespace("ns", tool(""))], "dynamic tool name must not be empty"),
        ([tool(" a")], "dynamic tool name has leading/trailing whitespace:  a"),
        ([tool("a\n")], "dynamic tool name has leading/trailing whitespace: a\\n"),
        ([tool("a b")], "dynamic tool name must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b"),
        ([tool("é.")], "dynamic tool name must match ^[a-zA-Z0-9_-]+$ to match Responses API: \\u{e9}."),
        ([tool("x" * 129)], f"dynamic tool name must be at most 128 characters to match Responses API: {'x' * 129}"),
        ([tool("mcp")], "dynamic tool name is reserved: mcp"),
        ([tool("mcp__x")], "dynamic tool name is reserved: mcp__x"),
        ([tool(deferLoading=True)], "deferred dynamic tool must include a namespace: t"),
        ([namespace("")], "dynamic tool namespace must not be empty"),
        ([namespace(" a")], "dynamic tool namespace has leading/trailing whitespace:  a"),
        ([namespace("a b")], "dynamic tool namespace must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b"),
        (
            [namespace("a" * 65)],
            f"dynamic tool namespace must be at most 64 characters to match Responses API: {'a' * 65}",
        ),
        ([namespace("mcp__x")], "dynamic tool namespace is reserved: mcp__x"),
        (
            [namespace("functions", tools=[])],
            "dynamic tool namespace collides with a reserved Responses API namespace: functions",
        ),
        (
            [older(namespace="web")],
            "dynamic tool namespace collides with a reserved Responses API namespace: web",
        ),
        ([older(namespace="")], "dynamic tool namespace must not be empty"),
        ([namespace(tools=[])], "dynamic tool namespace must contain at least one tool: ns"),
        ([namespace(description="x" * 1025)], "dynamic tool namespace description must be at most 1024 characters"),
        (
            [namespace("ns", older(namespace="q"))],
            "Invalid request: dynamic tools must use either canonical or legacy format consistently",
        ),
        (
            [older(namespace="n"), namespace("n", tool("z"))],
            "Invalid request: dynamic tools must use either canonical or legacy format consistently",
        ),
    ],
)
def test_what_cannot_be_offered_is_refused_in_the_words_of_the_reference(
    raw: list[dict[str, Any]], message: str
) -> None:
    assert refusal(*raw) == message


@pytest.mark.parametrize(
    "raw",
    [
        [tool("exec_command")],
        [tool("mcp_")],
        [tool("x" * 128)],
        [tool(deferLoading=False)],
        [tool("ns"), namespace("ns")],
        [namespace("a" * 64)],
        [namespace("Functions")],
        [tool(description="")],
    ],
)
def test_what_can_be_offered_is_taken(raw: list[dict[str, Any]]) -> None:
    assert declared(*raw)


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (5, "invalid type: number, expected struct JsonSchema"),
        (1.5, "invalid type: number, expected struct JsonSchema"),
        ('a"b', 'invalid type: string "a\\"b", expected struct JsonSchema'),
        (None, "invalid type: null, expected struct JsonSchema"),
        ([], "invalid length 0, expected struct JsonSchema with 15 elements"),
        ({"properties": 5}, "invalid type: number, expected a map"),
        ({"properties": []}, "invalid type: sequence, expected a map"),
        ({"properties": {"a": 5}}, "invalid type: number, expected struct JsonSchema"),
        ({"items": 5}, "invalid type: number, expected struct JsonSchema"),
        ({"required": "x"}, 'invalid type: string "x", expected a sequence'),
        ({"required": [5]}, "invalid type: number, expected a string"),
        ({"enum": 5}, "invalid type: number, expected a sequence"),
        ({"anyOf": [5]}, "invalid type: number, expected struct JsonSchema"),
        ({"oneOf": 5}, "invalid type: number, expected a sequence"),
        ({"$ref": 5}, "invalid type: number, expected a string"),
        ({"additionalProperties": 5}, "data did not match any variant of untagged enum AdditionalProperties"),
        ({"type": "null"}, "tool input schema must not be a singleton null type"),
    ],
)
def test_a_schema_of_the_wrong_shape_is_refused_in_the_words_of_the_reference(schema: Any, fault: str) -> None:
    assert refusal(tool(inputSchema=schema)) == f"dynamic tool input schema is not supported for t: {fault}"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "nope"},
        {"type": 5},
        {"type": ["object", "null"]},
        {"properties": {"a": True}},
        {"properties": None},
        {"additionalProperties": {"type": "string"}},
        {"description": 5, "$defs": 5, "default": 5, "minimum": "x"},
    ],
)
def test_other_schemas_are_for_the_upstream_to_judge(schema: Any) -> None:
    assert declared(tool(inputSchema=schema)).to_stored()[0]["inputSchema"] == schema


def test_a_schema_may_be_nested_deeper_than_the_stack() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5_000):
        schema = {"items": schema}
    assert declared(tool(inputSchema=schema))


def test_what_is_stored_can_be_read_back() -> None:
    tools = declared(tool("a", inputSchema={"type": "object"}), namespace("ns", tool("b", deferLoading=True)))
    again = DynamicTools.from_stored(tools.to_stored())
    assert again.to_stored() == tools.to_stored()
    assert again.for_request() == tools.for_request()


@pytest.mark.parametrize("raw", [None, 5, {}, "x", []])
def test_a_stored_thread_may_have_no_tools(raw: Any) -> None:
    assert DynamicTools.from_stored(raw).to_stored() == []


def test_what_is_unusable_among_stored_tools_is_left_out() -> None:
    raw = [
        5,
        {},
        {"type": "zz"},
        tool("mcp"),
        tool("a"),
        tool("a"),
        namespace("ns", tool("b"), tool("b")),
        namespace("ns", tool("c")),
        older("d", namespace="n"),
        older("bad", namespace="n", inputSchema=5),
    ]
    tools = DynamicTools.from_stored(raw)
    assert [entry["name"] for entry in tools.to_stored()] == ["a", "ns", "n"]
    assert tools.find("c", "ns") is not None
    assert tools.find("d", "n") is not None
    assert tools.find("bad", "n") is None


def test_the_tools_of_a_thread_cannot_be_changed_through_what_it_gives_out() -> None:
    tools = declared(tool())
    tools.for_request().clear()
    assert len(tools.for_request()) == 1


def test_a_specification_of_the_wrong_type_never_gets_here() -> None:
    with pytest.raises(ValidationError):
        DynamicToolSpec.model_validate({"type": "zz"})
