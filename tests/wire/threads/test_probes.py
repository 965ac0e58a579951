"""What clients ask about before they begin: models, providers, the configuration, and what this server has none of."""

from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import refused, thread_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider

MODEL_KEYS = [
    "id",
    "model",
    "upgrade",
    "upgradeInfo",
    "availabilityNux",
    "displayName",
    "description",
    "modelSpecialty",
    "hidden",
    "supportedReasoningEfforts",
    "defaultReasoningEffort",
    "inputModalities",
    "supportsPersonality",
    "multiAgentVersion",
    "additionalSpeedTiers",
    "serviceTiers",
    "defaultServiceTier",
    "availableAccessPrograms",
    "isDefault",
]


async def models(server: ServerProcess, **params: Any) -> list[Json]:
    """The models of one page."""
    result = await server.result("model/list", params)
    data: list[Json] = result["data"]
    return data


# Models


async def test_each_model_is_described_in_full_and_one_is_the_default(server: ServerProcess) -> None:
    found = await models(server, modelProvider="openai")

    assert len(found) > 1
    for model in found:
        assert list(model) == MODEL_KEYS
        assert (model["hidden"], model["model"]) == (False, model["id"])
        efforts = [effort["reasoningEffort"] for effort in model["supportedReasoningEfforts"]]
        assert model["defaultReasoningEffort"] in efforts
    assert [model["isDefault"] for model in found] == [True, *[False] * (len(found) - 1)]
    hidden = await models(server, modelProvider="openai", includeHidden=True)
    assert [model for model in hidden if not model["hidden"]] == found
    assert len(hidden) > len(found)


async def test_models_page_by_page(server: ServerProcess) -> None:
    everything = await models(server, modelProvider="openai")
    params: Json = {"modelProvider": "openai", "limit": 2}
    found: list[Json] = []
    cursor: Any = None
    while not found or cursor is not None:
        page = await server.result("model/list", {**params, "cursor": cursor})
        found.extend(page["data"])
        cursor = page["nextCursor"]

    assert found == everything
    assert await models(server, **{**params, "limit": 0}) == everything[:1]
    assert await server.error("model/list", {"cursor": "x"}) == refused("invalid cursor: x")
    count = len(everything)
    beyond = await server.error("model/list", {"modelProvider": "openai", "cursor": "99"})
    assert beyond == refused(f"cursor 99 exceeds total models {count}")


async def test_models_of_a_provider_that_is_not_there(server: ServerProcess) -> None:
    assert await server.error("model/list", {"modelProvider": "x"}) == {
        "code": -32600,
        "message": "This chat uses model provider “x”, which is no longer configured. "
        "Restore this provider’s configuration to continue.",  # noqa: RUF001 - the wire
        "data": {"type": "modelProviderNotConfigured", "modelProvider": "x"},
    }


# Providers and configuration


async def test_the_providers_there_are_and_openais_last(fake: FakeOpenAI, server: ServerProcess) -> None:
    result = await server.result("modelProvider/list", {})

    assert result == {
        "data": [
            {
                "id": "once",
                "name": "once",
                "canEdit": False,
                "baseUrl": f"{fake.base_url}/v1",
                "settings": {
                    "type": "customGateway",
                    "auth": {"mode": "environmentVariable", "envKey": KEY_VARIABLE},
                },
            },
            {
                "id": "openai",
                "name": "OpenAI",
                "canEdit": False,
                "baseUrl": f"{fake.base_url}/v1",
                "settings": {"type": "openai"},
            },
        ],
        "defaultProviderId": "once",
        "canChangeDefault": False,
    }


async def test_what_providers_can_do_through_this_server(server: ServerProcess) -> None:
    """It asks no provider for either."""
    result = await server.result("modelProvider/capabilities/read", {})

    assert result == {"imageGeneration": False, "webSearch": False}


