"""The text of ``auth.json``: a stored login to bytes and back, in every shape that the reference writes or accepts.

No I/O here; ``store`` does that. The shapes are those of wire.md sections 3 to 7. What this program does not know
survives a rewrite (section 15.12), but never the secrets of another login.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from pydantic import SecretStr

from app_server.auth.credentials import (
    ApiKey,
    Credential,
    ExternalTokens,
    ManagedTokens,
    PersonalAccessToken,
    Provenance,
    plan_type,
)
from app_server.auth.tokens import InvalidToken, parse_claims

_MODES: Final = frozenset(
    {
        "apikey",
        "chatgpt",
        "chatgptAuthTokens",
        "headers",
        "agentIdentity",
        "personalAccessToken",
        "bedrockApiKey",
        "bedrockAccessKeys",
    }
)
_LOGIN_MEMBERS: Final = frozenset(
    {
        "auth_mode",
        "OPENAI_API_KEY",
        "tokens",
        "last_refresh",
        "agent_identity",
        "personal_access_token",
        "bedrock_api_key",
        "bedrock_access_keys",
    }
)
"""Members that make up a login; they go when another login comes."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class CorruptAuthFile(Exception):
    """The text is no auth.json that this program understands, so nobody is logged in by it.

    :param reason: what is wrong; holds no secret.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StoredAuth:
    """What an auth.json says.

    :param credential: None for a text in order by which nobody is logged in: one that is empty, contradicts itself,
        or belongs to a kind of login that is not supported here.
    :param document: all of it, for the next :func:`encode`. It holds secrets.
    """

    credential: Credential | None
    document: Mapping[str, Any] = field(repr=False)


def decode(raw: bytes) -> StoredAuth:
    """Read an auth.json.

    :raises CorruptAuthFile: not JSON, or a member of a type or value that is not understood.
    """
    if not raw.strip():
        return StoredAuth(None, {})
    document = _parse(raw)
    login = _Members(document, "")
    tokens = login.optional_members("tokens")
    managed = None if tokens is None else _managed_tokens(login, tokens)
    # Without a mode, whichever is there counts, in this order. An empty key is none (wire.md section 15.20).
    key = login.optional_secret("OPENAI_API_KEY") or None
    personal = login.optional_secret("personal_access_token") or None
    mode = login.optional_text("auth_mode")
    if mode is not None and mode not in _MODES:
        raise CorruptAuthFile("auth_mode: not known")
    if mode is None:
        mode = "personalAccessToken" if personal else "apikey" if key else "chatgpt"

    credential: Credential | None = None
    match mode:
        case "apikey" if key:
            credential = ApiKey(key)
        case "personalAccessToken" if personal:
            credential = PersonalAccessToken(personal)
        case "chatgpt":
            credential = managed
        case "chatgptAuthTokens" if managed:
            credential = ExternalTokens(
                managed.access_token, managed.account_id or "", plan_type(managed.claims.plan), managed.claims
            )
    return StoredAuth(credential, document)


def encode(credential: Credential, previous: Mapping[str, Any]) -> bytes:
    """Write an auth.json.

    :param previous: the document that is replaced. Members that are not part of a login stay; the rest of a managed
        login stays as long as the account does.
    :raises CorruptAuthFile: something in ``previous`` cannot be written again as it was.
    :raises ValueError: the parent's tokens, which are kept in memory only.
    """
    document = _login(credential)
    known = _LOGIN_MEMBERS
    if isinstance(credential, ManagedTokens) and (old := _tokens_of(previous, credential.account_id)) is not None:
        document["tokens"] |= {name: value for name, value in old.items() if name not in document["tokens"]}
        known = frozenset(document)
    document |= {name: value for name, value in previous.items() if name not in known}
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise CorruptAuthFile("a number out of range, or nested too deeply") from None
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise CorruptAuthFile("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise CorruptAuthFile(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except (ValueError, RecursionError):
        raise CorruptAuthFile("a number out of range, or nested too deeply") from None
    if not isinstance(document, dict):
        raise CorruptAuthFile("not an object")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _managed_tokens(login: "_Members", tokens: "_Members") -> ManagedTokens:
    id_token = tokens.secret("id_token")
    try:
        claims = parse_claims(id_token)
    except InvalidToken as error:
        raise CorruptAuthFile(f"tokens.id_token: {error.reason}") from None
    origin = tokens.optional_members("oauth_provenance")
    return ManagedTokens(
        id_token=id_token,
        access_token=tokens.secret("access_token"),
        refresh_token=tokens.secret("refresh_token"),
        account_id=tokens.optional_text("account_id") or None,
        claims=claims,
        last_refresh=login.optional_instant("last_refresh"),
        provenance=None if origin is None else Provenance(origin.text("issuer"), origin.text("client_id")),
        api_key=login.optional_secret("OPENAI_API_KEY"),
        login_owner_id=tokens.optional_secret("login_owner_id"),
    )


def _login(credential: Credential) -> dict[str, Any]:
    """The members of a login, in the order of the reference."""
    match credential:
        case ApiKey(key):
            return {"auth_mode": "apikey", "OPENAI_API_KEY": key.get_secret_value()}
        case PersonalAccessToken(token):
            # Without a mode: that is how the reference writes it.
            return {"OPENAI_API_KEY": None, "personal_access_token": token.get_secret_value()}
        case ManagedTokens():
            return {
                "auth_mode": "chatgpt",
                "OPENAI_API_KEY": _plain(credential.api_key),
                "tokens": _tokens(credential),
                **({"last_refresh": _rfc3339(credential.last_refresh)} if credential.last_refresh else {}),
            }
        case ExternalTokens():
            raise ValueError("the parent's tokens are kept in memory only")


def _tokens(credential: ManagedTokens) -> dict[str, Any]:
    tokens: dict[str, Any] = {
        "id_token": credential.id_token.get_secret_value(),
        "access_token": credential.access_token.get_secret_value(),
        "refresh_token": credential.refresh_token.get_secret_value(),
    }
    if origin := credential.provenance:
        tokens["oauth_provenance"] = {"issuer": origin.issuer, "client_id": origin.client_id}
    if owner := credential.login_owner_id:
        tokens["login_owner_id"] = owner.get_secret_value()
    return {**tokens, "account_id": credential.account_id}


def _tokens_of(document: Mapping[str, Any], account_id: str | None) -> Mapping[str, Any] | None:
    """The tokens of a document whose managed login is one of this account."""
    if document.get("auth_mode", "chatgpt") not in ("chatgpt", None) or account_id is None:
        return None
    tokens = document.get("tokens")
    return tokens if isinstance(tokens, dict) and tokens.get("account_id") == account_id else None


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _rfc3339(instant: datetime) -> str:
    """RFC 3339 in UTC with nine digits of a second, as the reference writes it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


class _Members:
    """The members of an object, each read as what it has to be. Like in the reference, null is as good as absent."""

    def __init__(self, members: Mapping[str, Any], path: str) -> None:
        self._members = members
        self._path = path

    def text(self, name: str) -> str:
        value = self._members.get(name)
        if not isinstance(value, str) or _LONE_SURROGATE.search(value):
            raise self._wrong(name, "not a string")
        return value

    def secret(self, name: str) -> SecretStr:
        return SecretStr(self.text(name))

    def optional_text(self, name: str) -> str | None:
        return None if self._members.get(name) is None else self.text(name)

    def optional_secret(self, name: str) -> SecretStr | None:
        return None if self._members.get(name) is None else self.secret(name)

    def optional_members(self, name: str) -> "_Members | None":
        value = self._members.get(name)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(name, "not an object")
        return None if value is None else _Members(value, f"{self._path}{name}.")

    def optional_instant(self, name: str) -> datetime | None:
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self._wrong(name, "not a date and time of RFC 3339")

    def _wrong(self, name: str, what: str) -> CorruptAuthFile:
        return CorruptAuthFile(f"{self._path}{name}: {what}")
