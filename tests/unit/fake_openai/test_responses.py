"""The fake Responses API: echo, scripts, and the stream as clients read it."""

from typing import Any

import httpx2
import orjson
import pytest

from app_server.fake_openai.server import FakeOpenAI

KEY = {"authorization": "Bearer sk-1"}


def ask(text: str, **members: Any) -> dict[str, Any]:
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"model": "m", "stream": True, "input": [message], **members}


def events(text: str) -> list[dict[str, Any]]:
    found = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def deltas(text: str) -> list[str]:
    return [event["delta"] for event in events(text) if event["type"] == "response.output_text.delta"]


async def post(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
    return await client.post("/v1/responses", json=body, headers=KEY)


@pytest.mark.parametrize("path", ["/v1/responses", "/backend-api/codex/responses", "/responses"])
async def test_the_last_text_of_the_user_comes_back_in_pieces(
    fake: FakeOpenAI, client: httpx2.AsyncClient, path: str
) -> None:
    headers = {"authorization": f"Bearer {fake.mint().access_token}"}
    answer = await client.post(path, json=ask("héllo wörld"), headers=headers)
    assert answer.headers["content-type"] == "text/event-stream"
    stream = events(answer.text)
    kinds = [event["type"] for event in stream]
    assert kinds[:3] == ["response.created", "response.output_item.added", "response.content_part.added"]
    assert kinds[-2:] == ["response.output_item.done", "response.completed"]
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
    assert len(deltas(answer.text)) == 3
    assert "".join(deltas(answer.text)) == "héllo wörld"
    response = stream[-1]["response"]
    assert response["output"][0]["content"][0]["text"] == "héllo wörld"
    assert response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + response["usage"]["output_tokens"]


@pytest.mark.parametrize(
    ("value", "echo"),
    [
        ("plain", "plain"),
        ([{"role": "user", "content": "short form"}], "short form"),
        ([{"role": "user", "content": "first"}, {"role": "assistant", "content": "not me"}], "first"),
        ([{"role": "user", "content": [{"text": "a"}, {"image": 1}, {"text": "b"}]}], "ab"),
        ([{"role": "user", "content": "told"}, {"role": "user", "content": [{"image": 1}]}], "told"),
        ([], "Nothing to echo."),
        (5, "Nothing to echo."),
    ],
)
async def test_every_form_of_input_is_understood(client: httpx2.AsyncClient, value: Any, echo: str) -> None:
    assert "".join(deltas((await post(client, {"input": value, "stream": True})).text)) == echo


async def test_without_stream_the_answer_comes_in_one_piece(client: httpx2.AsyncClient) -> None:
    answer = (await post(client, ask("hi", stream=False))).json()
    assert (answer["status"], answer["output"][0]["content"][0]["text"]) == ("completed", "hi")


async def test_scripts_are_taken_in_order_and_then_it_is_the_echo_again(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.script(text="abcd", deltas=2, times=2, headers={"x-codex-primary-used-percent": "37.5"})
    fake.script(text="", completed=False)
    answers = [await post(client, ask("echo")) for _ in range(4)]
    assert [deltas(answer.text) for answer in answers] == [["ab", "cd"], ["ab", "cd"], [], ["e", "c", "ho"]]
    assert [answer.headers.get("x-codex-primary-used-percent") for answer in answers] == ["37.5", "37.5", None, None]
    assert [events(answer.text)[-1]["type"] == "response.completed" for answer in answers] == [True, True, False, True]


async def test_a_standing_script_answers_until_reset(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(text="x", times=None)
    assert [deltas((await post(client, ask("echo"))).text) for _ in range(3)] == [["x"]] * 3
    fake.reset()
    assert "".join(deltas((await post(client, ask("echo"))).text)) == "echo"


async def test_a_script_can_say_every_event(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded"}}}
    fake.script(events=[failed])
    assert events((await post(client, ask("x"))).text) == [failed]


async def test_a_stream_can_be_cut_anywhere_even_within_a_character(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.script(text="é" * 50, chunk_bytes=1)
    async with client.stream("POST", "/v1/responses", json=ask("x"), headers=KEY) as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]
    assert "".join(deltas(b"".join(chunks).decode())) == "é" * 50


async def test_events_with_a_delay_between_them_come_one_by_one(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(events=[{"type": str(number)} for number in range(3)], delay=0.02)
    async with client.stream("POST", "/v1/responses", json=ask("x"), headers=KEY) as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]
    assert [len(events(chunk.decode())) for chunk in chunks] == [1, 1, 1]


async def test_thousands_of_deltas_all_arrive(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.script(text="x" * 5000, deltas=5000)
    assert deltas((await post(client, ask("x"))).text) == ["x"] * 5000


async def test_a_websocket_is_refused_with_426(client: httpx2.AsyncClient) -> None:
    upgrade = {**KEY, "connection": "upgrade", "upgrade": "websocket"}
    assert (await client.get("/v1/responses", headers=upgrade)).status_code == 426
    assert (await client.get("/v1/responses", headers=KEY)).status_code == 405


async def test_what_is_no_request_is_refused_with_a_reason(client: httpx2.AsyncClient) -> None:
    assert (await post(client, {"model": "m"})).json()["error"]["code"] == "missing_required_parameter"
    assert (await client.post("/v1/responses", content=b"{", headers=KEY)).status_code == 400
    zstd = {**KEY, "content-encoding": "zstd"}
    assert (await client.post("/v1/responses", content=b"x", headers=zstd)).status_code == 415
    assert (await client.post("/v1/responses", json=ask("x"))).status_code == 401