async def test_the_configuration_in_force_and_where_it_comes_from(start: Start, home: Path) -> None:
    write(home / "config.toml", 'model_reasoning_effort = "high"\nmodel = "from the file"\nnope = 1\n')
    async with start() as server:
        result = await server.result("config/read", {})

        assert result["layers"] is None
        config = result["config"]
        assert (config["model"], config["model_reasoning_effort"]) == ("gpt-5.1-codex", "high")
        assert (config["model_provider"], config["approval_policy"]) == ("once", None)
        assert result["origins"]["model"]["name"] == {"type": "sessionFlags"}
        in_file = result["origins"]["model_reasoning_effort"]["name"]
        assert in_file == {"type": "user", "file": str(home / "config.toml"), "profile": None}
        assert result["origins"]["model"]["version"].startswith("sha256:")

        layers = (await server.result("config/read", {"includeLayers": True, "cwd": "/"}))["layers"]
        assert [layer["name"]["type"] for layer in layers][:2] == ["sessionFlags", "user"]
        assert layers[1]["config"]["model"] == "from the file"
        null = await server.error("config/read", {"includeLayers": None})
        assert null == refused("Invalid request: invalid type: null, expected a boolean")


async def test_no_answer_shows_a_secret(fake: FakeOpenAI, start: Start) -> None:
    secrets: dict[str, Any] = {
        "http_headers": '{X-Key = "canary-1"}',
        "query_params": '{key = "canary-2"}',
        "experimental_bearer_token": '"canary-3"',
    }
    async with start(*provider("mine", f"{fake.base_url}/v1", env_key="none", **secrets)) as server:
        answers = [
            await server.result("config/read", {"includeLayers": True}),
            await server.result("modelProvider/list", {}),
            await server.result("thread/start", {"modelProvider": "mine"}),
        ]

        assert "canary" not in str(answers)
        assert KEY not in str(answers)
        assert "canary" not in server.log.read_text()


def write(path: Path, text: str) -> None:
    """A file, with the directory that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# What there is none of

NOTHING: list[tuple[str, Json, Json]] = [
    (
        "skills/list",
        {"cwds": ["/a", "/b"]},
        {"data": [{"cwd": cwd, "skills": [], "errors": []} for cwd in ("/a", "/b")]},
    ),
    ("permissionProfile/list", {}, {"data": [], "nextCursor": None}),
    ("permissionProfile/list", {"cursor": None, "limit": None, "cwd": None}, {"data": [], "nextCursor": None}),
    ("mcpServerStatus/list", {}, {"data": [], "nextCursor": None}),
    ("mcpServerStatus/list", {"detail": "full", "threadId": None}, {"data": [], "nextCursor": None}),
    ("experimentalFeature/list", {}, {"data": [], "nextCursor": None}),
    ("collaborationMode/list", {}, {"data": []}),
]


@pytest.mark.parametrize(("method", "params", "result"), NOTHING)
async def test_there_is_nothing(server: ServerProcess, method: str, params: Json, result: Json) -> None:
    assert await server.result(method, params) == result


async def test_without_folders_the_servers_own_has_no_skills(server: ServerProcess) -> None:
    entry = {"cwd": str(Path.cwd()), "skills": [], "errors": []}

    assert await server.result("skills/list", {}) == {"data": [entry]}


async def test_a_thread_has_no_goal_whether_it_is_loaded_or_not(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")

    assert await server.result("thread/goal/get", {"threadId": thread_id}) == {"goal": None}
    await server.result("thread/archive", {"threadId": thread_id})
    assert await server.result("thread/goal/get", {"threadId": thread_id}) == {"goal": None}


@pytest.mark.parametrize("method", sorted({method for method, _, _ in NOTHING} | {"model/list", "config/read"}))
async def test_params_have_to_be_there(server: ServerProcess, method: str) -> None:
    for params in (..., None):
        assert await server.error(method, params) == refused("Invalid request: missing field `params`")


@pytest.mark.parametrize(
    ("method", "things"),
    [
        ("permissionProfile/list", "permission profiles"),
        ("mcpServerStatus/list", "MCP servers"),
        ("experimentalFeature/list", "feature flags"),
    ],
)
async def test_cursors_of_empty_lists(server: ServerProcess, method: str, things: str) -> None:
    assert await server.error(method, {"cursor": "x"}) == refused("invalid cursor: x")
    assert await server.error(method, {"cursor": "99"}) == refused(f"cursor 99 exceeds total {things} 0")
    negative = await server.error(method, {"limit": -1})
    assert negative == refused("Invalid request: invalid value: integer `-1`, expected u32")


async def test_only_the_modes_of_collaboration_need_the_capability(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)
        error = await server.error("collaborationMode/list", {})
        assert error == refused("collaborationMode/list requires experimentalApi capability")
        others = {method for method, _, _ in NOTHING} - {"collaborationMode/list"}
        for method in (*others, "model/list", "modelProvider/list", "modelProvider/capabilities/read", "config/read"):
            await server.result(method, {})
