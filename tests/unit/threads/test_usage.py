"""Counting tokens."""

from typing import Any

import pytest

from app_server.threads.usage import NONE_USED, add, estimated, used_by

FULL = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 3},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 7},
    "total_tokens": 120,
}


def test_everything_that_is_told_is_counted() -> None:
    used = used_by({"usage": FULL})
    assert used is not None
    assert used.model_dump(by_alias=True) == {
        "totalTokens": 120,
        "inputTokens": 100,
        "cachedInputTokens": 40,
        "cacheWriteInputTokens": 3,
        "outputTokens": 20,
        "reasoningOutputTokens": 7,
    }


@pytest.mark.parametrize("response", [{}, {"usage": None}, {"usage": 5}])
def test_a_response_may_say_nothing(response: Any) -> None:
    assert used_by(response) is None


@pytest.mark.parametrize("odd", [None, "5", -1, True, 1.5, [], {}])
def test_what_is_no_count_is_zero(odd: Any) -> None:
    used = used_by({"usage": {"input_tokens": odd, "output_tokens": 20, "input_tokens_details": odd}})
    assert used is not None
    assert (used.input_tokens, used.cached_input_tokens, used.total_tokens) == (0, 0, 20)


def test_a_count_beyond_all_reason_does_no_harm() -> None:
    usage = NONE_USED
    for _ in range(3):
        usage = add(usage, used_by({"usage": {**FULL, "input_tokens": 2**64 - 1, "total_tokens": 2**63}}), None)
    assert usage.total.output_tokens == 60


def test_responses_add_up_and_the_last_one_is_kept() -> None:
    usage = add(NONE_USED, used_by({"usage": FULL}), 950)
    usage = add(usage, used_by({"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}}), 900)
    assert (usage.total.total_tokens, usage.total.cached_input_tokens, usage.total.output_tokens) == (123, 40, 22)
    assert (usage.last.total_tokens, usage.model_context_window) == (3, 900)


def test_a_response_that_says_nothing_changes_nothing_but_the_window() -> None:
    before = add(NONE_USED, used_by({"usage": FULL}), 950)
    assert add(before, None, 900) == before.model_copy(update={"model_context_window": 900})


def test_an_estimate_is_the_last_and_adds_nothing() -> None:
    before = add(NONE_USED, used_by({"usage": FULL}), 950)
    after = estimated(before, 42)
    assert (after.last.total_tokens, after.last.input_tokens, after.total) == (42, 0, before.total)
