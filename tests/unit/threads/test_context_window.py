"""How full the model is with a thread."""

import pytest

from app_server.threads.context_window import ContextLimits, ContextWindow
from app_server.threads.response_items import message
from app_server.threads.usage import NONE_USED

LIMITS = ContextLimits(shown_window=950, compact_at=100)


def response(tokens: int) -> dict[str, object]:
    return {"usage": {"input_tokens": tokens, "output_tokens": 0}}


@pytest.mark.parametrize(("tokens", "full"), [(99, False), (100, True), (101, True)])
def test_it_is_full_when_the_last_response_came_to_the_limit(tokens: int, full: bool) -> None:
    window = ContextWindow()
    for used in (1000, tokens):
        window.count(response(used), LIMITS)
    assert window.is_full(LIMITS) is full
    assert (window.usage.total.total_tokens, window.usage.model_context_window) == (1000 + tokens, 950)


def test_what_the_model_has_refused_is_full_however_little_it_was() -> None:
    window = ContextWindow()
    window.overflowed = True
    assert window.is_full(LIMITS)


def test_what_takes_the_place_of_the_history_is_counted_by_its_size() -> None:
    window = ContextWindow([message("user", "x" * 4000)])
    window.count(response(1000), LIMITS)
    window.overflowed = True
    window.replace([message("user", "short")])
    assert not window.is_full(LIMITS)
    assert (len(window.history), window.usage.total.total_tokens) == (1, 1000)
    assert window.usage.last.total_tokens == window.history.estimated_tokens()


def test_a_thread_goes_on_with_what_it_had_used() -> None:
    before = ContextWindow()
    before.count(response(100), LIMITS)
    assert ContextWindow(before.history, before.usage).is_full(LIMITS)
    assert ContextWindow().usage == NONE_USED
