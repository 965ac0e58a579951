"""The text of auth.json, in every shape that the reference writes or accepts (wire.md sections 3 to 7)."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Claims, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.stores.auth_json import CorruptAuthFile, StoredAuth, decode, encode
from tests.unit.auth.samples import ACCESS_TOKEN, ID_TOKEN, managed_tokens

TOKENS = {"id_token": ID_TOKEN, "access_token": ACCESS_TOKEN, "refresh_token": "refresh-1"}
FULL = f"""{{
  "auth_mode": "chatgpt",
  "OPENAI_API_KEY": "platform-key",
  "tokens": {{
    "id_token": "{ID_TOKEN}",
    "access_token": "{ACCESS_TOKEN}",
    "refresh_token": "refresh-1",
    "oauth_provenance": {{
      "issuer": "https://auth.example.com",
      "client_id": "app_1"
    }},
    "login_owner_id": "owner-1",
    "account_id": "account-1"
  }},
  "last_refresh": "2026-11-20T01:02:03.456789000Z"
}}""".encode()


def read(document: Any) -> StoredAuth:
    return decode(json.dumps(document).encode())


def rewrite(credential: Any, previous: Any) -> Any:
    return json.loads(encode(credential, read(previous).document))


# Writing


def test_an_api_key_is_written_byte_for_byte_as_the_reference_does() -> None:
    key = 'k\u00e9"\\\n\t\x01\x7f/\u2028😀\b\f<>&'
    assert encode(ApiKey(SecretStr(key)), {}) == (
        b'{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": '
        b'"k\xc3\xa9\\"\\\\\\n\\t\\u0001\x7f/\xe2\x80\xa8\xf0\x9f\x98\x80\\b\\f<>&"\n}'
    )


def test_a_chatgpt_login_is_written_byte_for_byte_as_the_reference_does() -> None:
    assert encode(managed_tokens(), {}) == FULL


def test_what_a_chatgpt_login_lacks_is_null_or_left_out_as_the_reference_does() -> None:
    bare = ManagedTokens(SecretStr(ID_TOKEN), SecretStr(ACCESS_TOKEN), SecretStr("r"), None, Claims())
    assert json.loads(encode(bare, {})) == {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {**TOKENS, "refresh_token": "r", "account_id": None},
    }


def test_a_personal_access_token_is_written_without_a_mode_as_the_reference_does() -> None:
    written = encode(PersonalAccessToken(SecretStr("at-1")), {})
    assert written == b'{\n  "OPENAI_API_KEY": null,\n  "personal_access_token": "at-1"\n}'


def test_the_parents_tokens_are_never_written() -> None:
    with pytest.raises(ValueError, match="in memory only"):
        encode(ExternalTokens(SecretStr("a"), "b", "plus", Claims()), {})


def test_times_are_written_in_utc() -> None:
    elsewhere = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    tokens = ManagedTokens(
        SecretStr(ID_TOKEN), SecretStr(ACCESS_TOKEN), SecretStr("r"), "a", Claims(), last_refresh=elsewhere
    )
    assert json.loads(encode(tokens, {}))["last_refresh"] == "2025-12-31T23:30:00.000000000Z"


@pytest.mark.parametrize(
    "credential", [ApiKey(SecretStr("k")), managed_tokens(), managed_tokens(account_id=None)], ids=type
)
def test_what_was_written_is_read_back(credential: Any) -> None:
    assert decode(encode(credential, {})).credential == credential


# What survives


UNKNOWN = {"z": 1, "deep": {"list": [1.5, None, True, {"é": "\u2028"}], "empty": {}}, "big": 10**40}


@pytest.mark.parametrize(
    "credential", [ApiKey(SecretStr("k")), managed_tokens(), PersonalAccessToken(SecretStr("at-1"))], ids=type
)
@pytest.mark.parametrize(
    "previous",
    [
        {},
        {"auth_mode": "apikey", "OPENAI_API_KEY": "old"},
        {"tokens": TOKENS},
        {"tokens": {**TOKENS, "account_id": "account-1"}},
    ],
)
def test_members_that_are_part_of_no_login_survive_every_rewrite(credential: Any, previous: dict[str, Any]) -> None:
    written = rewrite(credential, {**previous, **UNKNOWN})
    assert {name: written[name] for name in UNKNOWN} == UNKNOWN


def test_a_new_login_leaves_nothing_of_the_old_one() -> None:
    old = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": "platform-key",
        "tokens": {**TOKENS, "account_id": "account-2", "unknown": "canary"},
        "last_refresh": "2026-01-01T00:00:00Z",
        "agent_identity": "canary",
        "personal_access_token": "canary",
        "bedrock_api_key": {"api_key": "canary"},
        "bedrock_access_keys": {"secret": "canary"},
    }
    assert rewrite(ApiKey(SecretStr("k")), old) == {"auth_mode": "apikey", "OPENAI_API_KEY": "k"}
    assert "canary" not in json.dumps(rewrite(managed_tokens(), old))


def test_tokens_without_an_account_are_nobodys_renewal() -> None:
    old = {"tokens": {**TOKENS, "account_id": None, "unknown": "canary"}}
    assert "unknown" not in rewrite(managed_tokens(account_id=None), old)["tokens"]


@pytest.mark.parametrize("mode", [{"auth_mode": "chatgpt"}, {"auth_mode": None}, {}])
def test_a_renewal_changes_the_tokens_and_nothing_else(mode: dict[str, Any]) -> None:
    old = {
        **mode,
        "tokens": {"unknown": [1], **TOKENS, "account_id": "account-1"},
        "agent_identity": "agent",
        "bedrock_api_key": {"api_key": "b"},
    }
    written = rewrite(managed_tokens("refresh-2"), old)
    assert written["tokens"]["refresh_token"] == "refresh-2"
    assert written["tokens"]["unknown"] == [1]
    assert (written["agent_identity"], written["bedrock_api_key"]) == ("agent", {"api_key": "b"})


def test_lone_surrogates_survive_as_the_escapes_they_came_in_as() -> None:
    document = decode(b'{"odd":"\\ud800x"}').document
    assert b'"odd": "\\ud800x"' in encode(ApiKey(SecretStr("k")), document)


def test_what_cannot_be_written_again_as_it_was_is_not_lost_silently() -> None:
    document = decode(b'{"odd":1e999}').document
    with pytest.raises(CorruptAuthFile):
        encode(ApiKey(SecretStr("k")), document)


def test_nesting_survives() -> None:
    nested: Any = []
    for _ in range(200):
        nested = [nested]
    assert rewrite(ApiKey(SecretStr("k")), {"odd": nested})["odd"] == nested


# Reading


MANAGED = {**TOKENS, "account_id": "account-1"}


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"OPENAI_API_KEY": "k"}, ApiKey),
        ({"OPENAI_API_KEY": "k", "auth_mode": None}, ApiKey),
        ({"OPENAI_API_KEY": "k", "auth_mode": "apikey"}, ApiKey),
        ({"OPENAI_API_KEY": "k", "tokens": MANAGED}, ApiKey),
        ({"OPENAI_API_KEY": "k", "auth_mode": "apikey", "tokens": MANAGED}, ApiKey),
        ({"OPENAI_API_KEY": "k", "agent_identity": "s"}, ApiKey),
        ({"tokens": MANAGED}, ManagedTokens),
        ({"tokens": MANAGED, "OPENAI_API_KEY": None}, ManagedTokens),
        ({"tokens": MANAGED, "OPENAI_API_KEY": ""}, ManagedTokens),
        ({"tokens": MANAGED, "OPENAI_API_KEY": "k", "auth_mode": "chatgpt"}, ManagedTokens),
        ({"tokens": MANAGED, "agent_identity": "s"}, ManagedTokens),
        ({"tokens": MANAGED, "auth_mode": "chatgptAuthTokens"}, ExternalTokens),
        ({"personal_access_token": "at-1"}, PersonalAccessToken),
        ({"personal_access_token": "at-1", "auth_mode": "personalAccessToken"}, PersonalAccessToken),
        ({"personal_access_token": "at-1", "OPENAI_API_KEY": "k", "tokens": MANAGED}, PersonalAccessToken),
    ],
)
def test_the_mode_is_the_one_named_or_follows_from_what_is_there(document: Any, kind: type) -> None:
    assert type(read(document).credential) is kind


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"unknown": 1},
        {"OPENAI_API_KEY": None},
        {"OPENAI_API_KEY": ""},
        {"OPENAI_API_KEY": "", "auth_mode": "apikey"},
        {"auth_mode": "apikey"},
        {"auth_mode": "apikey", "tokens": MANAGED},
        {"auth_mode": "chatgpt"},
        {"auth_mode": "chatgpt", "tokens": None},
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": "k"},
        {"auth_mode": "chatgptAuthTokens"},
        {"auth_mode": "personalAccessToken", "tokens": MANAGED},
        {"auth_mode": "agentIdentity", "tokens": MANAGED},
        {"auth_mode": "bedrockApiKey", "bedrock_api_key": {"api_key": "b", "region": "r"}},
        {"agent_identity": "s"},
    ],
)
def test_nobody_is_logged_in_by_a_file_that_contradicts_itself_or_is_of_another_kind(document: Any) -> None:
    assert read(document) == StoredAuth(None, document)


@pytest.mark.parametrize("raw", [b"", b" \n"])
def test_an_empty_file_is_like_none(raw: bytes) -> None:
    assert decode(raw) == StoredAuth(None, {})


def test_every_part_of_a_chatgpt_login_is_read() -> None:
    assert decode(FULL).credential == managed_tokens()


@pytest.mark.parametrize("account", [{}, {"account_id": None}, {"account_id": ""}])
def test_an_account_that_is_missing_is_none(account: dict[str, Any]) -> None:
    credential = read({"tokens": {**TOKENS, **account}}).credential
    assert credential is not None
    assert credential.account_id is None


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c"])
def test_the_access_token_may_be_anything(token: str) -> None:
    credential = read({"tokens": {**TOKENS, "access_token": token, "refresh_token": ""}}).credential
    assert credential is not None
    assert credential.bearer.get_secret_value() == token


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-20T00:00:00.5Z", datetime(2026, 11, 20, 0, 0, 0, 500_000, UTC)),
        ("2026-11-20T00:00:00.123456789+02:00", datetime(2026, 11, 19, 22, 0, 0, 123_456, UTC)),
        ("2026-11-20 00:00:00Z", datetime(2026, 11, 20, tzinfo=UTC)),
        (None, None),
    ],
)
def test_the_time_of_the_last_refresh_is_read(text: str | None, instant: datetime | None) -> None:
    credential = read({"tokens": MANAGED, "last_refresh": text}).credential
    assert isinstance(credential, ManagedTokens)
    assert credential.last_refresh == instant


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "Expecting property name enclosed in double quotes at line 1 column 2"),
        (b'{"OPENAI_API_KEY":"canary"}x', "Extra data at line 1 column 28"),
        (b'\xef\xbb\xbf{"OPENAI_API_KEY":"k"}', "Unexpected UTF-8 BOM (decode using utf-8-sig) at line 1 column 1"),
        (b"\0" * 20, "Expecting value at line 1 column 1"),
        (b'{"a":NaN}', "a number out of range, or nested too deeply"),
        (b'{"a":' + b"[" * 200_000, "a number out of range, or nested too deeply"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
    ],
)
def test_what_is_no_json_object_is_corrupt(raw: bytes, reason: str) -> None:
    with pytest.raises(CorruptAuthFile) as caught:
        decode(raw)
    assert caught.value.reason == str(caught.value) == reason


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"OPENAI_API_KEY": 5}, "OPENAI_API_KEY: not a string"),
        ({"OPENAI_API_KEY": "\ud800canary"}, "OPENAI_API_KEY: not a string"),
        ({"auth_mode": 5, "OPENAI_API_KEY": "k"}, "auth_mode: not a string"),
        ({"auth_mode": "apiKey", "OPENAI_API_KEY": "k"}, "auth_mode: not known"),
        ({"OPENAI_API_KEY": "k", "tokens": 5}, "tokens: not an object"),
        ({"OPENAI_API_KEY": "k", "tokens": {}}, "tokens.id_token: not a string"),
        ({"tokens": {**MANAGED, "id_token": "a.b.c"}}, "tokens.id_token: Invalid input length: 1"),
        ({"tokens": {**MANAGED, "id_token": ""}}, "tokens.id_token: invalid ID token format"),
        ({"tokens": {**MANAGED, "access_token": None}}, "tokens.access_token: not a string"),
        ({"tokens": {**MANAGED, "refresh_token": None}}, "tokens.refresh_token: not a string"),
        ({"tokens": {**MANAGED, "account_id": 5}}, "tokens.account_id: not a string"),
        ({"tokens": {**MANAGED, "login_owner_id": 5}}, "tokens.login_owner_id: not a string"),
        ({"tokens": {**MANAGED, "oauth_provenance": 5}}, "tokens.oauth_provenance: not an object"),
        (
            {"tokens": {**MANAGED, "oauth_provenance": {"issuer": "i"}}},
            "tokens.oauth_provenance.client_id: not a string",
        ),
        ({"tokens": MANAGED, "last_refresh": 5}, "last_refresh: not a string"),
        ({"tokens": MANAGED, "last_refresh": "yesterday"}, "last_refresh: not a date and time of RFC 3339"),
        ({"tokens": MANAGED, "last_refresh": "2026-11-20T00:00:00"}, "last_refresh: not a date and time of RFC 3339"),
        (
            {"tokens": MANAGED, "last_refresh": "0001-01-01T00:00:00+10:00"},
            "last_refresh: not a date and time of RFC 3339",
        ),
        ({"personal_access_token": ["at-1"]}, "personal_access_token: not a string"),
    ],
)
def test_a_member_of_a_login_that_is_not_understood_makes_the_file_corrupt(document: Any, reason: str) -> None:
    with pytest.raises(CorruptAuthFile) as caught:
        read(document)
    assert caught.value.reason == reason


def test_a_repr_of_what_is_stored_shows_no_secret() -> None:
    text = repr(decode(FULL))
    for secret in ("refresh-1", "platform-key", "owner-1", ACCESS_TOKEN, ID_TOKEN):
        assert secret not in text
