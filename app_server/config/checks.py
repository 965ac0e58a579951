"""What a value must look like: functions from a value of TOML to a value of ``Settings``, or :class:`WrongValue`.

The texts are those of the reference, where it has one. They show numbers and unknown variants, but never any other
string: a secret may have been pasted into the wrong place.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from pydantic import SecretStr

T = TypeVar("T", bound=str)

Check = Callable[[object], Any]


class WrongValue(ValueError):
    """The text says what is wrong and what was expected."""


def string(value: object) -> str:
    """Any string. A bare date is one too, as in the reference: model names look like that."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise WrongValue("it is not UTF-8")
        return value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    raise wrong_type(value, "a string")


def optional_string(value: object) -> str | None:
    """As :func:`string`; an empty one is None."""
    return string(value) or None


def boolean(value: object) -> bool:
    """Only true and false."""
    if isinstance(value, bool):
        return value
    raise wrong_type(value, "a boolean")


def one_of(*variants: T) -> Callable[[object], T]:
    """One of these strings."""

    def check(value: object) -> T:
        text = string(value)
        for variant in variants:
            if text == variant:
                return variant
        raise WrongValue(f"unknown variant `{text[:40]}`, {_expected(variants)}")

    return check


def integer(minimum: int, maximum: int, kind: str = "an integer") -> Callable[[object], int]:
    """A whole number within these bounds.

    :param kind: what it is called where something else was given.
    """

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(value, kind)
        if not minimum <= value <= maximum:
            raise WrongValue(f"invalid value: {_shown(value)}, expected {minimum} to {maximum}")
        return value

    return check


def at_most(maximum: int) -> Callable[[object], int]:
    """A whole number that is not negative; a larger one counts as this."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(value, "u64")
        if value < 0:
            raise WrongValue(f"invalid value: {_shown(value)}, expected 0 or more")
        return min(value, maximum)

    return check


def seconds(maximum: float, *, zero: bool = False) -> Callable[[object], float]:
    """A finite number of seconds up to this one; zero only where that makes sense."""

    def check(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise wrong_type(value, "a number of seconds")
        # Not-a-number is neither more nor less than anything, so it fails here too.
        if not (0 <= value <= maximum and (zero or value > 0)):
            bounds = f"{'0' if zero else 'more than 0'} to {maximum:g} seconds"
            raise WrongValue(f"invalid value: {_shown(value)}, expected {bounds}")
        return float(value)

    return check


def ports(value: object) -> tuple[int, ...]:
    """One TCP port or a list of one to eight."""
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= 8:
        raise WrongValue(f"invalid length {len(values)}, expected one to eight ports")
    return tuple(integer(0, 65_535)(port) for port in values)


def workspaces(value: object) -> tuple[str, ...]:
    """Workspace ids: a string, or a list of strings; blank ones do not count."""
    if isinstance(value, str) and "," in value:
        raise WrongValue("expected one workspace id, or a list of them; a string with commas is neither")
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(workspace, str) for workspace in values):
        raise wrong_type(value, "a string or a list of strings")
    return tuple(workspace.strip() for workspace in values if workspace.strip())


def url(value: object) -> str:
    """An http or https URL without user, password and fragment."""
    text = string(value).strip()
    scheme, separator, rest = text.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    if (
        not separator
        or scheme.lower() not in ("http", "https")
        or not _is_host_and_port(authority)
        or "#" in rest
        or not text.isprintable()
        or " " in text
    ):
        raise WrongValue("expected an http or https URL without user, password and fragment")
    return text


def base_url(value: object) -> str:
    """As :func:`url`, without a query and without trailing slashes, so that a path can be appended."""
    text = url(value)
    if "?" in text:
        raise WrongValue("expected a URL without a query")
    return text.rstrip("/")


def optional_base_url(value: object) -> str | None:
    """As :func:`base_url`; an empty string is None."""
    return None if value == "" else base_url(value)


def chatgpt_base_url(value: object) -> str:
    """As :func:`base_url`, and ChatGPT's own hosts get the path that their backend has."""
    text = base_url(value)
    if text.startswith(("https://chatgpt.com", "https://chat.openai.com")) and "/backend-api" not in text:
        return f"{text}/backend-api"
    return text


def name(value: object) -> str:
    """A string that is not blank."""
    text = string(value).strip()
    if not text:
        raise WrongValue("must not be empty")
    return text


def wire_api(value: object) -> str:
    """The one way of talking to a model that is left."""
    if value == "chat":
        raise WrongValue('`wire_api = "chat"` is no longer supported; set `wire_api = "responses"`')
    return one_of("responses")(value)


def service_tier(value: object) -> str | None:
    """A service tier; ``fast`` is what people call the tier ``priority``, as in the reference."""
    tier = optional_string(value)
    return "priority" if tier == "fast" else tier


def approval_policy(value: object) -> "str | dict[str, dict[str, bool]] | None":
    """When a person is to be asked: a word, or ``granular`` with a boolean for each kind of action."""
    if isinstance(value, dict) and value.keys() == {"granular"}:
        return {"granular": _approvals(value["granular"])}
    policy = one_of("untrusted", "on-failure", "on-request", "granular", "never")(value)
    if policy == "granular":
        raise WrongValue("invalid type: unit variant, expected newtype variant")
    return "on-request" if policy == "on-failure" else policy


def secret(value: object) -> "SecretStr":
    """A string that may be a credential."""
    from pydantic import SecretStr  # noqa: PLC0415 - most configurations hold none

    return SecretStr(string(value))


def optional_secret(value: object) -> "SecretStr | None":
    """As :func:`secret`; an empty string is None."""
    return None if value == "" else secret(value)


_APPROVALS: Final = {
    "sandbox_approval": None,
    "rules": None,
    "skill_approval": False,
    "request_permissions": False,
    "mcp_elicitations": None,
}
"""The kinds of actions with their defaults; None where the configuration has to say."""


def _approvals(value: object) -> dict[str, bool]:
    if not isinstance(value, dict):
        raise wrong_type(value, "struct GranularApprovalConfig")
    approvals = {}
    for kind, default in _APPROVALS.items():
        if kind in value:
            approvals[kind] = boolean(value[kind])
        elif default is None:
            raise WrongValue(f"missing field `{kind}`")
        else:
            approvals[kind] = default
    return approvals


def _is_host_and_port(authority: str) -> bool:
    if "@" in authority or "\\" in authority:
        return False
    host, separator, port = authority.rpartition(":")
    if not separator or port.endswith("]"):
        host, port = authority, "0"
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        return False
    return bool(host) and (port == "" or (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65_536))


def _expected(variants: tuple[str, ...]) -> str:
    quoted = [f"`{variant}`" for variant in variants]
    if len(quoted) <= 2:
        return f"expected {' or '.join(quoted)}"
    return f"expected one of {', '.join(quoted)}"


_NAMES: Final[tuple[tuple[type, str], ...]] = ((str, "string"), (list, "sequence"), (dict, "map"))


def wrong_type(value: object, expected: str) -> WrongValue:
    """The error for a value of another type than was expected."""
    return WrongValue(f"invalid type: {_shown(value)}, expected {expected}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        # Python refuses to write very long integers, and nobody wants to read them.
        return f"integer `{value}`" if value.bit_length() <= 256 else "integer"
    if isinstance(value, float):
        return f"floating point `{'NaN' if value != value else value}`"  # noqa: PLR0124 - NaN differs from itself
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "datetime")
