"""Requests for a response: where they go, what they carry, and how their streams are read."""

import anyio
import orjson
import pytest

from app_server.auth.credentials import ApiKey
from app_server.backend.response_failures import UpstreamFailure
from app_server.config.settings import DEFAULT_PROVIDER
from app_server.fake_openai.server import FakeOpenAI
from tests.unit.auth.manager_support import KEY
from tests.unit.backend.support import (
    COMPLETED,
    CREATED,
    DEADLINE,
    DROP,
    HANG,
    WAIT,
    bench,
    chunk,
    error,
    head,
    provider,
    raw_upstream,
    secrets,
    sse,
    streamed,
    whole,
)

DELTA = {"type": "response.output_text.delta", "delta": "é"}
OK = streamed(CREATED, COMPLETED)


# The stream


async def test_the_fakes_answer_comes_whole_and_in_order() -> None:
    async with FakeOpenAI.running() as fake, bench(provider(f"{fake.base_url}/v1", env_key="KEY"), {"KEY": "k"}) as b:
        fake.script(text="Hello there, é😀", deltas=7, chunk_bytes=5)
        events = await b.events()
    assert "".join(event["delta"] for event in events if event["type"].endswith("text.delta")) == "Hello there, é😀"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"


async def test_what_comes_together_is_one_batch_and_what_comes_later_another() -> None:
    first, second = sse(CREATED, DELTA) + sse(DELTA)[:9], sse(DELTA)[9:] + sse(COMPLETED)
    answer = (head() + chunk(first), WAIT, chunk(second) + chunk(b""))
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        batches = []
        async with b.api.open(b.settings, "mine", {}, {}) as stream:
            async for batch in stream.batches():
                batches.append(batch)
                upstream.go_on.set()
        assert batches == [[CREATED, DELTA], [DELTA, COMPLETED]]


async def test_nothing_is_read_beyond_the_end_of_the_response() -> None:
    answer = (head() + chunk(sse(CREATED, COMPLETED, DELTA)), HANG)
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        assert await b.events() == [CREATED, COMPLETED]
        await upstream.left.wait()


async def test_an_upstream_that_drops_the_connection_after_the_response_does_no_harm() -> None:
    async with (
        raw_upstream((head() + chunk(sse(COMPLETED)), DROP)) as upstream,
        bench(provider(upstream.base_url)) as b,
    ):
        assert await b.events() == [COMPLETED]


async def test_what_came_before_a_failure_is_there() -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}}
    answer = head() + chunk(sse(CREATED, DELTA, failed, COMPLETED))
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        assert (await b.failure()).came == [CREATED, DELTA]


async def test_the_connection_is_used_again() -> None:
    async with raw_upstream(OK) as upstream, bench(provider(upstream.base_url)) as b:
        for _ in range(5):
            await b.events()
        assert [asked.connection for asked in upstream.asked] == [1] * 5


async def test_many_at_once_each_have_their_own_answer() -> None:
    async with FakeOpenAI.running() as fake, bench(provider(f"{fake.base_url}/v1", env_key="KEY"), {"KEY": "k"}) as b:
        texts: dict[int, str] = {}

        async def ask(number: int) -> None:
            said = [{"role": "user", "content": f"number {number}"}]
            events = await b.events(input=said)
            texts[number] = "".join(event.get("delta", "") for event in events)

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, number)
    assert texts == {number: f"number {number}" for number in range(50)}


async def test_whoever_is_cancelled_has_closed_the_connection_at_once() -> None:
    async with raw_upstream((head() + chunk(sse(CREATED)), HANG)) as upstream, bench(provider(upstream.base_url)) as b:
        reading = anyio.Event()

        async def read() -> None:
            async with b.api.open(b.settings, "mine", {}, {}) as stream:
                async for _ in stream.batches():
                    reading.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await reading.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(DEADLINE / 2):
            await upstream.left.wait()


async def test_whoever_has_read_enough_closes_the_connection() -> None:
    async with raw_upstream((head() + chunk(sse(CREATED)), HANG)) as upstream, bench(provider(upstream.base_url)) as b:
        async with b.api.open(b.settings, "mine", {}, {}) as stream:
            async for batch in stream.batches():
                assert batch == [CREATED]
                break
        with anyio.fail_after(DEADLINE / 2):
            await upstream.left.wait()


