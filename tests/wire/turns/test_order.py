"""The order of what is said of a turn that goes well and of one that does not (wire.md section 14)."""

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import begin, course, start_thread, talk, text_input

PLAIN = [
    "thread/status/changed",
    "turn/started",
    "item/started",
    "item/completed",
    "item/started",
    "item/agentMessage/delta",
    "item/agentMessage/delta",
    "item/agentMessage/delta",
    "item/completed",
    "thread/tokenUsage/updated",
    "account/rateLimits/updated",
    "thread/status/changed",
    "turn/completed",
]

USAGE: Json = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 7},
}

COUNTED: Json = {
    "totalTokens": 120,
    "inputTokens": 100,
    "cachedInputTokens": 40,
    "cacheWriteInputTokens": 0,
    "outputTokens": 20,
    "reasoningOutputTokens": 7,
}


async def test_the_answer_to_the_request_comes_first_and_shows_a_turn_that_has_not_begun(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    await server.send({"id": 1, "method": "turn/start", "params": {"threadId": thread, "input": text_input("Hello")}})

    first = await server.message()

    turn_id = first["result"]["turn"]["id"]
    assert first["result"]["turn"] == {
        "id": turn_id,
        "rootTurnId": turn_id,
        "items": [],
        "itemsView": "notLoaded",
        "status": "inProgress",
        "error": None,
        "startedAt": None,
        "completedAt": None,
        "durationMs": None,
    }
    assert (await course(server, thread, turn_id)).methods == PLAIN


async def test_a_plain_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="Hello there", deltas=3, usage=USAGE)
    thread = await start_thread(server, "once")

    done = await talk(server, thread, "Hi", clientUserMessageId="mine")

    assert done.methods == PLAIN
    assert [params["status"] for params in done.params("thread/status/changed")] == [
        {"type": "active", "activeFlags": []},
        {"type": "idle"},
    ]
    begun = done.params("turn/started")[0]["turn"]
    assert isinstance(begun["startedAt"], int)
    assert (begun["status"], begun["items"], begun["completedAt"]) == ("inProgress", [], None)

    said, answer = [params["item"] for params in done.params("item/completed")]
    assert said["type"] == "userMessage"
    assert (said["clientId"], said["content"]) == ("mine", text_input("Hi"))
    assert (answer["type"], answer["text"], answer["phase"]) == ("agentMessage", "Hello there", None)
    assert answer["id"].startswith("msg_")
    assert [params["item"]["id"] for params in done.params("item/started")] == [said["id"], answer["id"]]
    assert done.params("item/started")[1]["item"]["text"] == ""
    deltas = done.params("item/agentMessage/delta")
    assert {params["itemId"] for params in deltas} == {answer["id"]}
    assert [params["delta"] for params in deltas] == ["Hel", "lo t", "here"]

    (usage,) = done.params("thread/tokenUsage/updated")
    assert usage["turnId"] == done.turn_id
    assert usage["tokenUsage"] == {"total": COUNTED, "last": COUNTED, "modelContextWindow": 258400}

    turn = done.turn
    assert (turn["status"], turn["error"], turn["itemsView"]) == ("completed", None, "summary")
    assert turn["items"] == [answer]
    assert turn["startedAt"] == begun["startedAt"] <= turn["completedAt"]
    assert 0 <= turn["durationMs"] < 10_000


async def test_the_tokens_of_a_thread_are_summed_up(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", usage=USAGE, times=2)
    thread = await start_thread(server, "once")
    await talk(server, thread)

    (usage,) = (await talk(server, thread)).params("thread/tokenUsage/updated")

    assert usage["tokenUsage"]["last"] == COUNTED
    assert usage["tokenUsage"]["total"] == {name: 2 * count for name, count in COUNTED.items()}


async def test_the_limits_that_an_answer_tells_are_told(fake: FakeOpenAI, server: ServerProcess) -> None:
    headers = {
        "x-codex-primary-used-percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1795259999",
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "9.99",
    }
    fake.script(text="One", headers=headers)
    thread = await start_thread(server, "once")

    (limits,) = (await talk(server, thread)).params("account/rateLimits/updated")

    assert limits["rateLimits"]["primary"] == {"usedPercent": 13, "windowDurationMins": 300, "resetsAt": 1795259999}
    assert limits["rateLimits"]["credits"] == {"hasCredits": True, "unlimited": False, "balance": "9.99"}
    assert limits["rateLimits"]["planType"] is None


async def test_a_failed_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=403, json={"error": {"message": "No."}})
    thread = await start_thread(server, "once")

    failed = await talk(server, thread)

    assert failed.methods == [
        "thread/status/changed",
        "turn/started",
        "item/started",
        "item/completed",
        "thread/status/changed",
        "error",
        "turn/completed",
    ]
    assert [params["status"]["type"] for params in failed.params("thread/status/changed")] == ["active", "systemError"]
    (error,) = failed.params("error")
    assert error == {
        "error": {
            "message": f"unexpected status 403 Forbidden: No., url: {fake.base_url}/v1/responses",
            "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 403}},
            "additionalDetails": None,
            "misalignment": None,
        },
        "willRetry": False,
        "threadId": thread,
        "turnId": failed.turn_id,
    }
    turn = failed.turn
    assert (turn["status"], turn["items"], turn["itemsView"]) == ("failed", [], "notLoaded")
    assert turn["error"] == error["error"]
    assert turn["completedAt"] >= turn["startedAt"]


async def test_the_thread_of_a_failed_turn_shows_the_failure_until_the_next_one(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", status=403)
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")

    read = await server.result("thread/read", {"threadId": thread})
    assert read["thread"]["status"] == {"type": "systemError"}

    done = await talk(server, thread, "Second")
    assert [params["status"]["type"] for params in done.params("thread/status/changed")] == ["active", "idle"]
    assert done.status == "completed"


async def test_a_retry_says_so_between_the_attempts_and_nothing_else(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=403, json={"error": {"message": "No."}}, times=2)
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.methods == [*PLAIN[:4], "error", "error", *PLAIN[4:]]
    assert done.notices == [
        {
            "message": f"Reconnecting... {number}/2",
            "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": 403}},
            "additionalDetails": f"unexpected status 403 Forbidden: No., url: {fake.base_url}/v1/responses",
            "misalignment": None,
        }
        for number in (1, 2)
    ]


async def test_a_second_turn_start_while_a_turn_runs_is_part_of_that_turn(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread, "First")
    await fake.wait_hanging()

    assert await begin(server, thread, "Second") == turn_id

    done = await course(server, thread, turn_id)
    assert (done.status, done.spoken) == ("completed", ["Second"])
