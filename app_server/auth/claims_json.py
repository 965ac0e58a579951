"""Why a token's payload cannot be read, told with line and column in the words of wire.md section 9.

This knows the shape of an OpenAI token's claims. It is only imported for payloads that the fast way in ``tokens``
refused; some of those are fine after all, because members that nobody asks for are skipped, not decoded. Unlike the
reference it takes no array for an object, and a string that stands in the wrong place is not repeated.
"""

from collections.abc import Callable
from typing import Any, Final

from app_server.auth.json_scanner import JsonScanner, JsonTextError
from app_server.auth.tokens import AUTH_CLAIM, PROFILE_CLAIM

MAX_SIZE: Final = 256 * 1024
"""Bytes of payload that are worth an exact text."""


def read_claims(payload: bytes) -> dict[str, Any]:
    """Read the claims that are of interest, and skip all others.

    :raises JsonTextError: the payload is not JSON, or a claim of interest has the wrong type.
    """
    if len(payload) > MAX_SIZE:
        raise JsonTextError("the claims are not a JSON object of a reasonable size")
    reader = _ClaimsReader(payload)
    claims = reader.structure("IdClaims", _ID_CLAIMS)
    reader.end()
    return claims


class _ClaimsReader(JsonScanner):
    """Reads values of an expected type."""

    def structure(self, name: str, members: "_Members") -> dict[str, Any]:
        """An object; members that are not named are skipped."""
        if self.value_begins() != b"{":
            raise self._wrong_type(f"struct {name}")
        self.descend()
        found: dict[str, Any] = {}
        first = True
        while (key := self.key(first=first)) is not None:
            first = False
            read = members.get(key)
            if read is not None and key in found:
                raise self._behind_structure(f"duplicate field `{key}`")
            self.colon()
            if read is None:
                self.skip_value()
            else:
                found[key] = read(self)
        self.ascend()
        return found

    def optional(self, read: Callable[["_ClaimsReader"], Any]) -> Any:
        """A value or null."""
        if self.value_begins() == b"n":
            self.word()
            return None
        return read(self)

    def text(self) -> str:
        """A string."""
        if self.value_begins() != b'"':
            raise self._wrong_type("a string")
        return self.string()

    def boolean(self) -> bool:
        """A boolean."""
        if self.value_begins() not in (b"t", b"f"):
            raise self._wrong_type("a boolean")
        return self.word() == "true"

    def plan(self) -> str:
        """A string; the reference has a text of its own for anything else."""
        if self.value_begins() != b'"':
            self.any_value()
            raise self._behind_structure("data did not match any variant of untagged enum PlanType")
        return self.string()

    def _behind_structure(self, text: str) -> JsonTextError:
        """The reference closes the structure, if that is at its end, before it looks where it is."""
        if self.peek() == b"}":
            self.key(first=True)
        return self.here(text)

    def _wrong_type(self, expected: str) -> JsonTextError:
        return self.here(f"invalid type: {self._kind()}, expected {expected}")

    def _kind(self) -> str:
        match self.value_begins():
            case b'"':
                self.string()
                return "string"
            case b"[":
                return "sequence"
            case b"{":
                return "map"
            case b"n":
                return self.word()
            case b"t" | b"f":
                return f"boolean `{self.word()}`"
            case _:
                number = self.number()
                return f"integer `{int(number)}`" if _is_64_bits(number) else "number"


def _is_64_bits(number: str) -> bool:
    return len(number) <= 20 and number.lstrip("-").isdigit() and -(2**63) <= int(number) < 2**64


_Members = dict[str, Callable[[_ClaimsReader], Any]]


def _optional(read: Callable[[_ClaimsReader], Any]) -> Callable[[_ClaimsReader], Any]:
    return lambda reader: reader.optional(read)


_PROFILE: Final[_Members] = {"email": _optional(_ClaimsReader.text)}
_AUTH: Final[_Members] = {
    "chatgpt_plan_type": _optional(_ClaimsReader.plan),
    "chatgpt_user_id": _optional(_ClaimsReader.text),
    "user_id": _optional(_ClaimsReader.text),
    "chatgpt_account_id": _optional(_ClaimsReader.text),
    "chatgpt_account_is_fedramp": _ClaimsReader.boolean,
}
_ID_CLAIMS: Final[_Members] = {
    "email": _optional(_ClaimsReader.text),
    PROFILE_CLAIM: _optional(lambda reader: reader.structure("ProfileClaims", _PROFILE)),
    AUTH_CLAIM: _optional(lambda reader: reader.structure("AuthClaims", _AUTH)),
}
