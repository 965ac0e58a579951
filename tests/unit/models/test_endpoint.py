"""What a request for a provider's models carries, and that none of its failures is an error."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import Claims, ExternalTokens
from app_server.auth.errors import NotRecoverable, RecoveryFailed
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import HttpClient
from app_server.config import ModelProvider, Settings
from app_server.config.settings import BUILT_IN_PROVIDERS
from app_server.http_server import DropConnection, HttpServer, Request, Response, bind_loopback
from app_server.models.endpoint import ModelsEndpoint

ACCOUNT = ExternalTokens(SecretStr("token-1"), "account-1", "plus", Claims())
NEWER = ExternalTokens(SecretStr("token-2"), "account-1", "plus", Claims())

MODELS = b'{"data": [{"id": "m"}]}'


class Auth:
    """In place of the owner of the credentials."""

    def __init__(self) -> None:
        self.recovery: ExternalTokens | RecoveryFailed = NotRecoverable()

    async def recover(self, used: ExternalTokens) -> ExternalTokens:
        assert used is ACCOUNT
        if isinstance(self.recovery, RecoveryFailed):
            raise self.recovery
        return self.recovery


class Bench:
    """A provider on the loopback, and whoever asks it."""

    def __init__(self, home: Path, client: HttpClient, port: int) -> None:
        self.home = home
        self.client = client
        self.base = f"http://127.0.0.1:{port}"
        self.auth = Auth()
        self.environ = {"X_KEY": " sk-env ", "X_HEADER": "h"}
        self.requests: list[Request] = []
        self.answers: list[Response] = []

    async def serve(self, request: Request) -> Response:
        self.requests.append(request)
        if not self.answers:
            raise DropConnection
        return self.answers.pop(0)

    async def ask(
        self,
        provider: ModelProvider,
        credential: ExternalTokens | None = None,
        *,
        name: str = "x",
        timeout: float = 5.0,
    ) -> list[str] | None:
        settings = Settings(
            self.home,
            chatgpt_base_url=f"{self.base}/backend-api",
            model_providers={**BUILT_IN_PROVIDERS, name: provider},
        )
        http = AuthorizedHttp(self.client, self.auth)  # type: ignore[arg-type]
        endpoint = ModelsEndpoint(self.client, http, settings, self.environ)
        with anyio.fail_after(10):
            models = await endpoint.ask(name, credential, timeout)
        return None if models is None else [model.id for model in models]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    listener = bind_loopback(0)
    async with aclosing(HttpClient()) as client, anyio.create_task_group() as tasks:
        bench = Bench(tmp_path, client, listener.getsockname()[1])
        await tasks.start(HttpServer(bench.serve).serve, listener)
        yield bench
        tasks.cancel_scope.cancel()


def answer(body: bytes = MODELS, status: int = 200) -> Response:
    return Response(status, (("content-type", "application/json"),), body)


async def test_a_request_carries_the_providers_own_key_headers_and_query(bench: Bench) -> None:
    provider = ModelProvider(
        "X",
        f"{bench.base}/v1",
        env_key="X_KEY",
        http_headers={"X-A": SecretStr("a")},
        env_http_headers={"X-B": "X_HEADER", "X-C": "MISSING"},
        query_params={"q": SecretStr("1 2")},
    )
    bench.answers = [answer()]
    assert await bench.ask(provider) == ["m"]
    (request,) = bench.requests
    assert (request.method, request.path, request.query) == ("GET", "/v1/models", (("q", "1 2"),))
    headers = request.headers
    assert (headers.get("authorization"), headers.get("x-a"), headers.get("x-b")) == ("Bearer sk-env", "a", "h")
    assert headers.get("x-c") is None
    assert headers.get("chatgpt-account-id") is None


async def test_a_request_for_an_account_carries_its_token_and_our_version(bench: Bench) -> None:
    provider = ModelProvider("X", f"{bench.base}/v1", requires_openai_auth=True, query_params={"q": SecretStr("1")})
    bench.answers = [answer()]
    assert await bench.ask(provider, ACCOUNT) == ["m"]
    (request,) = bench.requests
    assert request.query == (("q", "1"), ("client_version", "0.169.0"))
    assert request.headers.get("authorization") == "Bearer token-1"
    assert request.headers.get("chatgpt-account-id") == "account-1"


async def test_chatgpt_accounts_ask_their_backend(bench: Bench) -> None:
    bench.answers = [answer()]
    assert await bench.ask(BUILT_IN_PROVIDERS["openai"], ACCOUNT, name="openai") == ["m"]
    assert bench.requests[0].target == "/backend-api/codex/models?client_version=0.169.0"


async def test_a_refused_token_is_recovered_from(bench: Bench) -> None:
    bench.answers, bench.auth.recovery = [answer(status=401), answer()], NEWER
    provider = ModelProvider("X", bench.base, requires_openai_auth=True)
    assert await bench.ask(provider, ACCOUNT) == ["m"]
    assert bench.requests[1].headers.get("authorization") == "Bearer token-2"


@pytest.mark.parametrize(
    "response",
    [
        answer(status=401),
        answer(status=404),
        answer(status=500),
        answer(b"<html>"),
        answer(b"[" * 100_000),
        answer(b"\xff"),
        answer(b'{"data": []}'),
        answer(b"{}"),
        None,
    ],
)
async def test_whatever_else_comes_back_is_no_answer(bench: Bench, response: Response | None) -> None:
    bench.answers = [] if response is None else [response]
    assert await bench.ask(ModelProvider("X", bench.base)) is None
    assert len(bench.requests) == 1


@pytest.mark.parametrize("failure", [NotRecoverable(), RecoveryFailed("no")])
async def test_a_recovery_that_fails_is_no_answer(bench: Bench, failure: RecoveryFailed) -> None:
    bench.answers, bench.auth.recovery = [answer(status=401)], failure
    assert await bench.ask(ModelProvider("X", bench.base, requires_openai_auth=True), ACCOUNT) is None


async def test_a_provider_that_cannot_be_asked_gives_no_answer(bench: Bench) -> None:
    assert await bench.ask(ModelProvider("X")) is None
    assert await bench.ask(ModelProvider("X", bench.base, env_key="MISSING")) is None
    assert await bench.ask(ModelProvider("X", bench.base, http_headers={"X-A": SecretStr("a\nb")})) is None
    assert bench.requests == []
    listener = bind_loopback(0)
    port = listener.getsockname()[1]
    listener.close()
    assert await bench.ask(ModelProvider("X", f"http://127.0.0.1:{port}")) is None


async def test_a_silent_provider_gives_no_answer(bench: Bench) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep_forever()

    bench.answers = [Response(200, (), never())]
    assert await bench.ask(ModelProvider("X", bench.base), timeout=0.05) is None
