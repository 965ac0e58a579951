"""``thread/resume``: in the process that has the thread loaded, and in another one."""

import shutil
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start, without_times
from tests.wire.threads.support import (
    NOBODY,
    echoed,
    fork,
    listed,
    no_rollout,
    read,
    refused,
    resume,
    said,
    spoken,
    thread_with,
    told,
    unload,
)
from tests.wire.turns.support import KEY_VARIABLE, begin, delta, provider, start_thread, talk


async def test_another_process_goes_on_where_the_first_one_ended(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await thread_with(first, "One", "Two", developerInstructions="Be brief.")
        before = await read(first, thread_id)
    async with start() as second:
        thread = (await resume(second, thread_id))["thread"]

        assert thread["turns"] == before["turns"]
        assert [said(turn) for turn in thread["turns"]] == [["One", "One"], ["Two", "Two"]]
        assert {**thread, "updatedAt": 0, "recencyAt": 0} == {**before, "updatedAt": 0, "recencyAt": 0}
        done = await talk(second, thread_id, "Three")
        assert spoken(done) == ("completed", ["Three"])

    one, two, three = fake.requests.of("responses")
    assert told(fake) == echoed("One", "Two", "Three")
    # What was said before is said again to the letter, so that the model's side finds it in its cache.
    assert three.json["input"][: len(two.json["input"])] == two.json["input"]
    assert two.json["input"][: len(one.json["input"])] == one.json["input"]
    for name in ("model", "instructions", "prompt_cache_key"):
        assert three.json[name] == one.json[name]
    assert "Be brief." in str(three.json["input"])


async def test_the_order_of_what_is_said_when_a_thread_is_loaded(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await thread_with(first, "One")
    async with start() as second:
        await second.barrier()
        await second.send({"id": 1, "method": "thread/resume", "params": {"threadId": thread_id}})

        messages = [await second.message() for _ in range(3)]

        assert [message.get("method") for message in messages] == [
            "thread/status/changed",
            None,
            "thread/tokenUsage/updated",
        ]
        assert messages[0]["params"] == {"threadId": thread_id, "status": {"type": "idle"}}
        turn = messages[1]["result"]["thread"]["turns"][0]
        assert messages[2]["params"]["turnId"] == turn["id"]
        assert messages[2]["params"]["tokenUsage"]["total"]["totalTokens"] > 0
        assert await second.barrier() == []


async def test_a_thread_that_is_loaded_is_resumed_as_it_is(fake: FakeOpenAI, server: ServerProcess) -> None:
    """What is asked for besides is for loading only."""
    thread_id = await thread_with(server, "One")
    await server.barrier()

    others: Json = {"model": "zz", "cwd": "/x", "modelProvider": "nope", "sandbox": "workspace-write"}
    result = await server.result("thread/resume", {"threadId": thread_id, **others})

    assert (result["model"], result["modelProvider"], result["cwd"]) == ("gpt-5.1-codex", "once", str(Path.cwd()))
    assert result["sandbox"]["type"] == "readOnly"
    assert [said(turn) for turn in result["thread"]["turns"]] == [["One", "One"]]
    methods = [message["method"] for message in without_times(await server.barrier())]
    assert methods == ["thread/tokenUsage/updated"]


async def test_the_thread_is_loaded_with_what_is_asked_for(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One", model="before")
    await unload(server, thread_id)
    await server.barrier()

    wishes: Json = {"model": "after", "cwd": "/x", "approvalPolicy": "never", "sandbox": "workspace-write"}
    result = await server.result("thread/resume", {"threadId": thread_id, **wishes})

    assert (result["model"], result["cwd"], result["approvalPolicy"]) == ("after", "/x", "never")
    assert result["sandbox"]["type"] == "workspaceWrite"
    assert (result["thread"]["model"], result["thread"]["cwd"]) == ("after", "/x")
    (warning,) = [message for message in await server.barrier() if message["method"] == "warning"]
    assert warning["params"] == {
        "threadId": thread_id,
        "message": "This session was recorded with model `before` but is resuming with `after`. "
        "Consider switching back to `before` as it may affect Codex performance.",
    }
    await talk(server, thread_id, "Two")
    assert fake.requests.of("responses")[-1].json["model"] == "after"


async def test_the_settings_of_the_last_turn_hold_in_another_process(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await thread_with(first, "One")
        await talk(first, thread_id, "Two", model="other", effort="high", cwd="/y", approvalPolicy="never")
    async with start() as second:
        result = await resume(second, thread_id)

        assert (result["model"], result["reasoningEffort"], result["cwd"]) == ("other", "high", "/y")
        assert result["approvalPolicy"] == "never"
        await talk(second, thread_id, "Three")
        body = fake.requests.of("responses")[-1].json
        assert (body["model"], body["reasoning"]["effort"]) == ("other", "high")


async def test_a_running_turn_is_shown_as_far_as_it_is_and_goes_on(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    turn_id = await begin(server, thread_id, "Two")
    await delta(server, thread_id)

    result = await resume(server, thread_id)

    assert result["thread"]["status"] == {"type": "active", "activeFlags": []}
    turn = result["thread"]["turns"][-1]
    assert (turn["id"], turn["status"], turn["completedAt"], turn["durationMs"]) == (turn_id, "inProgress", None, None)
    assert [item["type"] for item in turn["items"]][:1] == ["userMessage"]
    fake.release()
    await server.take(lambda message: message.get("method") == "turn/completed")
    await server.barrier()


async def test_turns_are_left_out_or_come_as_a_page(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One", "Two", "Three")
    await unload(server, thread_id)

    result = await resume(server, thread_id, excludeTurns=True, initialTurnsPage={"limit": 1})

    assert result["thread"]["turns"] == []
    page = result["initialTurnsPage"]
    assert [said(turn) for turn in page["data"]] == [["Three", "Three"]]
    following = await server.result("thread/turns/list", {"threadId": thread_id, "cursor": page["nextCursor"]})
    assert [said(turn) for turn in following["data"]] == [["Two", "Two"], ["One", "One"]]
    assert following["nextCursor"] is None


async def test_two_at_once_load_it_once(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    await unload(server, thread_id)
    params: Json = {"threadId": thread_id}
    await server.send(*({"id": number, "method": "thread/resume", "params": params} for number in range(1, 6)))

    answers = [await server.answer(number) for number in range(1, 6)]

    assert {answer["result"]["thread"]["id"] for answer in answers} == {thread_id}
    await server.barrier()
    assert spoken(await talk(server, thread_id, "Two")) == ("completed", ["Two"])
    assert told(fake) == echoed("One", "Two")


async def test_by_its_path_whatever_the_id_says(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    path = (await read(server, thread_id))["path"]
    await unload(server, thread_id)

    thread = (await resume(server, "x", path=path))["thread"]

    assert (thread["id"], thread["path"]) == (thread_id, path)
    assert (await resume(server, "x", path=path))["thread"]["id"] == thread_id
    await talk(server, thread_id, "Two")
    assert told(fake) == echoed("One", "Two")


async def test_a_file_elsewhere_can_be_resumed(fake: FakeOpenAI, server: ServerProcess, tmp_path: Path) -> None:
    thread_id = await thread_with(server, "One")
    path = Path((await read(server, thread_id))["path"])
    await unload(server, thread_id)
    elsewhere = str(shutil.move(path, tmp_path))

    thread = (await resume(server, thread_id, path=elsewhere))["thread"]

    assert (thread["id"], thread["path"]) == (thread_id, elsewhere)
    await talk(server, thread_id, "Two")
    assert told(fake) == echoed("One", "Two")
    assert said((await read(server, thread_id))["turns"][1]) == ["Two", "Two"]


async def test_another_path_for_a_thread_that_is_loaded_is_refused(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")

    error = await server.error("thread/resume", {"threadId": thread_id, "path": "/nope"})

    path = (await read(server, thread_id))["path"]
    assert error == refused(
        f"cannot resume running thread {thread_id} with stale path: requested `/nope`, active `{path}`"
    )


async def test_a_path_without_a_file(server: ServerProcess) -> None:
    error = await server.error("thread/resume", {"threadId": NOBODY, "path": "/nope"})

    assert error == refused("failed to resolve rollout path `/nope`: file does not exist")


async def test_before_the_first_turn_there_is_nothing_to_resume(server: ServerProcess) -> None:
    thread_id = await start_thread(server, "once")

    assert await server.error("thread/resume", {"threadId": thread_id}) == no_rollout(thread_id)
    assert await server.error("thread/resume", {"threadId": NOBODY}) == no_rollout(NOBODY)


async def test_an_archived_thread_has_to_be_brought_back_first(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    await server.result("thread/archive", {"threadId": thread_id})
    archived = refused(f"session {thread_id} is archived. Run `codex unarchive {thread_id}` to unarchive it first.")

    for method in ("thread/resume", "thread/fork"):
        assert await server.error(method, {"threadId": thread_id}) == archived


@pytest.mark.parametrize("method", ["thread/resume", "thread/fork"])
async def test_a_thread_whose_provider_is_gone_waits_for_it_to_come_back(
    fake: FakeOpenAI, start: Start, method: str
) -> None:
    async with start(*provider("gone", f"{fake.base_url}/v1")) as first:
        thread_id = await start_thread(first, "gone")
        await talk(first, thread_id, "One")
    async with start() as second:
        error = await second.error(method, {"threadId": thread_id})

        assert error == {
            "code": -32600,
            "message": "This chat uses model provider “gone”, which is no longer configured. "
            "Restore this provider’s configuration to continue.",  # noqa: RUF001 - the wire
            "data": {"type": "modelProviderNotConfigured", "modelProvider": "gone"},
        }
        assert await listed(second) == []
        assert await listed(second, modelProviders=["gone"]) == await listed(second, modelProviders=[]) == [thread_id]
        assert said((await read(second, thread_id))["turns"][0]) == ["One", "One"]
        unknown = await second.error(method, {"threadId": thread_id, "modelProvider": "nope"})
        assert unknown == refused("failed to load configuration: Model provider `nope` not found")
        if method == "thread/resume":
            assert await second.error(method, {"threadId": thread_id, "modelProvider": "once"}) == error
        else:
            forked = (await fork(second, thread_id, modelProvider="once"))["thread"]
            await talk(second, forked["id"], "Two")
            assert told(fake) == echoed("One", "Two")


async def test_a_thread_stays_with_its_provider(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    await unload(server, thread_id)

    error = await server.error("thread/resume", {"threadId": thread_id, "modelProvider": "openai"})

    assert error == refused(
        "failed to load configuration: Cannot change this thread's model provider from `once` to `openai` on resume."
    )
    assert (await resume(server, thread_id, modelProvider="once"))["modelProvider"] == "once"


async def test_a_provider_that_only_the_thread_has_is_brought_again(fake: FakeOpenAI, server: ServerProcess) -> None:
    own: Json = {"base_url": f"{fake.base_url}/v1", "env_key": KEY_VARIABLE, "http_headers": {"x-own": "yes"}}
    thread_id = await start_thread(server, "own", config={"model_providers.own": own})
    await talk(server, thread_id, "One")
    await unload(server, thread_id)
    error = await server.error("thread/resume", {"threadId": thread_id})
    assert error["data"] == {"type": "modelProviderNotConfigured", "modelProvider": "own"}

    await resume(server, thread_id, config={"model_providers.own": own})

    await talk(server, thread_id, "Two")
    assert told(fake) == echoed("One", "Two")
    assert fake.requests.of("responses")[-1].headers.get("x-own") == "yes"


async def test_a_thread_that_ran_while_nobody_listened_can_be_listened_to_again(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread_id = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    turn_id = await begin(server, thread_id, "Two")
    await delta(server, thread_id)
    await server.result("thread/unsubscribe", {"threadId": thread_id})
    await server.barrier()

    await resume(server, thread_id)
    fake.release()

    finished = await server.notification("turn/completed")
    assert finished["turn"]["id"] == turn_id
    await server.barrier()
    assert spoken(await talk(server, thread_id, "Three")) == ("completed", ["Three"])


NULLS: Json = dict.fromkeys(
    [
        "path",
        "model",
        "modelProvider",
        "serviceTier",
        "cwd",
        "runtimeWorkspaceRoots",
        "approvalPolicy",
        "approvalsReviewer",
        "sandbox",
        "permissions",
        "config",
        "baseInstructions",
        "developerInstructions",
    ]
)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("thread/resume", ["personality", "initialTurnsPage"]),
        ("thread/fork", ["lastTurnId", "beforeTurnId", "threadSource"]),
    ],
)
async def test_null_is_as_good_as_absent(fake: FakeOpenAI, server: ServerProcess, method: str, more: list[str]) -> None:
    thread_id = await thread_with(server, "One")
    await unload(server, thread_id)

    result = await server.result(method, {"threadId": thread_id, **NULLS, **dict.fromkeys(more)})

    assert (result["model"], result["modelProvider"], result["cwd"]) == ("gpt-5.1-codex", "once", str(Path.cwd()))
    assert said(result["thread"]["turns"][0]) == ["One", "One"]
    await server.barrier()
