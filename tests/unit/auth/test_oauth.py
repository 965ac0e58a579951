"""The OAuth client: the authorisation URL, the exchange of codes, and what its failures say (wire.md section 7)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.errors import LoginNotAllowed
from app_server.auth.login.oauth import (
    ExchangeFailed,
    IssuedTokens,
    OAuthClient,
    code_challenge,
    new_state,
    new_verifier,
    showable,
    status_text,
)
from app_server.auth.tokens import InvalidToken
from app_server.fake_openai.state import challenge_of
from app_server.fake_openai.tokens import Account, mint_jwt
from app_server.redaction import MASK
from tests.unit.auth.login_support import CLIENT_ID, Logins, logins
from tests.unit.auth.samples import AUTH, jwt

REDIRECT = "http://127.0.0.1:1455/auth/callback"
VERIFIER = SecretStr("verifier-canary-0123456789")


async def no_network(*_: Any, **__: Any) -> Any:
    pytest.fail("something went upstream")


@pytest.fixture
async def issuer() -> AsyncIterator[Logins]:
    async with logins() as issuer:
        yield issuer


def code_of(issuer: Logins, redirect_uri: str = REDIRECT) -> SecretStr:
    """A code that is good for VERIFIER."""
    challenge = challenge_of(VERIFIER.get_secret_value())
    return SecretStr(issuer.fake.state.new_code(issuer.fake.state.current, CLIENT_ID, redirect_uri, challenge))


# Where to send the user


def test_the_authorization_url_has_its_parameters_in_the_references_order_and_encoding() -> None:
    client = OAuthClient(no_network, "https://issuer.example/", "app 1", ("a", "b c"))
    url = client.authorize_url(
        redirect_uri=REDIRECT,
        verifier=SecretStr("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        state=SecretStr("the-state"),
        originator="a~b*c d-e_f.g/ü+&",
    )
    assert url == (
        "https://issuer.example/oauth/authorize?response_type=code&client_id=app+1"
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback"
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=the-state"
        "&scope=openid+profile+email+offline_access+api.connectors.read+api.connectors.invoke"
        "&id_token_add_organizations=true&codex_cli_simplified_flow=true"
        "&originator=a%7Eb*c+d-e_f.g%2F%C3%BC%2B%26&allowed_workspace_id=a%2Cb+c"
    )


def test_without_a_restriction_no_workspace_is_named() -> None:
    url = OAuthClient(no_network, "https://issuer.example", "app").authorize_url(
        redirect_uri=REDIRECT, verifier=VERIFIER, state=SecretStr("s"), originator="o"
    )
    assert url.endswith("&originator=o")


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = SecretStr("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(("new", "length"), [(new_state, 43), (new_verifier, 86)])
def test_states_and_verifiers_are_fresh_base64url_of_the_references_length(new: Any, length: int) -> None:
    first, second = new().get_secret_value(), new().get_secret_value()
    assert first != second
    assert len(first) == len(second) == length
    assert first.replace("-", "").replace("_", "").isalnum()


# Exchanging a code


async def test_a_code_is_exchanged_with_the_form_of_the_reference(issuer: Logins) -> None:
    code = code_of(issuer)
    await issuer.oauth().exchange_code(code, REDIRECT, VERIFIER)
    (request,) = issuer.fake.requests.of("token")
    assert request.headers.get("content-type") == "application/x-www-form-urlencoded"
    assert list(request.fields().items()) == [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code.get_secret_value()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER.get_secret_value()),
    ]


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ({"status": 400, "json": {"error": "e", "error_description": "d"}}, "400 Bad Request: d"),
        ({"status": 400, "json": {"error": {"message": "m"}, "error_description": "d"}}, "400 Bad Request: d"),
        ({"status": 400, "json": {"error": {"message": "m", "code": "c"}}}, "400 Bad Request: m"),
        ({"status": 400, "json": {"error": {"message": "", "code": "c"}}}, "400 Bad Request: c"),
        ({"status": 401, "json": {"error": "e", "error_description": " "}}, "401 Unauthorized: e"),
        ({"status": 422, "json": {"code": "c"}}, "422 Unprocessable Entity: c"),
        ({"status": 500, "body": "<html>a page with the code</html>"}, "500 Internal Server Error: unknown error"),
        ({"status": 500, "body": ""}, "500 Internal Server Error: unknown error"),
        ({"status": 503, "json": ["error"]}, "503 Service Unavailable: unknown error"),
        ({"status": 599, "json": {"message": "y"}}, "599 <unknown status code>: unknown error"),
        ({"status": 307, "headers": {"location": "/elsewhere"}, "body": ""}, "307 Temporary Redirect: unknown error"),
    ],
)
async def test_a_refused_code_is_reported_with_the_status_and_what_the_issuer_meant_to_say(
    issuer: Logins, effect: dict[str, Any], said: str
) -> None:
    issuer.fake.fault("token", **effect)
    with pytest.raises(ExchangeFailed) as failure:
        await issuer.oauth().exchange_code(code_of(issuer), REDIRECT, VERIFIER)
    assert failure.value.reason == f"token endpoint returned status {said}"
    assert len(issuer.fake.requests) == 1, "the secrets were carried on to another place"


async def test_what_the_issuer_echoes_is_masked_cut_and_made_printable(issuer: Logins) -> None:
    code = code_of(issuer)
    echo = f"{code.get_secret_value()}\x1b[31m {VERIFIER.get_secret_value()}\n{mint_jwt({})} {'long ' * 1000}"
    issuer.fake.fault("token", status=400, json={"error_description": echo})
    with pytest.raises(ExchangeFailed) as failure:
        await issuer.oauth().exchange_code(code, REDIRECT, VERIFIER)
    reason = failure.value.reason
    said = f"{MASK} [31m {MASK} {MASK} long long"
    assert reason.startswith(f"token endpoint returned status 400 Bad Request: {said}")
    assert reason.isprintable()
    assert len(reason) < 600


@pytest.mark.parametrize(
    "effect",
    [
        {"malformed": True},
        {"status": 204},
        {"json": []},
        {"json": {"id_token": jwt({}), "access_token": "a"}},
        {"json": {"id_token": jwt({}), "access_token": "", "refresh_token": "r"}},
        {"json": {"id_token": jwt({}), "access_token": "a\r\nX: y", "refresh_token": "r"}},
        {"json": {"id_token": jwt({}), "access_token": 5, "refresh_token": "r"}},
        {"json": {"id_token": None, "access_token": "a", "refresh_token": "r"}},
        {"body": "[" * 100_000},
    ],
)
async def test_an_answer_without_three_tokens_is_invalid(issuer: Logins, effect: dict[str, Any]) -> None:
    issuer.fake.fault("token", **effect)
    with pytest.raises(ExchangeFailed) as failure:
        await issuer.oauth().exchange_code(code_of(issuer), REDIRECT, VERIFIER)
    assert failure.value.reason == "OAuth token response is invalid"


async def test_any_status_of_success_and_an_empty_refresh_token_will_do(issuer: Logins) -> None:
    issuer.fake.fault("token", status=201, json={"id_token": jwt({}), "access_token": "a", "refresh_token": ""})
    assert await issuer.oauth().exchange_code(code_of(issuer), REDIRECT, VERIFIER) == IssuedTokens(
        SecretStr(jwt({})), SecretStr("a"), SecretStr("")
    )


async def test_an_issuer_that_drops_the_connection_is_named_by_its_url(issuer: Logins) -> None:
    issuer.fake.fault("token", drop=True)
    with pytest.raises(ExchangeFailed) as failure:
        await issuer.oauth().exchange_code(code_of(issuer), REDIRECT, VERIFIER)
    assert failure.value.reason == f"error sending request for url ({issuer.fake.base_url}/oauth/token)"


async def test_the_exchanges_have_time_limits() -> None:
    timeouts = []

    async def send(*_: Any, timeout: float, **__: Any) -> Any:
        timeouts.append(timeout)
        raise OSError("timed out")

    client = OAuthClient(send, "http://issuer", "app")
    with pytest.raises(ExchangeFailed, match="timed out"):
        await client.exchange_code(SecretStr("c"), REDIRECT, VERIFIER)
    assert await client.exchange_api_key(SecretStr("t")) is None
    assert timeouts == [30.0, 10.0]


# Exchanging an ID token for an API key


async def test_an_id_token_is_exchanged_for_an_api_key_with_the_form_of_the_reference(issuer: Logins) -> None:
    id_token = SecretStr(issuer.fake.mint().id_token)
    key = await issuer.oauth().exchange_api_key(id_token)
    assert key is not None
    assert key.get_secret_value().startswith("sk-fake-")
    (request,) = issuer.fake.requests.of("token")
    assert list(request.fields().items()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", CLIENT_ID),
        ("requested_token", "openai-api-key"),
        ("subject_token", id_token.get_secret_value()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]


@pytest.mark.parametrize(
    "effect", [{"status": 401}, {"drop": True}, {"malformed": True}, {"json": {}}, {"json": {"access_token": ""}}]
)
async def test_without_an_api_key_the_login_goes_on(issuer: Logins, effect: dict[str, Any]) -> None:
    issuer.fake.fault("token", contains="token-exchange", **effect)
    tokens = await issuer.oauth().sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=True)
    assert tokens.api_key is None
    assert tokens.access_token.get_secret_value()


# The login


async def test_a_login_knows_its_account_its_origin_and_when_it_was_made(issuer: Logins) -> None:
    before = datetime.now(UTC)
    tokens = await issuer.oauth().sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=True)
    assert tokens.account_id == "acct-1"
    assert tokens.plan_type == "plus"
    assert tokens.provenance is not None
    assert (tokens.provenance.issuer, tokens.provenance.client_id) == (issuer.fake.base_url, CLIENT_ID)
    assert tokens.last_refresh is not None
    assert timedelta() <= tokens.last_refresh - before < timedelta(seconds=10)
    assert tokens.login_owner_id is not None
    assert len(tokens.login_owner_id.get_secret_value()) == 43
    assert tokens.api_key is not None


async def test_a_login_that_wants_no_api_key_asks_for_none(issuer: Logins) -> None:
    tokens = await issuer.oauth().sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=False)
    assert tokens.api_key is None
    assert len(issuer.fake.requests) == 1


async def test_a_login_of_an_allowed_workspace_passes(issuer: Logins) -> None:
    issuer.fake.add_account(Account(account_id="b"), current=True)
    client = issuer.oauth("a", "b")
    assert (await client.sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=False)).account_id == "b"


async def test_a_login_of_another_workspace_is_refused_and_gets_no_api_key(issuer: Logins) -> None:
    with pytest.raises(LoginNotAllowed) as refusal:
        await issuer.oauth("a", "b").sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=True)
    assert refusal.value.message == "Login is restricted to workspace id(s) a, b."
    assert len(issuer.fake.requests) == 1


@pytest.mark.parametrize("claims", [{}, {AUTH: {}}, {AUTH: {"chatgpt_account_id": ""}}])
async def test_a_login_without_a_workspace_passes_only_where_any_is_allowed(
    issuer: Logins, claims: dict[str, Any]
) -> None:
    answer = {"id_token": jwt(claims), "access_token": "a", "refresh_token": "r"}
    issuer.fake.fault("token", times=2, json=answer)
    tokens = await issuer.oauth().sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=False)
    assert tokens.account_id is None
    with pytest.raises(LoginNotAllowed) as refusal:
        await issuer.oauth("a").sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=False)
    assert refusal.value.message == (
        "Login is restricted to a specific workspace, but the token did not include an chatgpt_account_id claim."
    )


async def test_an_id_token_that_cannot_be_read_is_no_login(issuer: Logins) -> None:
    issuer.fake.fault("token", json={"id_token": "x", "access_token": "a", "refresh_token": "r"})
    with pytest.raises(InvalidToken, match="invalid ID token format"):
        await issuer.oauth().sign_in(code_of(issuer), REDIRECT, VERIFIER, with_api_key=True)
    assert len(issuer.fake.requests) == 1


# Texts


@pytest.mark.parametrize(
    ("status", "text"),
    [(400, "400 Bad Request"), (413, "413 Payload Too Large"), (418, "418 I'm a Teapot"), (999, None)],
)
def test_a_status_is_named_as_the_registry_names_it(status: int, text: str | None) -> None:
    assert status_text(status) == (text or f"{status} <unknown status code>")


def test_a_known_secret_that_is_next_to_nothing_masks_nothing() -> None:
    assert showable("a text with an a", SecretStr("a"), SecretStr("")) == "a text with an a"
