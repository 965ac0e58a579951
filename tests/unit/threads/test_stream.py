"""From the events of a response to items, also where the events are not as they should be."""

from typing import Any

import pytest

from app_server.threads.history import History
from app_server.threads.response_items import Item
from app_server.threads.stream import ItemStream
from tests.unit.threads.support import (
    TURN,
    Client,
    Event,
    Stored,
    added,
    call_done,
    completed,
    delta,
    done,
    message_done,
    record,
)


class Response:
    """A response and what has come of it."""

    def __init__(self, *, plan_mode: bool = False) -> None:
        self.client = Client()
        self.history = History()
        self.stored = Stored()
        self.calls: list[Item] = []
        self.stream = ItemStream(record(self.client, self.history, self.stored), self.calls.append, plan_mode=plan_mode)

    def __call__(self, *events: Event) -> "Response":
        self.stream.take(list(events))
        return self

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Id and text of the messages that are complete."""
        return [(item["id"], item["text"]) for item in self.client.items("agentMessage")]

    @property
    def deltas(self) -> list[tuple[str, str]]:
        """Id and text of the pieces of messages."""
        return [(params["itemId"], params["delta"]) for params in self.client.of("item/agentMessage/delta")]


def reasoning_added(item_id: str = "rs_1") -> Event:
    return {"type": "response.output_item.added", "item": {"type": "reasoning", "id": item_id, "summary": []}}


def reasoning_done(item_id: str | None = "rs_1", **more: Any) -> Event:
    item = {"type": "reasoning", **({"id": item_id} if item_id else {}), **more}
    return done(item)


def part_added(item_id: str = "rs_1", index: Any = 0) -> Event:
    return {"type": "response.reasoning_summary_part.added", "item_id": item_id, "summary_index": index}


def summary(text: Any, item_id: str = "rs_1", index: Any = 0) -> Event:
    return {
        "type": "response.reasoning_summary_text.delta",
        "item_id": item_id,
        "summary_index": index,
        "delta": text,
    }


def thought(text: Any, item_id: str = "rs_1", index: Any = 0) -> Event:
    return {"type": "response.reasoning_text.delta", "item_id": item_id, "content_index": index, "delta": text}


# Messages


def test_a_message_begins_grows_and_is_complete() -> None:
    response = Response()(added(), delta("Hel"), delta("lo"), message_done("Hello"))
    assert response.client.methods == [
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/agentMessage/delta",
        "item/completed agentMessage",
    ]
    assert response.messages == [("msg_1", "Hello")]
    assert [item["content"][0]["text"] for item in response.history] == ["Hello"]
    assert response.stored.kinds == ["item_completed", "response_item"]


def test_a_message_that_comes_whole_is_one_item_without_pieces() -> None:
    response = Response()(message_done("Hello"))
    assert response.client.methods == ["item/started agentMessage", "item/completed agentMessage"]
    assert response.client.of("item/started")[0]["item"]["text"] == "Hello"


def test_pieces_of_a_message_that_was_not_announced_begin_it() -> None:
    response = Response()(delta("Hel"), delta("lo"), message_done("Hello"))
    assert response.client.methods[0] == "item/started agentMessage"
    assert (response.deltas, response.messages) == ([("msg_1", "Hel"), ("msg_1", "lo")], [("msg_1", "Hello")])


def test_the_whole_text_wins_over_the_pieces() -> None:
    assert Response()(added(), delta("Hel"), message_done("Other")).messages == [("msg_1", "Other")]


def test_several_parts_are_one_text_and_stay_parts_in_the_history() -> None:
    content = [{"type": "output_text", "text": "A"}, {"type": "output_text", "text": "B"}]
    response = Response()(done({"type": "message", "id": "msg_1", "role": "assistant", "content": content}))
    assert response.messages == [("msg_1", "AB")]
    assert next(iter(response.history))["content"] == content


def test_two_messages_are_two_items_in_order() -> None:
    response = Response()(
        added("msg_1"), delta("A", "msg_1"), message_done("A", "msg_1"), added("msg_2"), message_done("B", "msg_2")
    )
    assert response.messages == [("msg_1", "A"), ("msg_2", "B")]


def test_two_messages_at_the_same_time_keep_their_pieces_apart() -> None:
    response = Response()(added("msg_1"), added("msg_2"), delta("B", "msg_2"), delta("A", "msg_1"))
    response.stream.finish()
    assert response.messages == [("msg_1", "A"), ("msg_2", "B")]


def test_the_phase_is_there_from_the_beginning() -> None:
    response = Response()(added(phase="commentary"), message_done("A", phase="commentary"))
    assert response.client.of("item/started")[0]["item"]["phase"] == "commentary"
    assert response.client.items()[0]["phase"] == "commentary"
    assert next(iter(response.history))["phase"] == "commentary"


def test_a_phase_that_comes_last_counts_and_one_that_nobody_knows_does_not() -> None:
    assert Response()(added(), message_done("A", phase="final_answer")).client.items()[0]["phase"] == "final_answer"
    assert Response()(added(phase="odd"), message_done("A", phase=["odd"])).client.items()[0]["phase"] is None


def test_a_message_without_an_id_gets_one_and_keeps_it() -> None:
    response = Response()(added(""), delta("A", ""), message_done("A", None))
    [(item_id, text)] = response.messages
    assert item_id.startswith("msg_")
    assert text == "A"
    assert {params["item"]["id"] for params in response.client.of("item/started")} == {item_id}
    assert response.deltas == [(item_id, "A")]
    assert next(iter(response.history))["id"] == item_id


def test_a_message_whose_id_changes_from_event_to_event_is_one_message() -> None:
    response = Response()(added("msg_1"), delta("Hel", "chat_2"), delta("lo", "chat_3"), message_done("Hello", "msg_4"))
    assert response.messages == [("msg_1", "Hello")]
    assert response.deltas == [("msg_1", "Hel"), ("msg_1", "lo")]


def test_an_id_of_another_kind_is_shown_and_not_sent_again() -> None:
    response = Response()(message_done("A", "m1"))
    assert response.messages == [("m1", "A")]
    assert "id" not in next(iter(response.history))


def test_a_refusal_is_shown_as_what_the_model_says() -> None:
    content = [{"type": "refusal", "refusal": "I will not"}]
    response = Response()(
        added(),
        {"type": "response.refusal.delta", "item_id": "msg_1", "delta": "I will"},
        done({"type": "message", "id": "msg_1", "role": "assistant", "content": content}),
    )
    assert (response.deltas, response.messages) == ([("msg_1", "I will")], [("msg_1", "I will not")])
    assert next(iter(response.history))["content"] == content


# What is left open


def test_a_message_left_open_is_complete_as_it_is() -> None:
    response = Response()(added(), delta("Half"))
    response.stream.finish()
    assert response.messages == [("msg_1", "Half")]
    assert [item["content"] for item in response.history] == [[{"type": "output_text", "text": "Half"}]]


def test_a_message_left_open_before_its_first_word_is_no_news_to_the_model() -> None:
    response = Response()(added())
    response.stream.finish()
    assert response.messages == [("msg_1", "")]
    assert len(response.history) == 0


def test_what_a_broken_response_left_open_is_forgotten() -> None:
    response = Response()(added(), delta("Half"), reasoning_added(), summary("Hm"))
    response.stream.abandon()
    response.stream.finish()
    assert (response.client.items(), len(response.history)) == ([], 0)


def test_nothing_is_completed_twice() -> None:
    response = Response()(added(), delta("Half"))
    response.stream.finish()
    response.stream.finish()
    assert response.messages == [("msg_1", "Half")]


# Reasoning


def test_reasoning_comes_in_parts_and_is_sent_again_as_it_came() -> None:
    whole: dict[str, Any] = {
        "summary": [{"type": "summary_text", "text": "**Head** body"}],
        "content": [{"type": "reasoning_text", "text": "raw"}],
        "encrypted_content": "ENC",
    }
    response = Response()(
        reasoning_added(), part_added(), summary("**Head**"), summary(" body"), thought("raw"), reasoning_done(**whole)
    )
    assert response.client.methods == [
        "item/started reasoning",
        "item/reasoning/summaryPartAdded",
        "item/reasoning/summaryTextDelta",
        "item/reasoning/summaryTextDelta",
        "item/reasoning/textDelta",
        "item/completed reasoning",
    ]
    [item] = response.client.items()
    assert (item["id"], item["summary"], item["content"]) == ("rs_1", ["**Head** body"], ["raw"])
    assert list(response.history) == [{"type": "reasoning", "id": "rs_1", **whole}]


def test_reasoning_that_comes_whole_begins_as_it_is() -> None:
    response = Response()(reasoning_done(summary=[{"type": "summary_text", "text": "S"}]))
    assert response.client.of("item/started")[0]["item"]["summary"] == ["S"]
    assert response.client.methods == ["item/started reasoning", "item/completed reasoning"]


def test_parts_of_reasoning_are_in_the_order_of_their_numbers() -> None:
    response = Response()(reasoning_added(), summary("B", index=1), summary("A", index=0))
    response.stream.finish()
    assert response.client.items()[0]["summary"] == ["A", "B"]


def test_reasoning_that_is_empty_in_the_end_keeps_what_was_shown() -> None:
    response = Response()(reasoning_added(), summary("Shown"), reasoning_done(summary=[], encrypted_content="ENC"))
    assert response.client.items()[0]["summary"] == ["Shown"]


def test_reasoning_whose_id_changes_from_event_to_event_is_one_item() -> None:
    response = Response()(reasoning_added("rs_1"), summary("A", "rs_2"), reasoning_done("rs_3", summary=[]))
    response.stream.finish()
    assert [(item["id"], item["summary"]) for item in response.client.items()] == [("rs_1", ["A"])]


# Other items


def test_calls_of_tools_are_passed_on_when_they_are_complete() -> None:
    begun = {**call_done(), "type": "response.output_item.added"}
    arguments = {"type": "response.function_call_arguments.delta", "delta": "{"}
    custom = done({"type": "custom_tool_call", "call_id": "call_2", "name": "x", "input": ""})
    response = Response()(begun, arguments, call_done(), custom)
    assert [call["call_id"] for call in response.calls] == ["call_1", "call_2"]
    assert response.client.told == []


def test_a_call_without_an_id_is_passed_over() -> None:
    assert Response()(done({"type": "function_call", "name": "lookup", "arguments": "{}"})).calls == []


def test_items_of_the_models_side_are_sent_again_and_not_shown() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}
    response = Response()(done({**item, "status": "completed"}))
    assert (list(response.history), response.client.told) == ([item], [])


def test_an_item_that_nobody_knows_is_passed_over() -> None:
    response = Response()(done({"type": "novelty", "id": "x"}))
    assert (list(response.history), response.client.told) == ([], [])


def test_the_response_is_what_its_last_event_says() -> None:
    response = Response()
    assert response.stream.response == {}
    assert response(completed(12, end_turn=False)).stream.response["end_turn"] is False


ODDITIES: list[Any] = [
    {"type": "novelty"},
    {"type": "response.output_text.delta"},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": 5},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": ""},
    {"type": "response.output_item.added"},
    {"type": "response.output_item.added", "item": "msg_1"},
    {"type": "response.output_item.added", "item": {"type": ["message"]}},
    {"type": "response.output_item.done", "item": None},
    {"type": "response.output_item.done", "item": {}},
    {"type": "response.output_item.done", "item": {"type": ["message"]}},
    {"type": "response.output_item.done", "item": {"type": {"function_call": 1}, "call_id": "call_1"}},
    {"type": "response.output_item.done", "item": {"type": "function_call", "call_id": 5, "name": "x"}},
    {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": None},
    {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1"},
    {"type": "response.completed", "response": 5},
]


@pytest.mark.parametrize("event", ODDITIES)
def test_an_event_that_makes_no_sense_is_passed_over(event: Event) -> None:
    response = Response()(event, added(), delta("A"), message_done("A"))
    assert response.messages == [("msg_1", "A")]
    assert (len(response.client.items()), len(response.history), response.calls) == (1, 1, [])


@pytest.mark.parametrize("odd", [5, ["x"], {"x": 1}, None, True])
def test_an_odd_id_counts_as_none(odd: Any) -> None:
    response = Response()(added(odd), delta("A", odd), message_done("A", odd))
    [(item_id, text)] = response.messages
    assert item_id.startswith("msg_")
    assert text == "A"
    response(reasoning_added(odd), summary("S", odd), reasoning_done(odd, summary=[]))
    assert response.client.items("reasoning")[0]["id"].startswith("rs_")


@pytest.mark.parametrize("odd", [5, "text", None, [5, None, {"text": None}, {}], {"text": "x"}])
def test_odd_parts_of_an_item_are_passed_over(odd: Any) -> None:
    response = Response()(
        done({"type": "message", "id": "msg_1", "role": "assistant", "content": odd}),
        done({"type": "reasoning", "id": "rs_1", "summary": odd, "content": odd}),
    )
    assert [text for _, text in response.messages] == ["text" if odd == "text" else ""]
    reasoning = response.client.items("reasoning")[0]
    assert "".join([*reasoning["summary"], *reasoning["content"]]) == ""


@pytest.mark.parametrize("odd", ["x", None, -1, True, 2**70])
def test_an_odd_number_of_a_part_counts_as_the_first(odd: Any) -> None:
    response = Response()(reasoning_added(), summary("S", index=odd), thought("T", index=odd), part_added(index=odd))
    response.stream.finish()
    [item] = response.client.items()
    assert (item["summary"], item["content"]) == (["S"], ["T"])
    assert {params["summaryIndex"] for params in response.client.of("item/reasoning/summaryTextDelta")} == {0}


def test_half_a_surrogate_pair_is_passed_on() -> None:
    response = Response()(added(), delta("\ud83d"), message_done("\ud83d"))
    assert response.messages == [("msg_1", "\ud83d")]


# Plan mode (what a plan is, is tested in test_plan)


def test_in_plan_mode_the_plan_is_an_item_of_its_own_before_the_message() -> None:
    text = "Intro\n<proposed_plan>\n# Plan\n</proposed_plan>\nOutro"
    response = Response(plan_mode=True)(added(), delta(text), message_done(text))
    assert [(item["type"], item["id"], item["text"]) for item in response.client.items()] == [
        ("plan", f"{TURN}-plan", "# Plan\n"),
        ("agentMessage", "msg_1", "Intro\nOutro"),
    ]
    assert next(iter(response.history))["content"][0]["text"] == text


def test_a_message_of_nothing_but_a_plan_is_no_item_and_the_model_knows_it() -> None:
    text = "<proposed_plan>\nP\n</proposed_plan>\n"
    response = Response(plan_mode=True)(added(), delta(text), message_done(text))
    assert [item["type"] for item in response.client.items()] == ["plan"]
    assert len(response.history) == 1


def test_a_plan_is_kept_when_the_message_is_cut_off() -> None:
    response = Response(plan_mode=True)(added(), delta("Intro\n<proposed_plan>\nHalf"))
    response.stream.finish()
    assert [(item["type"], item["text"]) for item in response.client.items()] == [
        ("plan", "Half"),
        ("agentMessage", "Intro\n"),
    ]


def test_in_default_mode_nothing_is_taken_out() -> None:
    text = "<proposed_plan>\nP\n</proposed_plan>\n"
    assert Response()(added(), delta(text), message_done(text)).messages == [("msg_1", text)]
