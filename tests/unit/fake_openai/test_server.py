"""``FakeOpenAI`` as a whole: start, end, what points at it, what it records, reset."""

import socket

import anyio
import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.state import Settings
from app_server.fake_openai.tokens import Account
from tests.unit.fake_openai.conftest import Clock

KEY = {"authorization": "Bearer sk-1"}


async def test_environment_and_config_point_at_it(fake: FakeOpenAI) -> None:
    assert fake.environment() == {
        "CODEX_APP_SERVER_LOGIN_ISSUER": fake.base_url,
        "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{fake.base_url}/oauth/token",
        "CODEX_REVOKE_TOKEN_URL_OVERRIDE": f"{fake.base_url}/oauth/revoke",
        "CODEX_AUTHAPI_BASE_URL": fake.base_url,
    }
    assert fake.config_overrides() == [
        f'chatgpt_base_url="{fake.base_url}/backend-api"',
        f'openai_base_url="{fake.base_url}/v1"',
    ]
    assert fake.base_url == f"http://127.0.0.1:{fake.port}"


async def test_it_ends_with_the_block_and_the_port_is_free_again() -> None:
    async with FakeOpenAI.running() as first:
        port = first.port
    async with FakeOpenAI.running(port) as again:
        assert again.port == port


async def test_a_busy_port_is_an_os_error() -> None:
    async with FakeOpenAI.running() as fake:
        with pytest.raises(OSError, match="."):  # noqa: RUF043 - the text is the system's
            async with FakeOpenAI.running(fake.port):
                pass


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with FakeOpenAI.running():
            raise KeyError("mine")


async def test_cancelling_the_block_ends_it() -> None:
    with anyio.move_on_after(0.05) as scope:
        async with FakeOpenAI.running() as fake:
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", fake.port))


async def test_accounts_and_settings_can_be_chosen_from_the_start(clock: Clock) -> None:
    accounts = (Account(account_id="a"), Account(account_id="b"))
    async with FakeOpenAI.running(accounts=accounts, settings=Settings(access_token_seconds=5), clock=clock) as fake:
        assert fake.mint().account.account_id == "a"
        assert fake.mint("b").account.account_id == "b"
        assert fake.mint().expires_at == clock.now + 5
        fake.add_account(Account(account_id="c"), current=True)
        assert fake.mint().account.account_id == "c"
        fake.reset()
        assert fake.mint().account.account_id == "a"
        with pytest.raises(ValueError, match="unknown account 'c'"):
            fake.mint("c")


async def test_it_records_what_it_was_asked(fake: FakeOpenAI, client: httpx2.AsyncClient, clock: Clock) -> None:
    await client.get("/v1/models", params={"client_version": "1"}, headers=KEY)
    await client.post("/oauth/token", data={"grant_type": "x"})
    await client.post("/nowhere", json={"a": 1})
    models, token, nowhere = fake.requests
    assert (models.route, models.method, models.path, models.query) == (
        "models",
        "GET",
        "/v1/models",
        {"client_version": "1"},
    )
    assert nowhere.json == {"a": 1}
    with pytest.raises(ValueError, match="JSON"):
        _ = token.json
    assert (models.number, models.at, models.bearer) == (0, clock.now, "sk-1")
    assert (token.route, token.fields()) == ("token", {"grant_type": "x"})
    assert (nowhere.route, nowhere.fields(), nowhere.bearer) == ("unknown", {"a": 1}, None)
    assert "sk-1" not in repr(models)
    assert fake.requests.of("token") == [token]
    assert len(fake.requests) == 3


async def test_waiting_for_requests_ends_with_them_or_says_what_came_instead(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    async def ask(path: str) -> None:
        await client.get(path, headers=KEY)

    async with anyio.create_task_group() as tasks:
        for path in ("/v1/models", "/nowhere", "/v1/models"):
            tasks.start_soon(ask, path)
        found = await fake.requests.wait_for("models", count=2)
        assert [recorded.route for recorded in found] == ["models", "models"]
    selected = await fake.requests.wait_for(where=lambda recorded: recorded.path == "/nowhere")
    assert len(selected) == 1
    with pytest.raises(TimeoutError, match=r"1 of usage did not come in 0\.01 s; came: GET /.*"):
        await fake.requests.wait_for("usage", timeout=0.01)


async def test_recorded_requests_are_bounded_by_count_and_by_size(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    await client.get("/first")
    template = fake.requests.of(None)[0]._request
    for _ in range(5000):
        fake.requests.record("unknown", template)
    assert len(fake.requests) == 5000
    assert next(iter(fake.requests)).number == 1
    large = b"x" * (20 * 1024 * 1024)
    for _ in range(4):
        await client.post("/large", content=large)
    assert [len(recorded.body) for recorded in fake.requests] == [len(large)] * 3


async def test_reset_forgets_tokens_faults_scripts_and_requests(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    token = fake.mint().access_token
    fake.configure(accept_any_token=True)
    fake.fault("models", status=500)
    fake.script(text="scripted")
    fake.refuse_authorization("access_denied")
    fake.expire("sk-1")
    await client.get("/nowhere")
    fake.reset()
    assert len(fake.requests) == 0
    assert (await client.get("/v1/models", headers=KEY)).status_code == 200
    answer = await client.get("/backend-api/wham/usage", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    spoken = await client.post("/v1/responses", json={"input": "echo"}, headers=KEY)
    assert spoken.json()["output"][0]["content"][0]["text"] == "echo"
    assert [recorded.number for recorded in fake.requests] == [0, 1, 2]
