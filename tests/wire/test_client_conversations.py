"""What the Python client has words of its own for: logins, threads, and the texts of a turn (``app_server.client``).

What is notified of a turn, and who sees it, is tested in ``test_followed_turn``.
"""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app_server.client import (
    Client,
    InvalidAnswer,
    LoginFailed,
    ServerError,
    ServerGone,
    TurnFailed,
    spawn,
    spawn_sync,
)
from app_server.testing.server_under_test import ServerUnderTest
from app_server.testing.threaded_fake import ThreadedFakeOpenAI
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    ApiKeyAccount,
    ChatgptAccount,
    GetAccountParams,
)
from protocol.items import AGENT_MESSAGE_DELTA
from protocol.thread import ThreadResumeParams, ThreadStartParams
from protocol.turn import TURN_COMPLETED
from protocol.user_input import ImageUserInput, TextUserInput, UserInput
from tests.support.scripted_server import DEADLINE, READY, server

pytestmark = pytest.mark.app_server(in_process=True)

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
EPHEMERAL = ThreadStartParams(ephemeral=True)


@pytest.fixture
async def client(app_server: ServerUnderTest) -> AsyncIterator[Client]:
    """Nobody is logged in yet."""
    async with app_server.connect() as client:
        yield client


async def logged_in(client: Client) -> object:
    account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
    return None if account is None else account.root


async def visit(url: str) -> int:
    """What a browser does with a page; the status of what it ends on."""
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as browser:
        return (await browser.get(url)).status_code


# Logins


async def test_a_login_with_an_api_key(client: Client) -> None:
    await client.log_in_with_api_key("sk-x")
    assert isinstance(await logged_in(client), ApiKeyAccount)


async def test_a_key_that_is_none_is_an_error_of_the_server(client: Client) -> None:
    with pytest.raises(ServerError):
        await client.log_in_with_api_key("")
    assert await logged_in(client) is None