async def test_whoever_is_cancelled_before_the_headers_leaves_too() -> None:
    async with raw_upstream((HANG,)) as upstream, bench(provider(upstream.base_url)) as b:
        with anyio.fail_after(DEADLINE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(b.events)
                await upstream.hanging.wait()
                tasks.cancel_scope.cancel()
            await upstream.left.wait()


async def test_the_headers_of_the_answer_are_there_before_its_events() -> None:
    answer = streamed(COMPLETED, headers=("x-codex-primary-used-percent: 12.5",))
    async with (
        raw_upstream(answer) as upstream,
        bench(provider(upstream.base_url)) as b,
        b.api.open(b.settings, "mine", {}, {}) as stream,
    ):
        assert stream.headers["X-Codex-Primary-Used-Percent"] == "12.5"


# Sending again in silence


@pytest.mark.parametrize(
    "answer", [(error("503 Service Unavailable"),), (DROP,), (error("500 Internal Server Error"),)]
)
async def test_a_request_whose_stream_has_not_begun_is_sent_again(answer: tuple[bytes | str, ...]) -> None:
    async with raw_upstream(answer, answer, OK) as upstream:
        async with bench(provider(upstream.base_url, request_max_retries=2)) as b:
            assert await b.events() == [CREATED, COMPLETED]
        assert [orjson.loads(asked.body) for asked in upstream.asked] == [orjson.loads(upstream.asked[0].body)] * 3


async def test_it_is_sent_so_many_times_and_no_more() -> None:
    async with raw_upstream(error("502 Bad Gateway")) as upstream:
        async with bench(provider(upstream.base_url, request_max_retries=2)) as b:
            assert (await b.failure()).failure.http_status == 502
        assert len(upstream.asked) == 3


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "429 Too Many Requests"])
async def test_what_the_upstream_refuses_is_not_sent_again(status: str) -> None:
    async with raw_upstream(error(status, "retry-after: 0")) as upstream:
        async with bench(provider(upstream.base_url, request_max_retries=4)) as b:
            await b.failure()
        assert len(upstream.asked) == 1


async def test_a_stream_that_has_begun_is_not_sent_again() -> None:
    async with raw_upstream((head() + chunk(sse(CREATED)), DROP)) as upstream:
        async with bench(provider(upstream.base_url, request_max_retries=4)) as b:
            await b.failure()
        assert len(upstream.asked) == 1


# Where it goes and what it carries


async def test_the_request_is_json_for_an_event_stream_in_the_name_of_the_client() -> None:
    async with raw_upstream(OK) as upstream, bench(provider(upstream.base_url)) as b:
        async with b.api.open(b.settings, "mine", {"input": "é"}, {"Session-Id": "t1"}):
            pass
        (asked,) = upstream.asked
    assert (asked.target, orjson.loads(asked.body)) == ("/v1/responses", {"input": "é"})
    for name, value in {
        "accept": "text/event-stream",
        "content-type": "application/json",
        "user-agent": "me/1",
        "originator": "me",
        "session-id": "t1",
    }.items():
        assert asked.headers[name] == value
    assert not {"authorization", "chatgpt-account-id", "version"} & asked.headers.keys()


async def test_a_provider_brings_its_key_headers_and_query() -> None:
    async with raw_upstream(OK) as upstream:
        mine = provider(
            upstream.base_url,
            env_key="MY_KEY",
            http_headers=secrets(**{"X-Plain": "1", "Authorization": "Bearer other", "User-Agent": "mine"}),
            env_http_headers={"X-Env": "ENV", "X-Blank": "BLANK", "X-Gone": "GONE"},
            query_params=secrets(**{"api-version": "1", "key": "s k/x&"}),
        )
        async with bench(mine, {"MY_KEY": " my-key ", "ENV": " value ", "BLANK": " "}) as b:
            await b.events()
        (asked,) = upstream.asked
    assert asked.target == "/v1/responses?api-version=1&key=s%20k%2Fx%26"
    assert asked.headers["authorization"] == "Bearer my-key"
    assert (asked.headers["x-plain"], asked.headers["x-env"]) == ("1", "value")
    assert asked.headers["user-agent"] == "mine"
    assert not {"x-blank", "x-gone"} & asked.headers.keys()


