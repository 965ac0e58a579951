"""What a JSON Web Token says about its owner, read without verifying the signature.

The upstream verifies its own tokens; here they are only looked into, to show who is logged in and to know when a
token runs out (RFC 7519). Error texts are those of wire.md section 9. Nothing here keeps or sends a token.
"""

import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr

from app_server.auth.credentials import Claims
from protocol.json_codec import loads

AUTH_CLAIM: Final = "https://api.openai.com/auth"
"""The claim that holds what concerns the account."""

PROFILE_CLAIM: Final = "https://api.openai.com/profile"
"""The claim that holds what concerns the person."""

_TEXT_CLAIMS: Final = ("chatgpt_plan_type", "chatgpt_user_id", "user_id", "chatgpt_account_id")

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
    return _claims(_checked(_loads_object(_payload(token.get_secret_value()))))


def expires_at(token: SecretStr) -> datetime | None:
    """When a token runs out, in UTC; None where it does not say, or is not a JSON Web Token at all."""
    try:
        claims = _loads_object(_payload(token.get_secret_value()))
    except InvalidToken:
        return None
    return _instant(claims.get("exp"))


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


def _loads_object(payload: bytes) -> dict[str, Any]:
    try:
        value = loads(payload)
    except ValueError as error:
        raise InvalidToken(_json_fault(payload, error)) from None
    if not isinstance(value, dict):
        raise InvalidToken("the claims are not a JSON object")
    return value


def _json_fault(payload: bytes, error: ValueError) -> str:
    """What was expected and where, which is as much of the reference's text as does not depend on its parser."""
    if not isinstance(error, json.JSONDecodeError):
        return "expected value at line 1 column 1"
    if error.pos == 0 and payload[:1] in (b"t", b"f", b"n"):
        # The first letter of a literal is taken for the literal, so it is the second one that is wrong.
        return "expected ident at line 1 column 2"
    return f"expected value at line {error.lineno} column {error.colno}"


def _checked(claims: dict[str, Any]) -> dict[str, Any]:
    """Every claim is optional, but those that are of interest have a type."""
    auth, profile = claims.get(AUTH_CLAIM), claims.get(PROFILE_CLAIM)
    for name, value in ((AUTH_CLAIM, auth), (PROFILE_CLAIM, profile)):
        if not isinstance(value, dict | None):
            raise InvalidToken(f"the claim {name} is not an object")
    texts = {
        "email": claims.get("email"),
        "profile.email": (profile or {}).get("email"),
        **{name: (auth or {}).get(name) for name in _TEXT_CLAIMS},
    }
    for name, value in texts.items():
        if not isinstance(value, str | None):
            raise InvalidToken(f"the claim {name} is not a string")
    return claims


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
