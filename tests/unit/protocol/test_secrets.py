"""Secrets are in no repr, no str and no exception of this package, whatever was sent."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from protocol.account import (
    LOGIN_START,
    AmazonBedrockAccessKeysLogin,
    AmazonBedrockLogin,
    ApiKeyLogin,
    ChatgptAuthTokensLogin,
    ChatgptAuthTokensRefreshResponse,
    GetAuthStatusResponse,
    LoginAccountParams,
)
from protocol.errors import WireError
from protocol.jsonrpc import ErrorObject, Notification, Request, Response, decode
from protocol.method import decode as decode_model

SECRET = "sk-this-must-not-be-seen"


def chain(error: BaseException) -> list[BaseException]:
    """The error and everything that a traceback or a debugger would show with it."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += (one.__cause__, one.__context__)
    return seen


def assert_hidden(error: BaseException) -> None:
    for one in chain(error):
        shown = [repr(one), str(one), repr(one.args), repr(vars(one)), repr(getattr(one, "doc", ""))]
        assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    "value",
    [
        ApiKeyLogin(type="apiKey", api_key=SecretStr(SECRET)),
        LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr(SECRET))),
        ChatgptAuthTokensLogin(
            type="chatgptAuthTokens",
            access_token=SecretStr(SECRET),
            chatgpt_account_id="a",
            id_token=SecretStr(SECRET),
        ),
        AmazonBedrockLogin(type="amazonBedrock", api_key=SecretStr(SECRET), region="r"),
        AmazonBedrockAccessKeysLogin(
            type="amazonBedrockAccessKeys",
            access_key_id=SecretStr(SECRET),
            secret_access_key=SecretStr(SECRET),
            session_token=SecretStr(SECRET),
            region="r",
        ),
        ChatgptAuthTokensRefreshResponse(access_token=SecretStr(SECRET), chatgpt_account_id="a"),
        GetAuthStatusResponse(auth_method="apikey", auth_token=SecretStr(SECRET)),
        decode_model(LoginAccountParams, {"type": "apiKey", "apiKey": SECRET}),
        decode_model(ChatgptAuthTokensRefreshResponse, {"accessToken": SECRET, "chatgptAccountId": "a"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_hide_their_secrets(value: Any) -> None:
    for text in (repr(value), str(value), f"{value}", f"{value!r}", repr(value.model_dump()), repr(vars(value))):
        assert SECRET not in text
    assert SECRET.encode() in value.to_json()


@pytest.mark.parametrize(
    "message",
    [
        Request(1, "account/login/start", {"apiKey": SECRET}),
        Notification("n", {"apiKey": SECRET}),
        Response(1, {"accessToken": SECRET}),
        Response(1, error=ErrorObject(-1, "no", {"accessToken": SECRET})),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_hide_what_they_carry(message: object) -> None:
    assert SECRET not in repr(message)
    assert SECRET not in f"{message}"


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":"account/login/start","params":{"type":"apiKey","apiKey":"%b"}',
        b'{"id":1,"apiKey":"%b\xff"}',
        b'{"id":1,"apiKey":"%b\xff\\ud800"}',
        b'{"id":1,"apiKey":"%b\\u00zz"}',
        b'{"id":1,"apiKey":NaN,"x":"\\ud800%b"}',
        b'["%b"]',
        b'"%b"',
        b'{"apiKey":"%b"}',
        b'{"id":null,"method":"m","params":"%b"}',
        b'{"id":["%b"],"method":"m"}',
        b'{"id":1,"method":["%b"]}',
    ],
    ids=range(11),
)
def test_a_line_that_is_refused_is_quoted_by_no_exception_of_the_chain(line: bytes) -> None:
    with pytest.raises(WireError) as refusal:
        decode(line % SECRET.encode())

    assert_hidden(refusal.value)


@pytest.mark.parametrize(
    "params",
    [
        {"type": "apiKey", "apiKey": [SECRET]},
        {"type": "apiKey", "apiKey": {"key": SECRET}},
        {"type": "apiKey", "key": SECRET},
        {"type": "apiKey", "api_key": SECRET},
        {"type": None, "apiKey": SECRET},
        {"apiKey": SECRET},
        {"type": "chatgptAuthTokens", "accessToken": SECRET},
        {"type": "chatgptAuthTokens", "accessToken": SECRET, "chatgptAccountId": 5},
        {"type": "chatgptAuthTokens", "accessToken": SECRET, "chatgptAccountId": "a", "chatgptPlanType": []},
        {"type": "chatgptAuthTokens", "accessToken": 5, "idToken": SECRET},
        {"type": "amazonBedrockAccessKeys", "accessKeyId": SECRET, "secretAccessKey": SECRET, "sessionToken": 5},
        [SECRET],
        [{"type": "apiKey", "apiKey": SECRET}],
    ],
)
def test_a_login_that_is_refused_shows_nothing_of_its_credentials(params: Any) -> None:
    with pytest.raises(WireError) as refusal:
        LOGIN_START.decode(params)

    assert_hidden(refusal.value)


@pytest.mark.parametrize(
    "answer",
    [
        SECRET,
        [SECRET],
        {"accessToken": SECRET},
        {"accessToken": [SECRET], "chatgptAccountId": "a"},
        {"accessToken": SECRET, "chatgptAccountId": {"id": SECRET}},
        {"accessToken": SECRET, "chatgptAccountId": "a", "chatgptPlanType": 5},
        {"access_token": SECRET, "chatgpt_account_id": "a"},
    ],
)
def test_an_answer_that_does_not_fit_is_not_quoted_where_that_is_asked_for(answer: Any) -> None:
    with pytest.raises(WireError) as refusal:
        decode_model(ChatgptAuthTokensRefreshResponse, answer, quote=False)

    assert_hidden(refusal.value)


@pytest.mark.parametrize("model", [ApiKeyLogin, LoginAccountParams])
def test_pydantics_own_error_does_not_show_the_input_either(model: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({"type": "apiKey", "apiKey": [SECRET]})

    assert SECRET not in str(refusal.value)
    assert SECRET not in repr(refusal.value)
