"""Which answer about models counts, when a provider is asked, and how long one waits for it."""

from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Claims, Credential, ExternalTokens
from app_server.config import ModelProvider, Settings
from app_server.config.settings import BUILT_IN_PROVIDERS
from app_server.models import ModelCatalogue, ModelFacts
from app_server.models.bundled import BUNDLED
from app_server.models.catalogue import ASKING_TIMEOUT, LIFETIME, PAUSE

KEY = ApiKey(SecretStr("sk-1"))
ONE = ExternalTokens(SecretStr("t-1"), "account-1", "plus", Claims())
NEWER = ExternalTokens(SecretStr("t-2"), "account-1", "plus", Claims())
OTHER = ExternalTokens(SecretStr("t-3"), "account-2", "plus", Claims())

LISTED = [ModelFacts("hidden", "H", hidden=True), ModelFacts("mine", "M", context_window=1000)]


class Bench:
    """A catalogue, an account, a clock, and a provider that answers what it is told to."""

    def __init__(self, settings: Settings, timeout: float = ASKING_TIMEOUT) -> None:
        self.timeout = timeout
        self.credential: Credential | None = None
        self.answer: list[ModelFacts] | None = None
        self.asked: list[tuple[str, Credential | None]] = []
        self.may_answer = anyio.Event()
        self.may_answer.set()
        self.asking = anyio.Event()
        self.now = 0.0
        self.catalogue = ModelCatalogue(settings, self, self._account, lambda: self.now, timeout)

    async def ask(self, provider_id: str, credential: Credential | None, timeout: float) -> list[ModelFacts] | None:
        assert timeout == self.timeout
        self.asked.append((provider_id, credential))
        self.asking.set()
        await self.may_answer.wait()
        return self.answer

    async def _account(self) -> Credential | None:
        return self.credential

    async def ids(self, provider_id: str = "x") -> list[str]:
        with anyio.fail_after(ASKING_TIMEOUT + 5):
            return [model.id for model in await self.catalogue.models(provider_id)]


BUNDLED_IDS = [model.id for model in BUNDLED]


def settings(tmp_path: Path, provider: ModelProvider = ModelProvider("X", "http://x"), **more: object) -> Settings:  # noqa: B008 - immutable
    return Settings(tmp_path, model_providers={**BUILT_IN_PROVIDERS, "x": provider})._replace(**more)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(settings(tmp_path))


@pytest.mark.parametrize("credential", [None, KEY], ids=["nobody", "api key"])
async def test_without_a_chatgpt_login_openai_has_the_bundled_models_and_is_not_asked(
    bench: Bench, credential: Credential | None
) -> None:
    bench.credential, bench.answer = credential, LISTED
    assert await bench.ids("openai") == BUNDLED_IDS
    assert bench.asked == []
    assert bench.catalogue.default_model("openai") == "gpt-6.1-sol"


async def test_a_chatgpt_login_has_the_models_that_its_backend_tells(bench: Bench) -> None:
    bench.credential, bench.answer = ONE, LISTED
    assert await bench.ids("openai") == ["hidden", "mine"]
    assert bench.asked == [("openai", ONE)]
    assert bench.catalogue.default_model("openai") == "mine"
    assert bench.catalogue.find("openai", "mine").context_window == 1000
    assert bench.catalogue.find("openai", "gpt-5.5").known


async def test_a_provider_with_a_key_of_its_own_is_asked_without_an_account(tmp_path: Path) -> None:
    provider = ModelProvider("X", "http://x", env_key="X_KEY", requires_openai_auth=True)
    bench = Bench(settings(tmp_path, provider))
    bench.credential, bench.answer = ONE, LISTED
    assert await bench.ids() == ["hidden", "mine"]
    assert bench.asked == [("x", None)]


async def test_an_answer_counts_for_a_while_also_with_newer_tokens_of_the_account(bench: Bench) -> None:
    bench.credential, bench.answer = ONE, LISTED
    await bench.ids("openai")
    bench.credential, bench.now = NEWER, LIFETIME - 1
    await bench.ids("openai")
    assert len(bench.asked) == 1
    bench.now = LIFETIME
    await bench.ids("openai")
    assert len(bench.asked) == 2


async def test_another_account_has_its_own_list(bench: Bench) -> None:
    bench.credential, bench.answer = ONE, LISTED
    await bench.ids("openai")
    bench.credential, bench.answer = OTHER, None
    assert await bench.ids("openai") == BUNDLED_IDS
    assert bench.asked[1] == ("openai", OTHER)
    assert not bench.catalogue.find("openai", "mine").known
    bench.credential = None
    assert await bench.ids("openai") == BUNDLED_IDS


async def test_a_provider_that_does_not_answer_is_left_alone_for_a_moment(bench: Bench) -> None:
    assert await bench.ids() == BUNDLED_IDS
    bench.answer, bench.now = LISTED, PAUSE - 1
    assert await bench.ids() == BUNDLED_IDS
    assert len(bench.asked) == 1
    bench.now = PAUSE
    assert await bench.ids() == ["hidden", "mine"]


async def test_an_old_answer_is_better_than_none(bench: Bench) -> None:
    bench.answer = LISTED
    await bench.ids()
    bench.answer, bench.now = None, LIFETIME
    assert await bench.ids() == ["hidden", "mine"]
    assert len(bench.asked) == 2


async def test_a_provider_that_does_not_answer_has_the_configured_model(tmp_path: Path) -> None:
    bench = Bench(settings(tmp_path, model="llama", model_provider="x"))
    assert await bench.ids() == ["llama"]
    assert await bench.ids("ollama") == BUNDLED_IDS


async def test_many_who_want_the_same_list_ask_once(bench: Bench) -> None:
    bench.answer = LISTED
    bench.may_answer = anyio.Event()
    results: list[list[str]] = []

    async def want() -> None:
        results.append(await bench.ids())

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(want)
        await bench.asking.wait()
        bench.may_answer.set()
    assert results == [["hidden", "mine"]] * 10
    assert len(bench.asked) == 1


async def test_one_who_gives_up_leaves_the_others_alone(bench: Bench) -> None:
    bench.answer = LISTED
    bench.may_answer = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.ids)
        await bench.asking.wait()
        tasks.cancel_scope.cancel()
    bench.may_answer.set()
    bench.now = PAUSE
    assert await bench.ids() == ["hidden", "mine"]


async def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    bench = Bench(settings(tmp_path), timeout=0.05)
    bench.may_answer = anyio.Event()
    assert await bench.ids() == BUNDLED_IDS
    assert len(bench.asked) == 1


async def test_nothing_is_known_about_a_model_of_which_nobody_knows(bench: Bench) -> None:
    assert not bench.catalogue.find("x", "llama").known
    assert bench.catalogue.find("a provider of one thread", "gpt-5.5").known
    assert bench.catalogue.default_model("a provider of one thread") == "gpt-6.1-sol"
