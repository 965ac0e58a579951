"""What a conversation costs (``thread/tokenUsage/updated``), and what the account has left
(``account/rateLimits/updated``)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import LOOKUP, answer, call, called, only_course, result
from tests.wire.turns.support import LIMITS_UPDATED, Course, begin, course, start_thread, talk

USAGE_UPDATED = "thread/tokenUsage/updated"

FIRST: Json = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 3},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 7},
}
SECOND: Json = {"input_tokens": 10, "output_tokens": 2}

NO_LIMITS: Json = {
    "limitId": "codex",
    "limitName": None,
    "normalModelSlug": None,
    "primary": None,
    "secondary": None,
    "credits": None,
    "individualLimit": None,
    "spendControlReached": None,
    "planType": None,
    "rateLimitReachedType": None,
}


def counted(total: int, taken: int, given: int, *, cached: int = 0, written: int = 0, reasoning: int = 0) -> Json:
    """Tokens as the wire has them."""
    return {
        "totalTokens": total,
        "inputTokens": taken,
        "cachedInputTokens": cached,
        "cacheWriteInputTokens": written,
        "outputTokens": given,
        "reasoningOutputTokens": reasoning,
    }


ONE = counted(120, 100, 20, cached=40, written=3, reasoning=7)
TWO = counted(12, 10, 2)
BOTH = counted(132, 110, 22, cached=40, written=3, reasoning=7)


def usages(done: Course) -> list[tuple[Json, Json]]:
    """What was told of the tokens in a turn: in total and by the last response."""
    told = [params["tokenUsage"] for params in done.params(USAGE_UPDATED)]
    return [(usage["total"], usage["last"]) for usage in told]


async def test_the_tokens_of_all_responses_of_a_thread_add_up(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", usage=FIRST)
    fake.script(text="Two", usage=SECOND)
    thread = await start_thread(server, "once")
    assert usages(await talk(server, thread)) == [(ONE, ONE)]
    assert usages(await talk(server, thread)) == [(BOTH, TWO)]


async def test_every_response_of_a_turn_is_told(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")], usage=FIRST)
    fake.script(text="Two", usage=SECOND)
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread)
    await answer(server, await called(server), result("1"))
    assert usages(await course(server, thread, turn)) == [(ONE, ONE), (BOTH, TWO)]


async def test_another_thread_counts_for_itself(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", usage=FIRST)
    fake.script(text="Two", usage=SECOND)
    await talk(server, await start_thread(server, "once"))
    assert usages(await talk(server, await start_thread(server, "once"))) == [(TWO, TWO)]


async def test_a_response_that_does_not_say_changes_nothing(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", usage=FIRST)
    fake.script(text="Two", usage="absent")
    thread = await start_thread(server, "once")
    await talk(server, thread)
    assert usages(await talk(server, thread)) == [(ONE, ONE)]


async def test_details_that_are_null_are_zero(fake: FakeOpenAI, server: ServerProcess) -> None:
    usage = {**SECOND, "input_tokens_details": None, "output_tokens_details": {"reasoning_tokens": None}}
    fake.script(text="One", usage=usage)
    assert usages(await talk(server, await start_thread(server, "once"))) == [(TWO, TWO)]


async def test_a_summary_costs_too_and_leaves_an_estimate_of_what_is_left(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(text="One " * 1000, usage=FIRST)
    fake.script(text="In short.", usage=SECOND, request_kind="compaction")
    thread = await start_thread(server, "once")
    await talk(server, thread)
    await server.result("thread/compact/start", {"threadId": thread})
    told = usages(await only_course(server, thread))

    assert told[0] == (BOTH, TWO)
    total, last = told[1]
    assert total == BOTH
    estimate = last["totalTokens"]
    assert last == counted(estimate, 0, 0)
    assert 0 < estimate < 500


async def test_a_new_process_knows_what_was_used(fake: FakeOpenAI, start: Start) -> None:
    fake.script(text="One", usage=FIRST)
    async with start() as server:
        thread = await start_thread(server, "once")
        await talk(server, thread)
    fake.script(text="Two", usage=SECOND)
    async with start() as server:
        await server.result("thread/resume", {"threadId": thread})
        resumed = await server.notification(USAGE_UPDATED)
        assert (resumed["tokenUsage"]["total"], resumed["tokenUsage"]["last"]) == (ONE, ONE)
        assert usages(await talk(server, thread)) == [(BOTH, TWO)]


@pytest.mark.parametrize(("config", "window"), [({}, 258_400), ({"model_context_window": 10_000}, 9_500)])
async def test_the_window_is_told_with_a_part_of_it_kept_back(
    fake: FakeOpenAI, server: ServerProcess, config: Json, window: int
) -> None:
    done = await talk(server, await start_thread(server, "once", config=config))
    assert [params["tokenUsage"]["modelContextWindow"] for params in done.params(USAGE_UPDATED)] == [window]


# Rate limits


def headers(used: str = "12.5", **more: str) -> dict[str, str]:
    """The headers that tell of limits."""
    told = {
        "primary-used-percent": used,
        "primary-window-minutes": "300",
        "primary-reset-at": "1795259999",
        "secondary-used-percent": "100",
        "secondary-window-minutes": "10080",
        "secondary-reset-at": "1795269999",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return {f"x-codex-{name}": value for name, value in told.items()}


CREDITS = {"credits_has_credits": "true", "credits_unlimited": "false", "credits_balance": "9.99"}
TOLD_CREDITS: Json = {"hasCredits": True, "unlimited": False, "balance": "9.99"}
WINDOWS: Json = {
    "primary": {"usedPercent": 13, "windowDurationMins": 300, "resetsAt": 1795259999},
    "secondary": {"usedPercent": 100, "windowDurationMins": 10080, "resetsAt": 1795269999},
}


async def limits_of(server: ServerProcess, thread: str) -> Any:
    """What is told of the limits in one turn."""
    (told,) = (await talk(server, thread)).params(LIMITS_UPDATED)
    return told["rateLimits"]


async def test_limits_are_told_in_every_turn_even_where_there_are_none(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    assert [await limits_of(server, thread), await limits_of(server, thread)] == [NO_LIMITS, NO_LIMITS]


async def test_limits_come_from_the_headers_of_the_answer(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", headers=headers(**CREDITS))
    thread = await start_thread(server, "once")
    assert await limits_of(server, thread) == {**NO_LIMITS, **WINDOWS, "credits": TOLD_CREDITS}


async def test_what_is_not_told_again_is_unknown_but_for_credits(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", headers=headers(**CREDITS))
    fake.script(text="Two", headers=headers(used="a lot"))
    thread = await start_thread(server, "once")
    await limits_of(server, thread)
    assert await limits_of(server, thread) == {
        **NO_LIMITS,
        "secondary": WINDOWS["secondary"],
        "credits": TOLD_CREDITS,
    }
    assert await limits_of(server, thread) == {**NO_LIMITS, "credits": TOLD_CREDITS}


async def test_limits_of_another_kind_are_told_under_its_name(fake: FakeOpenAI, server: ServerProcess) -> None:
    other = {
        "x-codex-active-limit": "codex_other",
        "x-codex-other-limit-name": "Other Limit",
        "x-codex-other-primary-used-percent": "5",
    }
    fake.script(text="One", headers=other)
    told = await limits_of(server, await start_thread(server, "once"))
    assert (told["limitId"], told["limitName"]) == ("codex_other", "Other Limit")
    assert told["primary"] == {"usedPercent": 5, "windowDurationMins": None, "resetsAt": None}


async def test_a_refusal_tells_its_limits_before_its_error(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    server = own_server  # which has been told of no credits yet
    body = {"error": {"type": "usage_limit_reached", "message": "No more.", "plan_type": "free"}}
    fake.fault("responses", status=429, json=body, headers=headers())
    done = await talk(server, await start_thread(server, "once"))
    assert done.error["codexErrorInfo"] == "usageLimitExceeded"
    assert done.methods.index(LIMITS_UPDATED) < done.methods.index("error")
    assert done.params(LIMITS_UPDATED) == [{"rateLimits": {**NO_LIMITS, **WINDOWS}}]
