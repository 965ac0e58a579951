"""``thread/start``: what it answers and announces, what it takes, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start, without_times
from tests.wire.threads.support import files_below, lines_of, refused, spoken
from tests.wire.turns.support import KEY, KEY_VARIABLE, asked, start_thread, talk

READ_ONLY: Json = {"type": "readOnly", "networkAccess": False}


async def started(server: ServerProcess, **params: Any) -> Json:
    """The answer to a request for a thread."""
    result: Json = await server.result("thread/start", params)
    return result


async def test_the_answer_shows_the_thread_and_the_settings_in_force(server: ServerProcess) -> None:
    result = await started(server)

    thread = result.pop("thread")
    cwd, thread_id, begun = str(Path.cwd()), thread["id"], thread["createdAt"]
    assert result == {
        "model": "gpt-5.1-codex",
        "modelProvider": "once",
        "serviceTier": None,
        "disabledPluginIds": [],
        "cwd": cwd,
        "runtimeWorkspaceRoots": [cwd],
        "instructionSources": [],
        "approvalPolicy": "on-request",
        "approvalsReviewer": "user",
        "sandbox": READ_ONLY,
        "activePermissionProfile": {"id": ":read-only", "extends": None},
        "reasoningEffort": None,
    }
    path = Path(thread.pop("path"))
    assert path.parent.parent.parent.parent == server.home / "sessions"
    assert path.name.startswith("rollout-")
    assert path.name.endswith(f"-{thread_id}.jsonl")
    assert thread == {
        "id": thread_id,
        "sessionId": thread_id,
        "forkedFromId": None,
        "parentThreadId": None,
        "preview": "",
        "ephemeral": False,
        "projectId": None,
        "historyMode": "paginated",
        "modelProvider": "once",
        "model": "gpt-5.1-codex",
        "reasoningEffort": None,
        "createdAt": begun,
        "updatedAt": begun,
        "recencyAt": begun,
        "status": {"type": "idle"},
        "cwd": cwd,
        "cliVersion": "0.169.0",
        "originator": "test",
        "source": "vscode",
        "canAcceptDirectInput": True,
        "threadSource": None,
        "agentNickname": None,
        "agentRole": None,
        "gitInfo": None,
        "name": None,
        "turns": [],
    }
    assert thread_id[14] == "7"


async def test_the_thread_is_announced_after_the_answer_and_nothing_else_is(server: ServerProcess) -> None:
    await server.send({"id": 1, "method": "thread/start", "params": {}})

    answer = await server.message()
    said = without_times(await server.barrier())

    assert said == [{"method": "thread/started", "params": {"thread": answer["result"]["thread"]}}]


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"model": "zz"}, {"model": "zz"}),
        ({"model": None, "cwd": None, "config": None, "ephemeral": None}, {"model": "gpt-5.1-codex"}),
        ({"cwd": "/nonexistent"}, {"cwd": "/nonexistent", "runtimeWorkspaceRoots": ["/nonexistent"]}),
        ({"cwd": "rel"}, {"cwd": str(Path.cwd() / "rel")}),
        ({"cwd": ""}, {"cwd": str(Path.cwd())}),
        ({"approvalPolicy": "never"}, {"approvalPolicy": "never"}),
        ({"sandbox": "read-only"}, {"sandbox": READ_ONLY, "activePermissionProfile": None}),
        ({"sandbox": "danger-full-access"}, {"sandbox": {"type": "dangerFullAccess"}}),
        ({"approvalsReviewer": "auto_review"}, {"approvalsReviewer": "auto_review"}),
        ({"serviceTier": "flex"}, {"serviceTier": "flex"}),
        ({"config": {"model": "cm"}}, {"model": "cm"}),
        ({"config": {"model": "cm"}, "model": "zz"}, {"model": "zz"}),
        ({"config": {"approval_policy": "never"}}, {"approvalPolicy": "never"}),
        ({"config": {"model_reasoning_effort": "high"}}, {"reasoningEffort": "high"}),
        ({"config": {"sandbox_mode": "danger-full-access"}}, {"sandbox": {"type": "dangerFullAccess"}}),
    ],
)
async def test_what_is_asked_for_is_in_force(server: ServerProcess, params: Json, shown: Json) -> None:
    result = await started(server, **params)

    assert {name: result[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"threadSource": "mine"}, {"threadSource": "mine"}),
        ({"historyMode": "legacy"}, {"historyMode": "legacy"}),
        ({"model": "zz", "cwd": "/x"}, {"model": "zz", "cwd": "/x"}),
        ({"config": {"model_provider": "openai"}}, {"modelProvider": "openai"}),
    ],
)
async def test_the_thread_shows_what_it_was_begun_with(server: ServerProcess, params: Json, shown: Json) -> None:
    thread = (await started(server, **params))["thread"]

    assert {name: thread[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"modelProvider": "nope"}, "failed to load configuration: Model provider `nope` not found"),
        (
            {"config": {"model_provider": "nope"}},
            "failed to load configuration: Model provider `nope` not found",
        ),
        (
            {"config": {"model": 5}},
            "failed to load configuration: invalid type: integer `5`, expected a string\nin `model`\n",
        ),
        (
            {"sandbox": "readOnly"},
            (
                "Invalid request: unknown variant `readOnly`, "
                "expected one of `read-only`, `workspace-write`, `danger-full-access`"
            ),
        ),
        (
            {"approvalPolicy": "on-failure"},
            (
                "Invalid request: unknown variant `on-failure`, "
                "expected one of `untrusted`, `on-request`, `granular`, `never`"
            ),
        ),
        (
            {"approvalsReviewer": "x"},
            "Invalid request: unknown variant `x`, expected one of `user`, `auto_review`, `guardian_subagent`",
        ),
        (
            {"personality": "zz"},
            "Invalid request: unknown variant `zz`, expected one of `none`, `friendly`, `pragmatic`",
        ),
        ({"historyMode": "x"}, "Invalid request: unknown variant `x`, expected `legacy` or `paginated`"),
        ({"model": 5}, "Invalid request: invalid type: integer `5`, expected a string"),
        ({"ephemeral": "yes"}, 'Invalid request: invalid type: string "yes", expected a boolean'),
        ({"config": "x"}, 'Invalid request: invalid type: string "x", expected a map'),
        (5, "Invalid request: invalid type: integer `5`, expected struct ThreadStartParams"),
        (None, "Invalid request: missing field `params`"),
        (..., "Invalid request: missing field `params`"),
    ],
)
async def test_what_cannot_be_had_is_refused_and_nothing_is_begun(
    server: ServerProcess, params: Any, message: str
) -> None:
    before = await server.result("thread/loaded/list", {})

    assert await server.error("thread/start", params) == refused(message)

    assert await server.result("thread/loaded/list", {}) == before
    assert await server.barrier() == []


EXPERIMENTAL: Json = {
    "dynamicTools": [],
    "historyMode": "legacy",
    "permissions": ":read-only",
    "runtimeWorkspaceRoots": [],
    "projectId": "p",
}


async def test_experimental_members_need_the_capability_and_null_is_none(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)
        for name, value in EXPERIMENTAL.items():
            error = await server.error("thread/start", {name: value})
            assert error == refused(f"thread/start.{name} requires experimentalApi capability")
        assert await server.result("thread/start", dict.fromkeys(EXPERIMENTAL))
        for method in ("thread/resume", "thread/fork"):
            error = await server.error(method, {"threadId": "x", "path": "/x"})
            assert error == refused(f"{method}.path requires experimentalApi capability")
        for member in ("threadSource", "serviceName", "serviceTier"):
            assert await server.result("thread/start", {member: "x"})
        for method in ("thread/turns/list", "thread/items/list", "thread/inject_items", "thread/delete"):
            assert "capability" not in (await server.error(method, {"threadId": "x", "items": [1]}))["message"]
        assert await server.result("thread/loaded/list", {})


async def test_an_unknown_setting_is_told_and_ignored(server: ServerProcess) -> None:
    thread = (await started(server, config={"nope": 1, "model": "cm"}))["thread"]

    said = without_times(await server.barrier())

    assert [message["method"] for message in said] == ["thread/started", "warning"]
    assert said[1]["params"] == {
        "threadId": thread["id"],
        "message": "Codex is ignoring 1 unrecognized configuration setting. Check for typos or deprecated settings.\n"
        "  session-flags: `nope` is ignored.",
    }


async def test_a_provider_that_only_this_thread_has_is_the_one_that_is_asked(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    config = {
        "model_provider": "own",
        "model_providers.own": {
            "name": "Own",
            "base_url": f"{fake.base_url}/v1",
            "env_key": KEY_VARIABLE,
            "http_headers": {"x-own": "yes"},
            "request_max_retries": 0,
            "stream_max_retries": 1,
        },
    }
    fake.fault("responses", status=500)
    thread_id = await start_thread(server, "own", config=config)

    done = await talk(server, thread_id)

    assert spoken(done) == ("completed", ["Hello"])
    assert len(done.notices) == 1, "its own count of retries holds"
    assert [request.headers.get("x-own") for request in asked(fake)] == ["yes", "yes"]
    assert asked(fake)[0].bearer == KEY
    # Nobody else has it.
    error = await server.error("thread/start", {"modelProvider": "own"})
    assert error == refused("failed to load configuration: Model provider `own` not found")


async def test_one_thread_may_have_another_address_for_a_provider_that_all_have(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    other = await start_thread(server, "once")
    moved = await start_thread(
        server, "once", config={"model_providers.once.base_url": f"{fake.base_url}/backend-api/codex"}
    )
    fake.configure(accept_any_token=True)

    for thread_id in (moved, other):
        assert (await talk(server, thread_id)).status == "completed"

    assert [request.path for request in asked(fake)] == ["/backend-api/codex/responses", "/v1/responses"]


async def test_the_file_comes_with_the_first_turn(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    thread = (await started(own_server))["thread"]
    assert files_below(own_server.home) == {f"thread-writer-locks/{thread['id']}.lock"}

    assert (await talk(own_server, thread["id"])).status == "completed"

    relative = str(Path(thread["path"]).relative_to(own_server.home))
    assert files_below(own_server.home) == {f"thread-writer-locks/{thread['id']}.lock", relative}
    first, *rest = lines_of(thread["path"])
    assert (first["type"], first["payload"]["id"]) == ("session_meta", thread["id"])
    assert rest[0]["payload"]["type"] == "task_started"
    assert rest[-1]["payload"]["type"] == "task_complete"
    assert [line["ordinal"] for line in (first, *rest)] == list(range(len(rest) + 1))


async def test_an_ephemeral_thread_works_and_leaves_nothing_behind(fake: FakeOpenAI, start: Start, home: Path) -> None:
    async with start() as server:
        await server.barrier()
        before = files_below(home)
        result = await started(server, ephemeral=True)
        thread_id = result["thread"]["id"]
        assert (result["thread"]["ephemeral"], result["thread"]["path"]) == (True, None)
        await server.notification("thread/started")

        for text in ("One", "Two"):
            assert spoken(await talk(server, thread_id, text)) == ("completed", [text])

        assert (await server.result("thread/list", {}))["data"] == []
        assert (await server.result("thread/loaded/list", {}))["data"] == [thread_id]
        assert len((await server.result("thread/turns/list", {"threadId": thread_id}))["data"]) == 2
        await server.close_input()
        assert await server.exit_status() == 0
    assert files_below(home) == before


@pytest.mark.parametrize("method", ["thread/resume", "thread/archive", "thread/fork"])
async def test_what_needs_a_file_is_refused_for_an_ephemeral_thread_which_goes_on(
    fake: FakeOpenAI, server: ServerProcess, method: str
) -> None:
    thread_id = await start_thread(server, "once", ephemeral=True)

    error = await server.error(method, {"threadId": thread_id})

    assert error == refused(f"no rollout found for thread id {thread_id}")
    assert spoken(await talk(server, thread_id)) == ("completed", ["Hello"])


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("thread/delete", {}, "thread is not persisted and cannot be deleted: "),
        ("thread/name/set", {"name": "x"}, "ephemeral thread does not support metadata updates: "),
    ],
)
async def test_an_ephemeral_thread_has_no_name_and_is_not_deleted(
    fake: FakeOpenAI, server: ServerProcess, method: str, params: Json, message: str
) -> None:
    thread_id = await start_thread(server, "once", ephemeral=True)

    assert await server.error(method, {"threadId": thread_id, **params}) == refused(message + thread_id)

    assert spoken(await talk(server, thread_id)) == ("completed", ["Hello"])


async def test_an_id_is_taken_in_any_form_of_a_uuid(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await start_thread(server, "once")

    for form in (thread_id.upper(), thread_id.replace("-", ""), f"{{{thread_id}}}", f"urn:uuid:{thread_id}"):
        result = await server.result("thread/read", {"threadId": form})
        assert result["thread"]["id"] == thread_id
