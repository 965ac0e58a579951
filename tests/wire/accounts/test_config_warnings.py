"""What is wrong with the configuration is said after the handshake, and the rest is used (wire.md section 6).

What exactly is found wrong, and where, is tested beside ``app_server.config``.
"""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import INITIALIZE, Json, ServerProcess
from tests.support.upstream import LOGIN, NOBODY, Start, log_in_with_tokens, next_messages

WARNING = "configWarning"
KEY: Json = {"type": "apiKey", "apiKey": "sk-test"}


def configure(home: Path, text: str) -> str:
    """Write a config.toml; returns its path."""
    home.mkdir()
    file = home / "config.toml"
    file.write_text(text)
    return str(file)


async def warnings(server: ServerProcess) -> list[Json]:
    """What the configuration gave cause to say."""
    return [message["params"] for message in await server.barrier() if message["method"] == WARNING]


async def test_a_configuration_in_order_is_not_worth_a_word(home: Path, start: Start) -> None:
    configure(home, 'forced_login_method = "chatgpt"\nof_another_program = { yes = true }\n')

    async with start() as server:
        assert await warnings(server) == []
        assert (await server.error(LOGIN, KEY))["code"] == -32600


async def test_a_file_that_is_no_toml_is_said_to_be_broken_and_the_defaults_are_used(home: Path, start: Start) -> None:
    path = configure(home, 'forced_login_method = "chatgpt"\nmodel = = "x"\n')

    async with start(initialize=False) as server:
        await server.send({"id": 1, "method": "initialize", "params": INITIALIZE})

        # The answer comes first.
        answer, warning = await next_messages(server, 2)
        assert answer["id"] == 1
        assert "userAgent" in answer["result"]
        assert warning["method"] == WARNING
        assert warning["params"]["summary"] == "Invalid configuration; using defaults."
        assert warning["params"]["path"] == path
        assert warning["params"]["range"]["start"]["line"] == 2
        assert warning["params"]["details"].startswith(f"{path}:2:")
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}


async def test_of_a_file_with_a_wrong_value_the_rest_is_used(fake: FakeOpenAI, home: Path, start: Start) -> None:
    path = configure(home, 'forced_chatgpt_workspace_id = "acct-1"\n\nforced_login_method = "of tomorrow"\n')

    async with start() as server:
        (warning,) = await warnings(server)
        assert warning["summary"] == "Invalid configuration; ignoring `forced_login_method`."
        assert warning["path"] == path
        assert warning["range"] == {"start": {"line": 3, "column": 23}, "end": {"line": 3, "column": 35}}
        assert "unknown variant `of tomorrow`, expected `chatgpt` or `api`" in warning["details"]

        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}
        await server.result("account/logout")
        await log_in_with_tokens(server, fake.mint())


async def test_a_wrong_argument_or_variable_is_named_and_the_next_best_value_is_used(home: Path, start: Start) -> None:
    configure(home, 'forced_login_method = "chatgpt"\n')

    async with start('forced_login_method="zz"', env={"APP_SERVER_UPSTREAM_TIMEOUT": "soon"}) as server:
        details = {warning["summary"]: warning["details"] for warning in await warnings(server)}
        assert details.keys() == {
            "Invalid configuration; ignoring `forced_login_method`.",
            "Invalid configuration; ignoring `app_server.upstream_timeout`.",
        }
        assert any("-c forced_login_method" in text for text in details.values())
        assert any("APP_SERVER_UPSTREAM_TIMEOUT" in text for text in details.values())
        assert (await server.error(LOGIN, KEY))["message"] == "API key login is disabled. Use ChatGPT login instead."


async def test_a_typing_error_in_our_own_table_is_found(start: Start) -> None:
    async with start("app_server.upstream_timeuot=3") as server:
        (warning,) = await warnings(server)
        assert "`app_server.upstream_timeuot`" in warning["details"]


async def test_a_value_in_the_wrong_place_is_not_repeated(home: Path, start: Start) -> None:
    secret = "sk-pasted-into-the-wrong-place"
    configure(
        home, f'chatgpt_base_url = "{secret}"\nmodel_provider = "{secret}"\n[app_server]\ndrain_timeout = "{secret}"'
    )

    async with start() as server:
        told = await warnings(server)
        assert len(told) == 2  # the first is outranked by the argument that leads to the fake
        assert secret not in str(told)
        assert secret not in server.log.read_text()


async def test_who_does_not_want_them_gets_none(home: Path, start: Start) -> None:
    configure(home, "broken")

    async with start(initialize=False) as server:
        await server.initialize(optOutNotificationMethods=[WARNING])
        assert await server.barrier() == []
