"""The items of a turn: announced, kept, stored, and told to the model."""

import pytest

from app_server.threads.history import History
from app_server.threads.response_items import message
from protocol.items import AgentMessageThreadItem, MessagePhase, ReasoningThreadItem
from tests.unit.threads.support import THREAD, TURN, Client, Stored, record


def agent(item_id: str, phase: MessagePhase | None = None) -> AgentMessageThreadItem:
    return AgentMessageThreadItem(id=item_id, text=item_id, phase=phase)


def test_an_item_has_the_time_of_its_begin_and_of_its_end() -> None:
    client = Client()
    made = record(client)
    begun = made.start(agent("a"))
    assert made.items == []
    made.complete(begun)
    [started], [completed] = client.of("item/started"), client.of("item/completed")
    assert started["startedAtMs"] == started["item"]["startedAtMs"] == completed["item"]["startedAtMs"] > 0
    assert completed["completedAtMs"] == completed["item"]["completedAtMs"] >= started["startedAtMs"]
    assert started["item"]["completedAtMs"] is None
    assert (started["threadId"], started["turnId"]) == (THREAD, TURN)


def test_an_item_is_kept_stored_and_told_to_the_model_in_one() -> None:
    history, stored = History(), Stored()
    made = record(Client(), history, stored)
    made.at_once(agent("a"), message("assistant", "a"))
    assert [item.id for item in made.items] == ["a"]
    assert [item.root.id for item in made.thread_items()] == ["a"]
    assert len(history) == 1
    assert stored.kinds == ["item_completed", "response_item"]


def test_what_only_the_model_sees_is_not_announced() -> None:
    client, history, stored = Client(), History(), Stored()
    made = record(client, history, stored)
    made.remember(message("user", "A"), message("user", "B"))
    made.remember()
    assert (client.told, len(history), stored.kinds) == ([], 2, ["response_item", "response_item"])


def test_nothing_of_a_turn_comes_after_its_end() -> None:
    client, history, stored = Client(), History(), Stored()
    made = record(client, history, stored)
    begun = made.start(agent("a"))
    client.told.clear()
    made.close()
    made.complete(begun)
    made.at_once(agent("b"), message("user", "B"))
    made.remember(message("user", "C"))
    assert (client.told, len(history), stored.records, made.items) == ([], 0, [], [])


@pytest.mark.parametrize(
    ("phases", "final"),
    [
        ([], None),
        ([None, None], "1"),
        (["final_answer", None], "0"),
        (["final_answer", "final_answer", "commentary"], "1"),
        (["commentary"], "0"),
    ],
)
def test_the_final_message_is_the_last_final_answer_or_else_the_last(
    phases: list[MessagePhase | None], final: str | None
) -> None:
    made = record(Client())
    for number, phase in enumerate(phases):
        made.at_once(agent(str(number), phase))
    made.at_once(ReasoningThreadItem(id="rs_1"))
    assert (made.final_message.id if made.final_message else None) == final