async def test_a_login_with_tokens_of_the_parents_own(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    tokens = fake_openai.mint()
    await client.log_in_with_tokens(tokens.access_token, tokens.account.account_id, "team")
    account = await logged_in(client)
    assert isinstance(account, ChatgptAccount)
    assert (account.email, account.plan_type) == (tokens.account.email, "team")


async def test_a_login_in_a_browser_is_over_when_the_user_has_been_there(client: Client) -> None:
    login = await client.log_in_with_browser()
    assert await logged_in(client) is None
    assert await visit(login.started.auth_url) == 200
    await login.completed()
    assert isinstance(await logged_in(client), ChatgptAccount)
    # Only its own end has been taken out of what everybody sees.
    assert (await client.notification(ACCOUNT_UPDATED)).auth_mode == "chatgpt"


async def test_a_login_with_a_code_is_over_when_the_user_has_approved_it(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    login = await client.log_in_with_device_code()
    assert login.started.verification_url.startswith(fake_openai.base_url)
    fake_openai.approve_device(login.started.user_code)
    await login.completed()
    assert isinstance(await logged_in(client), ChatgptAccount)


async def test_a_login_that_the_user_declines_has_failed_and_says_why(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    fake_openai.refuse_authorization("access_denied", "No, thank you.")
    login = await client.log_in_with_browser()
    await visit(login.started.auth_url)
    with pytest.raises(LoginFailed, match="No, thank you"):
        await login.completed()


async def test_a_login_that_is_cancelled_has_failed_and_is_cancelled_once(client: Client) -> None:
    login = await client.log_in_with_browser()
    assert await login.cancel()
    with pytest.raises(LoginFailed):
        await login.completed()
    assert not await login.cancel()


async def test_each_of_two_logins_is_told_its_own_end(client: Client) -> None:
    """The second replaces the first, which has ended before the second has begun."""
    first = await client.log_in_with_browser()
    second = await client.log_in_with_browser()
    with pytest.raises(LoginFailed):
        await first.completed()
    assert await visit(second.started.auth_url) == 200
    await second.completed()


async def test_a_login_whose_user_does_not_come_is_waited_for_no_longer_than_asked(client: Client) -> None:
    login = await client.log_in_with_browser()
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        await login.completed(timeout=0.05)
    assert await visit(login.started.auth_url) == 200
    await login.completed()


async def test_a_login_whose_server_goes_does_not_wait_for_ever() -> None:
    started = 'answer({"type": "chatgpt", "loginId": "1", "authUrl": "http://127.0.0.1/"})\n'
    async with spawn(server(READY + started)) as client:
        await client.initialize("test", "1")
        login = await client.log_in_with_browser()
        with pytest.raises(ServerGone, match="status 0"):
            await login.completed(timeout=DEADLINE)
        with pytest.raises(ServerGone):
            await login.cancel()


async def test_a_login_that_the_server_takes_for_another_one_is_an_invalid_answer() -> None:
    """Whatever has been said of a login meanwhile is given back."""
    odd = """
write({"method": "account/login/completed", "params": {"loginId": "0", "success": True}})
answer({"type": "apiKey"})
read()
"""
    async with spawn(server(READY + odd)) as client:
        await client.initialize("test", "1")
        with pytest.raises(InvalidAnswer, match="ChatgptLoginStarted"):
            await client.log_in_with_browser()
        assert (await client.notification(LOGIN_COMPLETED, timeout=DEADLINE)).login_id == "0"


# Conversations


async def test_a_thread_is_asked_and_answers_in_pieces(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    await client.log_in_with_api_key("sk-x")
    fake_openai.script(text="Hello, you", deltas=4)
    thread = await client.start_thread(EPHEMERAL)
    turn = await thread.ask("Hi")
    texts = [text async for text in turn.texts()]
    assert len(texts) == 4
    assert "".join(texts) == await turn.answer() == "Hello, you"
    assert [text async for text in turn.texts()] == []


async def test_input_is_whatever_the_wire_has_for_it(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    await client.log_in_with_api_key("sk-x")
    thread = await client.start_thread(EPHEMERAL)
    two, three = TextUserInput(text="two"), UserInput(TextUserInput(text="three"))
    turn = await thread.ask("one", two, three, ImageUserInput(url=PIXEL))
    await turn.answer()
    (asked,) = fake_openai.requests.of("responses")
    pieces = asked.json["input"][-1]["content"]
    assert [piece.get("text", piece.get("image_url")) for piece in pieces] == ["one", "two", "three", PIXEL]


async def test_the_answer_is_the_last_thing_that_the_model_says(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    await client.log_in_with_api_key("sk-x")
    fake_openai.script(messages=[{"text": "Let me think."}, {"text": "It is six."}])
    turn = await (await client.start_thread(EPHEMERAL)).ask("How many?")
    assert "".join([text async for text in turn.texts()]) == "Let me think.It is six."
    assert await turn.answer() == "It is six."


async def test_a_model_that_says_nothing_has_an_empty_answer(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    await client.log_in_with_api_key("sk-x")
    fake_openai.script(messages=[])
    assert await (await (await client.start_thread(EPHEMERAL)).ask("Hi")).answer() == ""


async def test_the_loop_over_texts_can_be_left_and_gone_on_with(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    await client.log_in_with_api_key("sk-x")
    fake_openai.script(text="abcd", deltas=4)
    turn = await (await client.start_thread(EPHEMERAL)).ask("Hi")
    async for text in turn.texts():
        assert text == "a"
        break
    rest = [declaration async for declaration, _ in turn]
    assert rest.count(AGENT_MESSAGE_DELTA) == 3
    assert rest[-1] is TURN_COMPLETED


async def test_a_turn_that_fails_does_so_at_the_end_of_its_texts(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    await client.log_in_with_api_key("sk-x")
    thread = await client.start_thread(EPHEMERAL)
    fake_openai.script(
        text="half", deltas=1, status="failed", error={"code": "insufficient_quota", "message": "Nothing left."}
    )
    turn = await thread.ask("Hi")
    texts = turn.texts()
    assert await anext(texts) == "half"
    with pytest.raises(TurnFailed) as failed:
        await anext(texts)
    assert failed.value.turn.status == "failed"
    assert failed.value.turn.error is not None
    assert str(failed.value) == failed.value.turn.error.message != ""
    with pytest.raises(TurnFailed):
        await turn.answer()


async def test_a_turn_that_is_interrupted_has_said_what_it_has_said(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    await client.log_in_with_api_key("sk-x")
    thread = await client.start_thread(EPHEMERAL)
    fake_openai.fault("responses", hang_after_events=6)
    fake_openai.script(text="half a word", deltas=3)
    turn = await thread.ask("Hi")
    texts = turn.texts()
    said = await anext(texts)
    await turn.interrupt()
    said += "".join([text async for text in texts])
    assert await turn.answer() == said != ""


async def test_a_thread_is_resumed_by_its_id(app_server: ServerUnderTest, fake_openai: ThreadedFakeOpenAI) -> None:
    async with app_server.connect() as client:
        await client.log_in_with_api_key("sk-x")
        thread = await client.start_thread()
        await (await thread.ask("first")).answer()
    async with app_server.connect() as client:
        for params in (thread.id, ThreadResumeParams(thread_id=thread.id)):
            resumed = await client.resume_thread(params)
            assert (resumed.id, resumed.thread.preview) == (thread.id, "first")
        await (await resumed.ask("second")).answer()
    assert "first" in str(fake_openai.requests.of("responses")[-1].json["input"])


async def test_a_thread_that_is_not_there_is_an_error_of_the_server(client: Client) -> None:
    with pytest.raises(ServerError):
        await client.resume_thread("01a1fe43-bc31-7342-bc75-1b149d47772c")


# On another event loop, and without one


@pytest.mark.app_server(in_process=False)
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_parent_on_trio_logs_in_and_converses(
    app_server: ServerUnderTest, fake_openai: ThreadedFakeOpenAI
) -> None:
    async with app_server.connect() as client:
        login = await client.log_in_with_browser()
        assert await visit(login.started.auth_url) == 200
        await login.completed()
        tokens = fake_openai.mint()
        await client.log_in_with_tokens(tokens.access_token, tokens.account.account_id)
        thread = await client.start_thread(EPHEMERAL)
        fake_openai.expire_tokens()
        fake_openai.script(text="Hello, you", deltas=4)
        turn = await thread.ask("Hi")
        assert "".join([text async for text in turn.texts()]) == "Hello, you"
        fake_openai.fault("responses", hang_after_events=6)
        turn = await thread.ask("And?")
        assert await anext(turn.texts())
        await turn.interrupt()
        assert (await turn.completed()).status == "interrupted"


def test_the_same_is_there_for_callers_without_an_event_loop(
    app_server: ServerUnderTest, fake_openai: ThreadedFakeOpenAI
) -> None:
    with spawn_sync(app_server.command, env=app_server.environment) as client:
        client.initialize("test", "1")
        login = client.log_in_with_device_code()
        fake_openai.approve_device(login.started.user_code)
        login.completed()
        browser = client.log_in_with_browser()
        assert browser.cancel()
        with pytest.raises(LoginFailed):
            browser.completed()
        client.log_in_with_api_key("sk-x")
        tokens = fake_openai.mint()
        client.log_in_with_tokens(tokens.access_token, tokens.account.account_id)
        fake_openai.script(text="Hello, you", deltas=4)
        thread = client.start_thread()
        assert "".join(thread.ask("Hi").texts()) == "Hello, you"
        turn = client.resume_thread(thread.id).ask("Say it again")
        assert turn.answer() == "Say it again"
        assert turn.completed().id == turn.id
