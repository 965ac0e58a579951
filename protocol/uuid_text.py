"""The forms in which a client may write a UUID (RFC 9562 section 4): those that the reference reads."""

from typing import Final

GROUPS: Final = (8, 4, 4, 4, 12)
HEX: Final = frozenset("0123456789abcdefABCDEF")
URN: Final = "urn:uuid:"


def canonical_uuid(text: str) -> str | None:
    """The canonical form of a UUID that is hyphenated, simple, in braces, or a URN; None for anything else."""
    if len(text) == 36 and _is_hyphenated(text):
        return text.lower()
    if len(text) == 32 and HEX.issuperset(text):
        return hyphenated(text.lower())
    if len(text) == 38 and text[0] == "{" and text[-1] == "}" and _is_hyphenated(text[1:-1]):
        return text[1:-1].lower()
    if len(text) == 45 and text.startswith(URN) and _is_hyphenated(text[9:]):
        return text[9:].lower()
    return None


def hyphenated(digits: str) -> str:
    """32 digits in groups."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _is_hyphenated(text: str) -> bool:
    groups = text.split("-")
    return tuple(map(len, groups)) == GROUPS and all(map(HEX.issuperset, groups))
