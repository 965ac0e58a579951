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
        (b" ", "EOF while parsing a value at line 1 column 1"),
        (b"{", "EOF while parsing an object at line 1 column 1"),
        (b"tru", "EOF while parsing a value at line 1 column 3"),
        (b"nuts", "expected ident at line 1 column 3"),
        (b"\xff\xfe", "expected value at line 1 column 1"),
        (b"\xef\xbb\xbf{}", "expected value at line 1 column 1"),
        (b'{"a":}', "expected value at line 1 column 6"),
        (b'{"a":NaN}', "expected value at line 1 column 6"),
        (b'{\n"a":\n!}', "expected value at line 3 column 1"),
        (b'{"a":1', "EOF while parsing an object at line 1 column 6"),
        (b'{"a":[1', "EOF while parsing a list at line 1 column 7"),
        (b'{"a":[1 2]}', "expected `,` or `]` at line 1 column 9"),
        (b'{"a":{"b":1 2}}', "expected `,` or `}` at line 1 column 13"),
        (b'{"a":{1:2}}', "key must be a string at line 1 column 7"),
        (b'{"a" 1}', "expected `:` at line 1 column 6"),
        (b'{"a":1 "b"}', "expected `,` or `}` at line 1 column 8"),
        (b"{a:1}", "key must be a string at line 1 column 2"),
        (b"{,}", "key must be a string at line 1 column 2"),
        (b'{"a":1,}', "trailing comma at line 1 column 8"),
        (b'{"a":1,', "EOF while parsing a value at line 1 column 7"),
        (b"{}x", "trailing characters at line 1 column 3"),
        (b'{"a":01}', "invalid number at line 1 column 7"),
        (b'{"a":1.}', "invalid number at line 1 column 8"),
        (b'{"a":1.', "invalid number at line 1 column 7"),
        (b'{"a":1ex}', "invalid number at line 1 column 8"),
        (b'{"a":-', "invalid number at line 1 column 6"),
        (b'{"email":-', "EOF while parsing a value at line 1 column 10"),
        (b'{"a":"\x01"}', "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 6"),
        (b'{"\x01":1}', "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"),
        (b'{"email":"a', "EOF while parsing a string at line 1 column 11"),
        (b'{"email":"\\q"}', "invalid escape at line 1 column 12"),
        (b'{"email":"\\ud800"}', "unexpected end of hex escape at line 1 column 17"),
        (b'{"email":"\\udc00"}', "lone leading surrogate in hex escape at line 1 column 16"),
        (b'{"email":"\\ud800\\u0041"}', "lone leading surrogate in hex escape at line 1 column 22"),
        (b'{"email":"\xff"}', "invalid unicode code point at line 1 column 12"),
    ],
)
def test_the_payload_is_json(payload: bytes, expected: str) -> None:
    assert reason(jwt(payload)) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"null", "invalid type: null, expected struct IdClaims at line 1 column 4"),
        (b"true", "invalid type: boolean `true`, expected struct IdClaims at line 1 column 4"),
        (b"5", "invalid type: integer `5`, expected struct IdClaims at line 1 column 1"),
        (b"-1", "invalid type: integer `-1`, expected struct IdClaims at line 1 column 2"),
        (b"1.5", "invalid type: number, expected struct IdClaims at line 1 column 3"),
        (b"18446744073709551616", "invalid type: number, expected struct IdClaims at line 1 column 20"),
        (b'{"email":5}', "invalid type: integer `5`, expected a string at line 1 column 10"),
        (b'{"email":[]}', "invalid type: sequence, expected a string at line 1 column 9"),
        (b'{"email":{}}', "invalid type: map, expected a string at line 1 column 9"),
        (b'{"email":"a","email":"b" ,"email":5}', "duplicate field `email` at line 1 column 20"),
        (f'{{"{AUTH}":5}}'.encode(), "invalid type: integer `5`, expected struct AuthClaims at line 1 column 32"),
        (f'{{"{PROFILE}":5}}'.encode(), "invalid type: integer `5`, expected struct ProfileClaims at line 1 column 35"),
        (
            f'{{"{AUTH}":{{"user_id":5}}}}'.encode(),
            "invalid type: integer `5`, expected a string at line 1 column 43",
        ),
        (
            f'{{"{AUTH}":{{"chatgpt_plan_type":{{}}}}}}'.encode(),
            "data did not match any variant of untagged enum PlanType at line 1 column 55",
        ),
        (
            f'{{"{AUTH}":{{"chatgpt_plan_type":5,"a":1}}}}'.encode(),
            "data did not match any variant of untagged enum PlanType at line 1 column 53",
        ),
        (
            f'{{"{AUTH}":{{"chatgpt_account_is_fedramp":null}}}}'.encode(),
            "invalid type: null, expected a boolean at line 1 column 65",
        ),
        (
            f'{{"{AUTH}":{{"chatgpt_plan_type":{"[" * 130}'.encode(),
            "recursion limit exceeded at line 1 column 178",
        ),
    ],
)
def test_a_claim_of_the_wrong_type_is_an_error(payload: bytes, expected: str) -> None:
    assert reason(jwt(payload)) == expected


def test_a_reason_does_not_repeat_what_stands_in_the_wrong_place() -> None:
    assert reason(jwt("canary")) == "invalid type: string, expected struct IdClaims at line 1 column 8"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"other":1e400}',
        b'{"other":"\xff"}',
        b'{"other":"\\ud800"}',
        b'{"other":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"other":' + b'{"a":[' * 700 + b"null,true,-0.5e-3" + b"]}" * 700 + b"}",
    ],
)
def test_claims_that_nobody_asks_for_are_not_looked_into(payload: bytes) -> None:
    assert parse_claims(SecretStr(jwt(payload[:-1] + b',"email":"\\u0061\\ud83d\\ude00\\n"}'))) == Claims(email="a😀\n")


def test_an_enormous_payload_is_refused_without_reading_all_of_it() -> None:
    assert reason(jwt(b"[" * 300_000)) == "the claims are not a JSON object of a reasonable size"


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