@pytest.mark.parametrize("environ", [{}, {"MY_KEY": " "}])
async def test_without_its_key_a_provider_is_not_asked(environ: dict[str, str]) -> None:
    async with raw_upstream(OK) as upstream, bench(provider(upstream.base_url, env_key="MY_KEY"), environ) as b:
        failed = await b.failure()
        assert (failed.message, failed.info, failed.failure.retry) == (
            *("Missing environment variable: `MY_KEY`.", "other", "no"),
        )
        assert upstream.asked == []


async def test_a_key_that_is_no_header_value_is_neither_sent_nor_told() -> None:
    async with (
        raw_upstream(OK) as upstream,
        bench(provider(upstream.base_url, env_key="K"), {"K": "a\r\nx-b: secret"}) as b,
    ):
        failed = await b.failure()
        assert (failed.failure.retry, upstream.asked) == ("no", [])
        assert "secret" not in failed.message


async def test_a_query_that_may_hold_a_key_is_not_told() -> None:
    async with (
        raw_upstream(error("403 Forbidden", message="m")) as upstream,
        bench(provider(upstream.base_url, query_params=secrets(key="secret"))) as b,
    ):
        assert (await b.failure()).message == f"unexpected status 403 Forbidden: m, url: {upstream.url}"


async def test_a_provider_that_there_is_not_is_an_error() -> None:
    async with bench(provider("http://127.0.0.1:9")) as b:
        assert (await b.failure("nope")).message == "Model provider `nope` not found"


@pytest.mark.parametrize("mine", [{}, {"env_key": "K", "requires_openai_auth": True}])
async def test_the_accounts_credential_goes_to_no_provider_that_does_not_need_it(mine: dict[str, object]) -> None:
    async with (
        raw_upstream(OK, error("401 Unauthorized")) as upstream,
        bench(provider(upstream.base_url, **mine), {"K": "own"}, stored=KEY) as b,
    ):
        await b.events()
        await b.failure()
    assert [asked.headers.get("authorization") for asked in upstream.asked] == ["Bearer own" if mine else None] * 2


async def test_an_api_key_goes_to_the_platform_and_where_the_configuration_says() -> None:
    async with raw_upstream(OK) as upstream:
        built_in = provider(upstream.base_url, requires_openai_auth=True)
        async with bench(built_in, stored=KEY, model_providers={DEFAULT_PROVIDER: built_in}) as b:
            await b.events(DEFAULT_PROVIDER)
        (asked,) = upstream.asked
    assert asked.headers["authorization"] == f"Bearer {KEY.key.get_secret_value()}"
    assert asked.headers["version"] == "0.169.0"
    assert "chatgpt-account-id" not in asked.headers


# An API key, or nobody


@pytest.mark.parametrize("stored", [KEY, None])
async def test_a_401_says_that_a_login_is_needed_only_if_there_is_none(stored: ApiKey | None) -> None:
    async with (
        raw_upstream(error("401 Unauthorized", message="no")) as upstream,
        bench(provider(upstream.base_url, requires_openai_auth=True), stored=stored) as b,
    ):
        failed = await b.failure()
    text = f"unexpected status 401 Unauthorized: no, url: {upstream.url}"
    needed = ". Nobody is logged in, and this model provider needs a login. Log in and send the message again."
    assert failed.message == (text if stored else text + needed)
    assert failed.info == {"httpConnectionFailed": {"httpStatusCode": 401}}
    assert failed.failure.retry == ("stream" if stored else "no")
    assert len(upstream.asked) == 1


async def test_nobody_is_logged_in_where_none_is_needed_after_all() -> None:
    async with raw_upstream(OK) as upstream, bench(provider(upstream.base_url, requires_openai_auth=True)) as b:
        assert await b.events() == [CREATED, COMPLETED]
        assert "authorization" not in upstream.asked[0].headers


async def test_an_answer_that_is_no_stream_is_let_go() -> None:
    async with raw_upstream(whole("403 Forbidden", b"no"), OK) as upstream, bench(provider(upstream.base_url)) as b:
        with pytest.raises(UpstreamFailure):
            await b.events()
        await b.events()
        assert upstream.connections == 1
