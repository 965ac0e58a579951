"""``model/list`` and ``modelProvider/*`` on the wire (keys and texts observed on the reference, 0.169.0)."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import Credential
from app_server.config import ModelProvider, Settings
from app_server.config.settings import BUILT_IN_PROVIDERS
from app_server.handlers.models import ModelHandlers
from app_server.models import ModelCatalogue, ModelFacts
from protocol.errors import InvalidRequest
from protocol.model import MODEL_LIST, MODEL_PROVIDER_CAPABILITIES, MODEL_PROVIDER_LIST

VISIBLE = [
    *("gpt-6.1-sol", "gpt-6-astra", "gpt-6-sol", "gpt-6-luna", "gpt-5.6-sol", "gpt-6.1-terra", "gpt-5.6-terra"),
    *("gpt-5.6-luna", "gpt-5.5"),
]


class Endpoint:
    """Providers that answer what they are told to."""

    def __init__(self) -> None:
        self.answer: list[ModelFacts] | None = None

    async def ask(self, provider_id: str, credential: Credential | None, timeout: float) -> list[ModelFacts] | None:
        return self.answer


async def nobody() -> None:
    return None


class Bench:
    """The handlers of a server with these settings."""

    def __init__(self, settings: Settings) -> None:
        self.endpoint = Endpoint()
        self.handlers = ModelHandlers(settings, ModelCatalogue(settings, self.endpoint, nobody))

    async def models(self, **params: Any) -> Any:
        reply = await self.handlers.models(MODEL_LIST.decode(params))
        return json.loads(reply.result.to_json())

    async def ids(self, **params: Any) -> tuple[list[str], str | None]:
        answer = await self.models(**params)
        return [model["id"] for model in answer["data"]], answer["nextCursor"]

    async def providers(self) -> Any:
        reply = await self.handlers.providers(MODEL_PROVIDER_LIST.decode({}))
        return json.loads(reply.result.to_json())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Settings(tmp_path))


async def test_a_model_has_the_members_of_the_reference_in_their_order(bench: Bench) -> None:
    model = (await bench.models(limit=1))["data"][0]
    assert list(model) == [
        *("id", "model", "upgrade", "upgradeInfo", "availabilityNux", "displayName", "description", "modelSpecialty"),
        *("hidden", "supportedReasoningEfforts", "defaultReasoningEffort", "inputModalities", "supportsPersonality"),
        *("multiAgentVersion", "additionalSpeedTiers", "serviceTiers", "defaultServiceTier"),
        *("availableAccessPrograms", "isDefault"),
    ]
    assert (model["model"], model["isDefault"], model["defaultReasoningEffort"]) == ("gpt-6.1-sol", True, "low")
    assert [list(effort) for effort in model["supportedReasoningEfforts"]] == [["reasoningEffort", "description"]] * 6
    assert [tier["id"] for tier in model["serviceTiers"]] == ["priority"]
    assert model["additionalSpeedTiers"] == ["fast"]


async def test_a_model_that_has_been_replaced_says_by_which(bench: Bench) -> None:
    models = {model["id"]: model for model in (await bench.models())["data"]}
    old = models["gpt-5.6-luna"]
    assert (old["upgrade"], old["upgradeInfo"]["model"]) == ("gpt-6-luna", "gpt-6-luna")


async def test_visible_models_come_in_the_references_order_and_hidden_ones_for_those_who_ask(bench: Bench) -> None:
    assert await bench.ids() == (VISIBLE, None)
    assert await bench.ids(includeHidden=None, limit=None, cursor=None, modelProvider=None) == (VISIBLE, None)
    everything, _ = await bench.ids(includeHidden=True)
    assert len(everything) == 12
    assert [name for name in everything if name in VISIBLE] == VISIBLE
    assert everything[-1] == "codex-auto-review"


async def test_only_the_first_visible_model_is_the_default(bench: Bench) -> None:
    models = (await bench.models(includeHidden=True))["data"]
    assert [model["id"] for model in models if model["isDefault"]] == ["gpt-6.1-sol"]


async def test_lists_come_in_pages(bench: Bench) -> None:
    assert await bench.ids(cursor="1", limit=2) == (["gpt-6-astra", "gpt-6-sol"], "3")
    assert await bench.ids(cursor="10", includeHidden=True) == (["gpt-5.5", "codex-auto-review"], None)
    with pytest.raises(InvalidRequest, match=r"^cursor 99 exceeds total models 9$"):
        await bench.models(cursor="99")


async def test_an_unknown_provider_is_refused_with_data(bench: Bench) -> None:
    with pytest.raises(InvalidRequest) as error:
        await bench.models(modelProvider="zz")
    assert error.value.message == (
        "This chat uses model provider “zz”, which is no longer configured. "
        "Restore this provider’s configuration to continue."  # noqa: RUF001 - the wire
    )
    assert error.value.data == {"type": "modelProviderNotConfigured", "modelProvider": "zz"}


async def test_a_provider_of_ones_own_has_the_models_that_it_tells(bench: Bench) -> None:
    bench.endpoint.answer = [ModelFacts("h", "H", hidden=True), ModelFacts("llama", "Llama")]
    (model,) = (await bench.models(modelProvider="ollama"))["data"]
    assert (model["id"], model["displayName"], model["isDefault"]) == ("llama", "Llama", True)
    assert (model["supportedReasoningEfforts"], model["defaultReasoningEffort"]) == ([], "medium")
    assert (model["serviceTiers"], model["additionalSpeedTiers"], model["upgradeInfo"]) == ([], [], None)
    assert await bench.ids() == (VISIBLE, None)


async def test_providers_are_told_without_their_secrets(tmp_path: Path) -> None:
    canary = SecretStr("canary")
    providers = {
        "none": ModelProvider("None", "http://a/v1"),
        "key": ModelProvider("Key", "http://a/v1", env_key="KEY"),
        "account": ModelProvider("Account", "http://a/v1", requires_openai_auth=True),
        "token": ModelProvider("Token", "http://a/v1", experimental_bearer_token=canary),
        "header": ModelProvider("Header", "http://a/v1", env_key="KEY", http_headers={"A": canary}),
        "query": ModelProvider("Query", None, query_params={"a": canary}),
        "variable": ModelProvider("Variable", "http://a/v1", env_http_headers={"A": "B"}),
        "pasted": ModelProvider("Pasted", "http://a/v1", env_key="sk-canary"),
    }
    settings = Settings(tmp_path, model_provider="key", model_providers={**BUILT_IN_PROVIDERS, **providers})
    answer = await Bench(settings).providers()
    assert "canary" not in json.dumps(answer)
    assert (answer["defaultProviderId"], answer["canChangeDefault"]) == ("key", False)
    *custom, builtin = answer["data"]
    assert builtin == {
        "id": "openai",
        "name": "OpenAI",
        "canEdit": False,
        "baseUrl": None,
        "settings": {"type": "openai"},
    }
    assert {one["id"]: one["settings"]["auth"] for one in custom} == {
        "none": {"mode": "none"},
        "key": {"mode": "environmentVariable", "envKey": "KEY"},
        "account": {"mode": "externallyConfigured", "envKey": None},
        "token": {"mode": "externallyConfigured", "envKey": None},
        "header": {"mode": "externallyConfigured", "envKey": "KEY"},
        "query": {"mode": "externallyConfigured", "envKey": None},
        "variable": {"mode": "externallyConfigured", "envKey": None},
        "pasted": {"mode": "environmentVariable", "envKey": "<redacted>"},
    }
    assert custom[0]["settings"]["type"] == "customGateway"
    assert (custom[0]["baseUrl"], custom[5]["baseUrl"]) == ("http://a/v1", None)


async def test_a_built_in_provider_is_told_when_it_is_selected(tmp_path: Path) -> None:
    assert [one["id"] for one in (await Bench(Settings(tmp_path)).providers())["data"]] == ["openai"]
    answer = await Bench(Settings(tmp_path, model_provider="ollama")).providers()
    assert [one["id"] for one in answer["data"]] == ["ollama", "openai"]


async def test_no_provider_is_asked_for_more_than_answers(bench: Bench) -> None:
    reply = await bench.handlers.capabilities(MODEL_PROVIDER_CAPABILITIES.decode({}))
    assert json.loads(reply.result.to_json()) == {"webSearch": False, "imageGeneration": False}
