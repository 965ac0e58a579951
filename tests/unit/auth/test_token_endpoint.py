"""The token endpoint: what is sent, and what its answers mean (RFC 6749 section 6, wire.md section 11)."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import RecoveryFailed, RefreshRejected, RefreshUnavailable
from app_server.auth.token_endpoint import REFRESH_TIMEOUT, HttpAnswer, TokenEndpoint
from tests.unit.auth.fakes import FakeIssuer, tokens
from tests.unit.auth.samples import AUTH, jwt

OLD = tokens(1)
SIGN_IN_AGAIN = "Please log out and sign in again."


def endpoint(issuer: FakeIssuer, **options: Any) -> TokenEndpoint:
    return TokenEndpoint(issuer.post, lambda _: "https://issuer.example/oauth/token", "app_default", **options)


async def newer(document: Any) -> ManagedTokens:
    return await endpoint(FakeIssuer(HttpAnswer(200, "OK", document))).refresh(OLD, "forced")


async def failure(answer: HttpAnswer | OSError) -> RecoveryFailed:
    with pytest.raises(RecoveryFailed) as raised:
        await endpoint(FakeIssuer(answer)).refresh(OLD, "forced")
    return raised.value


async def test_the_request_has_four_members_and_thirty_seconds() -> None:
    issuer = FakeIssuer(HttpAnswer(200, "OK", {}))
    await endpoint(issuer).refresh(OLD, "unauthorized_recovery")
    assert issuer.asked == [
        {
            "client_id": "app_1",
            "grant_type": "refresh_token",
            "refresh_reason": "unauthorized_recovery",
            "refresh_token": "refresh-1",
        }
    ]
    assert issuer.urls == ["https://issuer.example/oauth/token"]
    assert issuer.timeouts == [REFRESH_TIMEOUT] == [30]


async def test_less_time_can_be_given() -> None:
    issuer = FakeIssuer(HttpAnswer(200, "OK", {}))
    await endpoint(issuer, timeout=0.5).refresh(OLD, "forced")
    assert issuer.timeouts == [0.5]


async def test_a_login_that_names_no_client_is_one_of_the_default_client() -> None:
    issuer = FakeIssuer(HttpAnswer(200, "OK", {}))
    await endpoint(issuer).refresh(dataclasses.replace(OLD, provenance=None), "forced")
    assert issuer.asked[0]["client_id"] == "app_default"


async def test_whatever_the_answer_leaves_out_keeps_its_value_and_the_time_is_taken() -> None:
    before = datetime.now(UTC)
    for document in ({}, {"access_token": None, "unknown": 1}):
        refreshed = await newer(document)
        assert refreshed.last_refresh is not None
        assert before <= refreshed.last_refresh <= datetime.now(UTC)
        assert dataclasses.replace(refreshed, last_refresh=OLD.last_refresh) == OLD


async def test_what_it_gives_replaces_the_old_except_for_the_account() -> None:
    id_token = jwt({"email": "new@example.com", AUTH: {"chatgpt_account_id": "account-2"}})
    refreshed = await newer({"id_token": id_token, "access_token": "access-2", "refresh_token": "refresh-2"})
    assert refreshed.id_token == SecretStr(id_token)
    assert refreshed.claims.email == "new@example.com"
    assert refreshed.access_token == SecretStr("access-2")
    assert refreshed.refresh_token == SecretStr("refresh-2")
    assert refreshed.account_id == "account-1"
    assert (refreshed.provenance, refreshed.api_key) == (OLD.provenance, OLD.api_key)


async def test_an_id_token_that_cannot_be_read_is_not_taken() -> None:
    refreshed = await newer({"id_token": "no token", "access_token": "access-2"})
    assert (refreshed.id_token, refreshed.claims) == (OLD.id_token, OLD.claims)
    assert refreshed.access_token == SecretStr("access-2")


@pytest.mark.parametrize("document", [None, [], "text", 5, {"access_token": 5}, {"refresh_token": ""}])
async def test_what_is_no_answer_at_all_may_have_cost_the_token(document: Any) -> None:
    error = await failure(HttpAnswer(200, "OK", document))
    assert isinstance(error, RefreshUnavailable)
    assert (error.message, error.permanent, error.maybe_spent) == ("OAuth token response is invalid", False, True)


CODES = {
    "refresh_token_expired": f"because your refresh token has expired. {SIGN_IN_AGAIN}",
    "refresh_token_reused": f"because your refresh token was already used. {SIGN_IN_AGAIN}",
    "refresh_token_invalidated": f"because your refresh token was revoked. {SIGN_IN_AGAIN}",
}


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize("code", CODES)
async def test_a_known_code_is_final_wherever_it_stands_whatever_the_status_and_its_case(
    code: str, status: int
) -> None:
    for spelled in (code, code.upper(), code.title()):
        for document in (
            {"error": {"code": spelled}},
            {"error": spelled},
            {"code": spelled},
            {"error": {"message": "no code"}, "code": spelled},
            {"error": None, "code": spelled},
            {"error": {"code": spelled}, "code": "something_else"},
        ):
            error = await failure(HttpAnswer(status, "Whatever", document))
            assert isinstance(error, RefreshRejected), document
            assert error.message == f"Your access token could not be refreshed {CODES[code]}"
            assert (error.code, error.permanent) == (code, True)


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(401, "Unauthorized", None),
        HttpAnswer(401, "Unauthorized", {"error": {"code": 5}}),
        HttpAnswer(401, "Unauthorized", {"error": "server_error"}),
        HttpAnswer(400, "Bad Request", {"error": "invalid_grant"}),
        HttpAnswer(400, "Bad Request", {"error": {"code": "Invalid_Grant"}}),
        HttpAnswer(400, "Bad Request", {"code": "invalid_grant"}),
    ],
)
async def test_any_other_401_and_an_invalid_grant_are_final(answer: HttpAnswer) -> None:
    error = await failure(answer)
    assert isinstance(error, RefreshRejected)
    assert error.message == f"Your access token could not be refreshed. {SIGN_IN_AGAIN}"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HttpAnswer(400, "Bad Request", {"error": "invalid_request"}), "400 Bad Request"),
        (HttpAnswer(403, "Forbidden", {"error": "invalid_grant"}), "403 Forbidden"),
        (HttpAnswer(404, "Not Found", "canary"), "404 Not Found"),
        (HttpAnswer(500, "Internal Server Error", {"error": {"message": "canary"}}), "500 Internal Server Error"),
        (HttpAnswer(599, "", None), "599"),
        (HttpAnswer(302, "Found", None), "302 Found"),
    ],
)
async def test_anything_else_may_work_another_time_and_its_body_is_dropped(answer: HttpAnswer, text: str) -> None:
    error = await failure(answer)
    assert isinstance(error, RefreshUnavailable)
    assert error.message == f"Failed to refresh token: {text}"
    assert (error.permanent, error.maybe_spent) == (False, False)


async def test_without_an_answer_the_token_may_be_spent_unless_it_was_never_sent() -> None:
    silence = await failure(OSError("error sending request"))
    assert isinstance(silence, RefreshUnavailable)
    assert (silence.message, silence.maybe_spent) == ("error sending request", True)
    nobody_there = await failure(ConnectionRefusedError("error sending request"))
    assert isinstance(nobody_there, RefreshUnavailable)
    assert nobody_there.maybe_spent is False
