"""What the model thinks: told to the client as it comes, and sent back to the model, sealed, with the next request."""

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    LOOKUP,
    answer,
    call,
    called,
    completed_items,
    in_order,
    items_of,
    last_body,
    result,
    started_items,
)
from tests.wire.turns.support import begin, course, start_thread, talk

PART_ADDED = "item/reasoning/summaryPartAdded"
SUMMARY_DELTA = "item/reasoning/summaryTextDelta"
TEXT_DELTA = "item/reasoning/textDelta"


async def test_a_summary_comes_in_parts_and_pieces(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(reasoning=["First thought", "Second thought"], text="Done.", deltas=2)
    done = await talk(server, await start_thread(server, "once"))

    (started,) = started_items(done, "reasoning")
    assert started == {"type": "reasoning", "id": started["id"], "summary": [], "content": []}
    assert started["id"].startswith("rs_")
    assert completed_items(done, "reasoning") == [{**started, "summary": ["First thought", "Second thought"]}]
    assert [params["summaryIndex"] for params in done.params(PART_ADDED)] == [0, 1]
    pieces = done.params(SUMMARY_DELTA)
    for index, text in enumerate(["First thought", "Second thought"]):
        assert "".join(piece["delta"] for piece in pieces if piece["summaryIndex"] == index) == text
    assert len(pieces) == 4
    assert {piece["itemId"] for piece in [*pieces, *done.params(PART_ADDED)]} == {started["id"]}


async def test_the_thoughts_themselves_come_as_text(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(reasoning="In short", raw_reasoning="At great length", text="Done.", deltas=3)
    done = await talk(server, await start_thread(server, "once"))

    (item,) = completed_items(done, "reasoning")
    assert (item["summary"], item["content"]) == (["In short"], ["At great length"])
    pieces = done.params(TEXT_DELTA)
    assert "".join(piece["delta"] for piece in pieces) == "At great length"
    assert {(piece["itemId"], piece["contentIndex"]) for piece in pieces} == {(item["id"], 0)}


async def test_thoughts_come_before_the_message(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(reasoning="In short", text="Done.", deltas=1)
    done = await talk(server, await start_thread(server, "once"))
    assert in_order(done.messages)[4:] == [
        "item/started reasoning",
        PART_ADDED,
        SUMMARY_DELTA,
        "item/completed reasoning",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/tokenUsage/updated",
        "account/rateLimits/updated",
        "thread/status/changed",
        "turn/completed",
    ]
    assert [item["type"] for item in done.turn["items"]] == ["agentMessage"]


async def test_sealed_thoughts_go_back_to_the_model_in_their_place(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(reasoning="In short", tool_calls=[call("call_1")])
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread)
    await answer(server, await called(server), result("1"))
    done = await course(server, thread, turn)

    _, thought, function_call, output = items_of(await last_body(fake, 2))
    (item,) = completed_items(done, "reasoning")
    assert thought["id"] == item["id"]
    assert thought["summary"] == [{"type": "summary_text", "text": "In short"}]
    assert thought["encrypted_content"]
    assert (function_call["type"], output["type"]) == ("function_call", "function_call_output")


async def test_a_new_process_still_sends_the_sealed_thoughts(fake: FakeOpenAI, start: Start) -> None:
    fake.script(reasoning="In short", raw_reasoning="At length", text="Done.")
    async with start() as server:
        thread = await start_thread(server, "once")
        await talk(server, thread, "First")
        await talk(server, thread, "Second")
    before = thoughts(await last_body(fake, 2))
    async with start() as server:
        resumed = await server.result("thread/resume", {"threadId": thread})
        (item,) = [item for item in resumed["thread"]["turns"][0]["items"] if item["type"] == "reasoning"]
        assert (item["summary"], item["content"]) == (["In short"], ["At length"])
        await server.barrier()
        await talk(server, thread, "Third")
    (thought,) = before
    assert thought["content"] == [{"type": "reasoning_text", "text": "At length"}]
    assert thoughts(await last_body(fake, 3)) == before


def thoughts(body: Json) -> list[Json]:
    """What the model is told of its own thoughts."""
    return [item for item in body["input"] if item["type"] == "reasoning"]


async def test_thoughts_that_come_whole_are_an_item_all_the_same(fake: FakeOpenAI, server: ServerProcess) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "In short"}]}
    fake.script(output_items=[thought], text="Done.")
    thread = await start_thread(server, "once")
    done = await talk(server, thread)
    item = {"type": "reasoning", "id": "rs_1", "summary": ["In short"], "content": []}
    assert (started_items(done, "reasoning"), completed_items(done, "reasoning")) == ([item], [item])
    await talk(server, thread)
    assert thoughts(await last_body(fake, 2)) == [thought]


async def test_thoughts_that_are_cut_off_are_shown_and_not_sent_back(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(reasoning="One two", text="Done.", deltas=2)
    fake.fault("responses", hang_after_events=4)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread)
    await server.take(lambda message: message.get("method") == SUMMARY_DELTA)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)

    assert [item["summary"] for item in completed_items(done, "reasoning")] == [["One"]]
    await talk(server, thread)
    # Without its seal the model's side would not take it.
    assert thoughts(await last_body(fake, 2)) == []


async def test_what_the_model_looks_up_by_itself_is_sent_back_in_its_place(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}
    fake.script(output_items=[search, {"type": "of_tomorrow", "id": "x_1"}], text="Done.")
    thread = await start_thread(server, "once")
    done = await talk(server, thread)
    assert done.spoken == ["Done."]
    await talk(server, thread)
    assert [item["type"] for item in items_of(await last_body(fake, 2))] == [
        "message",
        "web_search_call",
        "message",
        "message",
    ]
