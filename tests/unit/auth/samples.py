"""Tokens and credentials for tests. None of them is worth anything."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens, Provenance
from app_server.auth.tokens import parse_claims

AUTH = "https://api.openai.com/auth"
PROFILE = "https://api.openai.com/profile"


def base64url(data: bytes) -> str:
    """Without padding, as in a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(payload: Any) -> str:
    """A token with this payload: bytes as they are, anything else as JSON."""
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    return f"e30.{base64url(payload)}.c2ln"


ID_TOKEN = jwt({"email": "ada@example.com", AUTH: {"chatgpt_plan_type": "plus", "chatgpt_user_id": "user-1"}})
ACCESS_TOKEN = jwt({"exp": 4_000_000_000})


def managed_tokens(refresh: str = "refresh-1", account_id: str | None = "account-1") -> ManagedTokens:
    """A ChatGPT login with everything that one can have."""
    return ManagedTokens(
        id_token=SecretStr(ID_TOKEN),
        access_token=SecretStr(ACCESS_TOKEN),
        refresh_token=SecretStr(refresh),
        account_id=account_id,
        claims=parse_claims(SecretStr(ID_TOKEN)),
        last_refresh=datetime(2026, 11, 20, 1, 2, 3, 456789, UTC),
        provenance=Provenance("https://auth.example.com", "app_1"),
        api_key=SecretStr("platform-key"),
        login_owner_id=SecretStr("owner-1"),
    )
