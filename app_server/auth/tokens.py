"""What a JSON Web Token says about its owner, read without verifying the signature.

The upstream verifies its own tokens; here they are only looked into, to show who is logged in and to know when a
token runs out (RFC 7519). Error texts are those of wire.md section 9. Nothing here keeps or sends a token.
"""

import binascii
import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import SecretStr

from app_server.auth.credentials import Claims

AUTH_CLAIM: Final = "https://api.openai.com/auth"
"""The claim that holds what concerns the account."""

PROFILE_CLAIM: Final = "https://api.openai.com/profile"
"""The claim that holds what concerns the person."""

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64URL: Final = re.compile(rb"[^A-Za-z0-9_-]")
_UNUSED_BITS: Final = {0: 0, 2: 0b1111, 3: 0b11}
"""Bits of the last symbol that are part of no byte, by the count of symbols beyond the last whole group of four."""


class InvalidToken(Exception):
    """The text is no JSON Web Token, or its claims cannot be read.

    :param reason: what is wrong, in the words of wire.md section 9; holds no part of the token.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_claims(token: SecretStr) -> Claims:
    """Read the claims of a token. Every claim is optional, one of the wrong type is an error.

    :raises InvalidToken: not three non-empty parts, or the second is not base64url (RFC 4648 section 5, without
        padding) or not a JSON object.
    """
    payload = _payload(token.get_secret_value())
    claims = _loads_object(payload)
    if claims is None or not _well_typed(claims):
        # Only what is wrong pays for finding out what exactly.
        from app_server.auth.claims_json import read_claims  # noqa: PLC0415
        from app_server.auth.json_scanner import JsonTextError  # noqa: PLC0415

        try:
            claims = read_claims(payload)
        except JsonTextError as error:
            raise InvalidToken(str(error)) from None
    return _claims(claims)


def expires_at(token: SecretStr) -> datetime | None:
    """When a token runs out, in UTC; None where it does not say, or is not a JSON Web Token at all."""
    try:
        claims = _loads_object(_payload(token.get_secret_value()))
    except InvalidToken:
        return None
    return None if claims is None else _instant(claims.get("exp"))


def _payload(token: str) -> bytes:
    parts = token.split(".", 3)
    if len(parts) < 3 or not all(parts[:3]):
        raise InvalidToken("invalid ID token format")
    return _decode_base64url(parts[1].encode(errors="surrogatepass"))


def _decode_base64url(text: bytes) -> bytes:
    foreign = _NOT_BASE64URL.search(text)
    if foreign is not None:
        raise InvalidToken(_foreign_symbol(text, foreign.start()))
    over = len(text) % 4
    if over == 1:
        raise InvalidToken(f"Invalid input length: {len(text)}")
    # They must be zero, or several texts would stand for one value.
    if _ALPHABET.index(text[-1:]) & _UNUSED_BITS[over]:
        raise InvalidToken(f"Invalid last symbol {text[-1]}, offset {len(text) - 1}.")
    return binascii.a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4))


def _foreign_symbol(text: bytes, offset: int) -> str:
    """Tell of a byte outside the alphabet. Like the reference: a last symbol that stands alone is looked at first,
    and ``=`` counts as padding only where padding could be."""
    if len(text) % 4 == 1 and text[-1:] != b"=" and _NOT_BASE64URL.match(text[-1:]):
        offset = len(text) - 1
    last_group = len(text) - (len(text) % 4 or 4)
    if offset >= last_group and offset % 4 >= 2 and not text[offset:].strip(b"="):
        return "Invalid padding"
    return f"Invalid symbol {text[offset]}, offset {offset}."


def _loads_object(payload: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _well_typed(claims: dict[str, Any]) -> bool:
    auth = claims.get(AUTH_CLAIM)
    profile = claims.get(PROFILE_CLAIM)
    if not isinstance(auth, dict | None) or not isinstance(profile, dict | None):
        return False
    auth, profile = auth or {}, profile or {}
    texts = (
        claims.get("email"),
        profile.get("email"),
        *(auth.get(name) for name in ("chatgpt_plan_type", "chatgpt_user_id", "user_id", "chatgpt_account_id")),
    )
    if not all(isinstance(text, str | None) for text in texts):
        return False
    return isinstance(auth.get("chatgpt_account_is_fedramp", False), bool)


def _claims(claims: dict[str, Any]) -> Claims:
    auth = claims.get(AUTH_CLAIM) or {}
    email = claims.get("email")
    if email is None:
        email = (claims.get(PROFILE_CLAIM) or {}).get("email")
    user_id = auth.get("chatgpt_user_id")
    return Claims(
        email=email,
        plan=auth.get("chatgpt_plan_type"),
        user_id=auth.get("user_id") if user_id is None else user_id,
        account_id=auth.get("chatgpt_account_id"),
        expires_at=_instant(claims.get("exp")),
    )


def _instant(seconds: Any) -> datetime | None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
