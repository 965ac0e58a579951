"""Reading tokens. What is wrong with one is told in the words of the reference (wire.md section 9); every text here
was seen there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import Claims
from app_server.auth.tokens import InvalidToken, expires_at, parse_claims
from tests.unit.auth.samples import AUTH, PROFILE, jwt


def claims_of(payload: Any) -> Claims:
    return parse_claims(SecretStr(jwt(payload)))


def reason(token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        parse_claims(SecretStr(token))
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize("token", ["", "a", "a.b", "..", "a..c", ".b.c", "a.b."])
def test_a_token_has_three_parts_of_which_none_is_empty(token: str) -> None:
    assert reason(token) == "invalid ID token format"


@pytest.mark.parametrize("token", ["a.e30.c", "!.e30.!", "e30.e30.c2ln", "a.e30.c.d.e"])
def test_only_the_second_part_is_looked_at(token: str) -> None:
    assert parse_claims(SecretStr(token)) == Claims()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("b", "Invalid input length: 1"),
        ("bbbbb", "Invalid input length: 5"),
        ("!!!", "Invalid symbol 33, offset 0."),
        ("bb!b", "Invalid symbol 33, offset 2."),
        ("b\n", "Invalid symbol 10, offset 1."),
        ("bb+/", "Invalid symbol 43, offset 2."),
        ("bbbé", "Invalid symbol 169, offset 4."),
        ("b!bbb", "Invalid symbol 33, offset 1."),
        ("abcd=", "Invalid symbol 61, offset 4."),
        ("====", "Invalid symbol 61, offset 0."),
        ("a=", "Invalid symbol 61, offset 1."),
        ("e30=", "Invalid padding"),
        ("bb==", "Invalid padding"),
        ("ab", "Invalid last symbol 98, offset 1."),
        ("e31", "Invalid last symbol 49, offset 2."),
        ("\ud800", "Invalid symbol 237, offset 0."),
    ],
)
def test_the_second_part_is_base64url_without_padding(part: str, expected: str) -> None:
    assert reason(f"a.{part}.c") == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"not JSON", "expected ident at line 1 column 2"),
        (b"xyz", "expected value at line 1 column 1"),
        (b"\xff\xfe", "expected value at line 1 column 1"),
        (b'{"a":}', "expected value at line 1 column 6"),
        (b'{\n"a":\n!}', "expected value at line 3 column 1"),
    ],
)
def test_the_payload_is_json(payload: bytes, expected: str) -> None:
    assert reason(jwt(payload)) == expected


@pytest.mark.parametrize("payload", [b"null", b"5", b"[]", b'"canary"'])
def test_the_payload_is_an_object(payload: bytes) -> None:
    assert reason(jwt(payload)) == "the claims are not a JSON object"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"email": 5}, "the claim email is not a string"),
        ({AUTH: 5}, f"the claim {AUTH} is not an object"),
        ({PROFILE: []}, f"the claim {PROFILE} is not an object"),
        ({PROFILE: {"email": {}}}, "the claim profile.email is not a string"),
        ({AUTH: {"user_id": 5}}, "the claim user_id is not a string"),
        ({AUTH: {"chatgpt_plan_type": {}}}, "the claim chatgpt_plan_type is not a string"),
    ],
)
def test_a_claim_of_the_wrong_type_is_an_error(payload: Any, expected: str) -> None:
    assert reason(jwt(payload)) == expected


@pytest.mark.parametrize(
    "payload",
    [
        b'{"other":"\\ud800"}',
        b'{"other":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"other":' + b'{"a":[' * 700 + b"null,true,-0.5e-3" + b"]}" * 700 + b"}",
    ],
)
def test_claims_that_nobody_asks_for_are_not_looked_into(payload: bytes) -> None:
    assert parse_claims(SecretStr(jwt(payload[:-1] + b',"email":"\\u0061\\ud83d\\ude00\\n"}'))) == Claims(email="a😀\n")


@pytest.mark.parametrize(
    ("payload", "email"),
    [
        ({"email": "a", PROFILE: {"email": "b"}}, "a"),
        ({"email": "", PROFILE: {"email": "b"}}, ""),
        ({"email": None, PROFILE: {"email": "b"}}, "b"),
        ({PROFILE: {"email": "b"}}, "b"),
        ({PROFILE: None}, None),
        ({}, None),
    ],
)
def test_the_address_is_in_the_token_itself_or_else_in_the_profile(payload: Any, email: str | None) -> None:
    assert claims_of(payload).email == email


@pytest.mark.parametrize(
    ("auth", "user_id"),
    [
        ({"chatgpt_user_id": "a", "user_id": "b"}, "a"),
        ({"chatgpt_user_id": "", "user_id": "b"}, ""),
        ({"chatgpt_user_id": None, "user_id": "b"}, "b"),
        ({"user_id": "b"}, "b"),
        ({}, None),
        (None, None),
    ],
)
def test_the_user_of_chatgpt_counts_before_the_user_of_the_platform(auth: Any, user_id: str | None) -> None:
    assert claims_of({AUTH: auth}).user_id == user_id


def test_account_plan_and_expiry_are_read() -> None:
    claims = claims_of({"exp": 1_800_000_000, AUTH: {"chatgpt_account_id": "account-1", "chatgpt_plan_type": "hc"}})
    assert claims == Claims(plan="hc", account_id="account-1", expires_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (jwt({"exp": 1_800_000_000}), datetime(2027, 1, 15, 8, 0, tzinfo=UTC)),
        (jwt({"exp": 1_800_000_000.5}), datetime(2027, 1, 15, 8, 0, 0, 500_000, UTC)),
        (jwt({"exp": "1800000000"}), None),
        (jwt({"exp": True}), None),
        (jwt({"exp": 10**30}), None),
        (jwt({"exp": -(10**18)}), None),
        (jwt({}), None),
        (jwt([]), None),
        (jwt(b"nonsense"), None),
        ("opaque", None),
        ("", None),
    ],
)
def test_a_token_that_does_not_say_when_it_runs_out_is_no_error(token: str, expected: datetime | None) -> None:
    assert expires_at(SecretStr(token)) == expected
