"""Input that waits for its turn."""

import pytest

from app_server.threads.history import History
from app_server.threads.input_queue import MAX_WAITING_INPUTS, Input, InputQueue, TooMuchInput
from app_server.threads.inputs import PreparedInput
from app_server.threads.response_items import message, text_of
from tests.unit.threads.support import Client, record, text_input


def test_input_is_taken_in_once_in_its_order_with_what_the_client_adds_before_it() -> None:
    client, history = Client(), History()
    queue = InputQueue(record(client, history))
    added = Input(text_input("B").prepared, "b", (message("developer", "Before B"),))
    for given in (text_input("A"), added):
        queue.add(given)
    assert queue.take_in()
    assert not queue.take_in()
    assert [text_of(item) for item in history] == ["A", "Before B", "B"]
    assert [item["clientId"] for item in client.items("userMessage")] == [None, "b"]


def test_an_empty_input_counts_and_makes_no_item() -> None:
    client, history = Client(), History()
    queue = InputQueue(record(client, history))
    queue.add(Input(PreparedInput([], []), context=(message("developer", "Only this"),)))
    assert queue.take_in()
    assert (client.told, [text_of(item) for item in history]) == ([], ["Only this"])


def test_only_so_much_waits_and_there_is_room_again_once_it_is_taken_in() -> None:
    queue = InputQueue(record(Client()))
    for _ in range(MAX_WAITING_INPUTS):
        queue.add(text_input("More"))
    with pytest.raises(TooMuchInput):
        queue.add(text_input("Too much"))
    queue.take_in()
    queue.add(text_input("Again"))
