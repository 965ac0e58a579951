"""What a person is told who has used up a limit: by plan, by limit, and until when (wire.md section 14)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app_server.redaction import redact

# The apostrophe is the reference's.
_HIT: Final = "You’ve hit your usage limit"  # noqa: RUF001

_REACHED: Final = {
    "workspace_owner_credits_depleted": "Your workspace is out of credits. Add credits to continue.",
    "workspace_member_credits_depleted": (
        "Your workspace is out of credits. Ask your workspace owner to refill in order to continue."
    ),
    "workspace_owner_usage_limit_reached": (
        "You hit your spend cap set in your workspace. Increase your spend cap to continue."
    ),
    "workspace_member_usage_limit_reached": (
        "You hit your spend cap set by the owner of your workspace. "
        "Ask an owner to increase your spend cap to continue."
    ),
}

_TO_PLUS: Final = "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus),"
_CREDITS: Final = "isit https://chatgpt.com/settings/usage to purchase more credits"
_PURCHASE: Final = f"V{_CREDITS}"
_TO_PRO: Final = f"Upgrade to Pro (https://chatgpt.com/explore/pro), v{_CREDITS}"
_ASK_ADMIN: Final = "To get more access now, send a request to your admin"

_BY_PLAN: Final = {
    "free": _TO_PLUS,
    "go": _TO_PLUS,
    "plus": _TO_PRO,
    "pro": _PURCHASE,
    "prolite": _PURCHASE,
    "team": _ASK_ADMIN,
    "business": _ASK_ADMIN,
}

_MAIN_LIMIT: Final = "codex"
_MAX_FOREIGN: Final = 500
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def usage_limit_text(error: Mapping[str, Any], headers: Mapping[str, str], now: datetime | None = None) -> str:
    """The text for an error of type ``usage_limit_reached``.

    :param error: the upstream's; its ``plan_type`` and ``resets_at`` (Unix seconds) count.
    :param headers: of the answer; those of a particular limit or of a promotion say more than the plan.
    :param now: local time; None means the system's.
    """
    if (reached := _REACHED.get(headers.get("x-codex-rate-limit-reached-type", ""))) is not None:
        return reached
    again = _again(error.get("resets_at"), now or datetime.now())
    if (limit := _limit_name(headers)) is not None:
        return f"{_HIT} for {limit}. Switch to another model now, or {again}"
    if promotion := _foreign(headers.get("x-codex-promo-message")):
        return f"{_HIT}. {promotion}, or {again}"
    plan = error.get("plan_type")
    advice = _BY_PLAN.get(plan) if isinstance(plan, str) else None
    return f"{_HIT}. T{again[1:]}" if advice is None else f"{_HIT}. {advice} or {again}"


def _limit_name(headers: Mapping[str, str]) -> str | None:
    """The name of the limit that was reached, unless it is the main one."""
    limit = headers.get("x-codex-active-limit", "").strip().lower().replace("_", "-")
    if limit in ("", _MAIN_LIMIT):
        return None
    return _foreign(headers.get(f"x-{limit}-limit-name")) or None


def _again(resets_at: object, now: datetime) -> str:
    if not isinstance(resets_at, int | float) or isinstance(resets_at, bool):
        return "try again later."
    try:
        then = datetime.fromtimestamp(resets_at, now.tzinfo)
    except (ValueError, OverflowError, OSError):
        return "try again later."
    # Not by strftime, whose words follow the locale.
    time = f"{then.hour % 12 or 12}:{then.minute:02} {'AM' if then.hour < 12 else 'PM'}"
    if then.date() == now.date():
        return f"try again at {time}."
    return f"try again at {_MONTHS[then.month - 1]} {then.day}{_ordinal(then.day)}, {then.year} {time}."


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _foreign(text: str | None) -> str:
    return redact(text.strip()[:_MAX_FOREIGN]) if text else ""
