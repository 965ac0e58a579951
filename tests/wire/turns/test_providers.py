"""What a model provider's settings do to the request (wire.md sections 1 and 14)."""

from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import ServerProcess
from tests.support.upstream import (
    COMPLETED,
    LOGIN,
    Start,
    log_in_with_tokens,
    managed_login,
    store,
    tokens_login,
)
from tests.wire.turns.support import KEY, KEY_VARIABLE, asked, provider, start_thread, talk


async def test_a_provider_with_a_key_of_its_own_gets_that_key_whoever_is_logged_in(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await log_in_with_tokens(server, fake.mint())
    thread = await start_thread(server, "once")

    assert (await talk(server, thread)).status == "completed"

    (request,) = asked(fake)
    assert request.bearer == KEY
    assert request.headers.get("chatgpt-account-id") is None
    assert (request.method, request.path, request.query) == ("POST", "/v1/responses", {})
    assert request.headers.get("accept") == "text/event-stream"
    assert request.headers.get("content-type") == "application/json"
    assert request.headers.get("originator") == "test"
    for name in ("session-id", "thread-id", "x-client-request-id"):
        assert request.headers.get(name) == thread


async def test_headers_query_and_base_url_of_a_provider(fake: FakeOpenAI, start: Start) -> None:
    overrides = provider(
        "mine",
        f"{fake.base_url}/backend-api/codex/",
        http_headers='{X-Mine = "canary-1", "originator" = "other"}',
        env_http_headers='{X-Env = "MY_HEADER", X-Unset = "NOT_SET", X-Empty = "MY_BLANK"}',
        query_params='{api-version = "2026-01 x&y"}',
    )
    fake.configure(accept_any_token=True)
    async with start(*overrides, env={"MY_HEADER": "canary-2", "MY_BLANK": " "}) as server:
        thread = await start_thread(server, "mine")

        assert (await talk(server, thread)).status == "completed"

        (request,) = asked(fake)
        assert request.path == "/backend-api/codex/responses"
        assert request.query == {"api-version": "2026-01 x&y"}
        names = ("x-mine", "x-env", "x-unset", "x-empty", "originator")
        assert [request.headers.get(name) for name in names] == ["canary-1", "canary-2", None, None, "other"]
        assert request.headers.get_all("originator") == ["other"]
        log = server.log.read_text()
        assert [canary for canary in ("canary", KEY, "2026-01") if canary in log] == []


async def test_the_query_which_may_hold_a_key_is_in_no_error(fake: FakeOpenAI, start: Start) -> None:
    overrides = provider("mine", f"{fake.base_url}/v1", query_params='{key = "canary"}')
    async with start(*overrides) as server:
        fake.fault("responses", status=403, body="No.")
        thread = await start_thread(server, "mine")

        failed = await talk(server, thread)

        assert asked(fake)[0].query == {"key": "canary"}
        assert failed.error["message"] == f"unexpected status 403 Forbidden: No., url: {fake.base_url}/v1/responses"


@pytest.mark.parametrize("value", ["", "  ", None])
async def test_a_key_that_is_missing_from_the_environment_fails_the_turn(
    fake: FakeOpenAI, start: Start, value: str | None
) -> None:
    overrides = provider("mine", f"{fake.base_url}/v1", env_key='"MISSING_KEY"', stream=3)
    async with start(*overrides, env={} if value is None else {"MISSING_KEY": value}) as server:
        thread = await start_thread(server, "mine")

        failed = await talk(server, thread)

        assert failed.error["message"] == "Missing environment variable: `MISSING_KEY`."
        assert (failed.error["codexErrorInfo"], failed.notices, asked(fake)) == ("other", [], [])


async def test_a_provider_without_a_key_is_asked_without_one(fake: FakeOpenAI, start: Start) -> None:
    """As it suits a server on the same machine, such as Ollama; the fake wants a key and says so."""
    async with start(*provider("local", f"{fake.base_url}/v1", env_key="none")) as server:
        await log_in_with_tokens(server, fake.mint())
        thread = await start_thread(server, "local")
        fake.fault("responses", status=200, headers={"content-type": "text/event-stream"}, body=(
            'data: {"type":"response.output_item.done","item":{"type":"message","role":"assistant",'
            '"content":[{"type":"output_text","text":"Local"}]}}\n\n'
            'data: {"type":"response.completed","response":{"id":"x"}}\n\n'
        ))  # fmt: skip

        assert (await talk(server, thread)).spoken == ["Local"]

        (request,) = asked(fake)
        assert request.headers.get("authorization") is None


async def test_a_key_in_the_configuration_is_used_and_shown_nowhere(fake: FakeOpenAI, start: Start) -> None:
    overrides = provider(
        "mine", f"{fake.base_url}/v1", env_key="none", experimental_bearer_token='"sk-canary-in-the-configuration"'
    )
    async with start(*overrides) as server:
        thread = await start_thread(server, "mine")

        done = await talk(server, thread)

        assert asked(fake)[0].bearer == "sk-canary-in-the-configuration"
        assert done.status == "completed"
        assert "canary" not in server.log.read_text()


@pytest.mark.parametrize(("request_retries", "stream_retries"), [(0, 0), (2, 0), (0, 1), (1, 1)])
async def test_a_permanent_failure_costs_the_product_of_both_counts(
    fake: FakeOpenAI, start: Start, request_retries: int, stream_retries: int
) -> None:
    overrides = provider("mine", f"{fake.base_url}/v1", request=request_retries, stream=stream_retries)
    async with start(*overrides) as server:
        fake.fault("responses", status=500, times=None)
        thread = await start_thread(server, "mine")

        failed = await talk(server, thread)

        assert failed.error["codexErrorInfo"] == "internalServerError"
        assert len(asked(fake)) == (1 + request_retries) * (1 + stream_retries)
        assert len(failed.notices) == stream_retries


async def test_the_built_in_provider_is_asked_with_the_stored_login_and_says_its_version(
    fake: FakeOpenAI, start: Start
) -> None:
    async with start('model_provider="openai"', env={}) as server:
        await server.result("account/login/start", {"type": "apiKey", "apiKey": "sk-stored"})
        thread = await start_thread(server, "openai")

        assert (await talk(server, thread)).status == "completed"

        (request,) = asked(fake)
        assert (request.bearer, request.path) == ("sk-stored", "/v1/responses")
        assert request.headers.get("version") == "0.169.0"
        assert request.headers.get("chatgpt-account-id") is None


async def test_tokens_go_with_the_id_of_their_account(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    thread = await start_thread(server, "login")

    assert (await talk(server, thread)).status == "completed"

    (request,) = asked(fake)
    assert request.bearer == tokens.access_token
    assert request.headers.get("chatgpt-account-id") == tokens.account.account_id


async def test_the_backend_of_the_workspace_is_asked_where_it_is(fake: FakeOpenAI, server: ServerProcess) -> None:
    """It has to be an https origin, which the fake is not: where the request goes is told by how it fails."""
    origin = f"https://127.0.0.1:{fake.port}"
    fake.add_account(Account(backend_origin=origin))
    await log_in_with_tokens(server, fake.mint())
    thread = await start_thread(server, "backend")

    failed = await talk(server, thread)

    assert failed.error["message"].startswith("stream disconnected before completion: error sending request: ")
    assert failed.error["message"].endswith(f"({origin}/backend-api/codex/responses)")
    assert asked(fake) == []


async def test_a_workspace_whose_backend_cannot_be_found_fails_the_turn(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.add_account(Account(backend_origin="https://127.0.0.1:9"))
    fake.fault("accounts_check", status=500, times=None)
    await server.result(LOGIN, tokens_login(fake.mint()))
    assert (await server.notification(COMPLETED))["error"] == "workspace routing discovery failed"
    thread = await start_thread(server, "backend")

    failed = await talk(server, thread)

    assert failed.error["message"] == "workspace routing discovery failed"
    assert failed.error["codexErrorInfo"] == "other"
    assert asked(fake) == []


async def test_a_thread_of_a_provider_that_is_not_configured_does_not_begin(server: ServerProcess) -> None:
    error = await server.error("thread/start", {"modelProvider": "what"})

    assert error == {"code": -32600, "message": "failed to load configuration: Model provider `what` not found"}


async def test_a_stored_sign_in_is_used_by_the_first_turn_after_the_start(
    fake: FakeOpenAI, start: Start, home: Path
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start(env={KEY_VARIABLE: ""}) as server:
        thread = await start_thread(server, "login")
        assert (await talk(server, thread)).status == "completed"
        assert asked(fake)[0].bearer == tokens.access_token
