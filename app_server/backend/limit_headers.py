"""Rate limits that the upstream tells in passing, in the headers of a response (wire.md section 13)."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from protocol.rate_limits import CreditsSnapshot, RateLimitReachedType, RateLimitSnapshot, RateLimitWindow

MAIN: Final = "codex"
PREFIX: Final = "x-codex-"
_LARGEST: Final = 2**53
"""Beyond it a float is no exact number, and no percentage, duration or time is."""

_MOST_PERCENT: Final = 2**31 - 1


class AccountLimits:
    """The limits of the account that turns are carried out for, as they were last told."""

    def __init__(self) -> None:
        self.known = RateLimitSnapshot(limit_id=MAIN)

    def note(self, headers: Mapping[str, str]) -> None:
        """Take over what a response tells; what it does not tell is not known any more."""
        self.known = limits_in(headers, self.known)

    def note_refusal(self, headers: Mapping[str, str]) -> bool:
        """Take over what a refused request tells, if it does tell any limits; returns whether it does."""
        tells = any(name.lower().startswith(PREFIX) for name in headers)
        if tells:
            self.note(headers)
        return tells


def limits_in(headers: Mapping[str, str], before: RateLimitSnapshot) -> RateLimitSnapshot:
    """The limits that the headers tell; what they do not tell is unknown, but for credits, which stay.

    :param headers: of a response, with names in lower case or a mapping that does not care.
    :param before: what was told before.
    """
    active = headers.get("x-codex-active-limit") or MAIN
    prefix = f"x-{active.replace('_', '-')}"
    reached = headers.get("x-codex-rate-limit-reached-type")
    return RateLimitSnapshot(
        limit_id=active.replace("-", "_"),
        limit_name=headers.get(f"{prefix}-limit-name"),
        primary=_window(headers, f"{prefix}-primary"),
        secondary=_window(headers, f"{prefix}-secondary"),
        credits=_credits(headers) or before.credits,
        rate_limit_reached_type=_reached(reached),
    )


def _window(headers: Mapping[str, str], prefix: str) -> RateLimitWindow | None:
    used = _number(headers.get(f"{prefix}-used-percent"))
    if used is None:
        return None
    minutes, resets_at = (_number(headers.get(f"{prefix}-{name}")) for name in ("window-minutes", "reset-at"))
    return RateLimitWindow(
        # Halves go up, as in the reference.
        used_percent=min(int(used + 0.5), _MOST_PERCENT),
        window_duration_mins=None if minutes is None else int(minutes),
        resets_at=None if resets_at is None else int(resets_at),
    )


def _credits(headers: Mapping[str, str]) -> CreditsSnapshot | None:
    has, unlimited = headers.get("x-codex-credits-has-credits"), headers.get("x-codex-credits-unlimited")
    if has is None or unlimited is None:
        return None
    return CreditsSnapshot(
        has_credits=_flag(has), unlimited=_flag(unlimited), balance=headers.get("x-codex-credits-balance") or None
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < _LARGEST else None


def _flag(text: str) -> bool:
    return text.strip().lower() in ("true", "1")


def _reached(text: str | None) -> Any:
    return text if text in get_args(RateLimitReachedType) else None
