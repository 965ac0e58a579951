"""Texts for who has used up a limit, and waiting as long as an upstream says (wire.md section 14)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app_server.backend.retry_after import MAX_RETRY_AFTER, retry_after_of
from app_server.backend.usage_limits import usage_limit_text

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=timezone(timedelta(hours=1)))
HIT = "You’ve hit your usage limit"  # noqa: RUF001 - the wire
SETTINGS = "https://chatgpt.com/settings/usage to purchase more credits"


def text(plan: Any = None, after: timedelta | None = None, **headers: str) -> str:
    error = {"plan_type": plan, "resets_at": None if after is None else int((NOW + after).timestamp())}
    return usage_limit_text(error, {name.replace("_", "-"): value for name, value in headers.items()}, NOW)


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        (
            ("free", "go"),
            "Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or try again later.",
        ),
        (("plus",), f"Upgrade to Pro (https://chatgpt.com/explore/pro), visit {SETTINGS} or try again later."),
        (("pro", "prolite"), f"Visit {SETTINGS} or try again later."),
        (("team", "business"), "To get more access now, send a request to your admin or try again later."),
        (("enterprise", "edu", "unknown", "new", None, 5), "Try again later."),
    ],
)
def test_each_plan_has_its_own_advice(plans: tuple[Any, ...], expected: str) -> None:
    for plan in plans:
        assert text(plan) == f"{HIT}. {expected}"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=1), "11:05 AM"),
        (timedelta(hours=2, minutes=-4), "12:01 PM"),
        (timedelta(hours=-10), "12:05 AM"),
        (timedelta(hours=14), "Nov 22nd, 2026 12:05 AM"),
        (timedelta(days=3), "Nov 24th, 2026 10:05 AM"),
        (timedelta(days=10), "Dec 1st, 2026 10:05 AM"),
        (timedelta(days=12), "Dec 3rd, 2026 10:05 AM"),
        (timedelta(days=21), "Dec 12th, 2026 10:05 AM"),
    ],
)
def test_the_time_is_local_and_the_day_is_left_out_if_it_is_today(after: timedelta, expected: str) -> None:
    assert text("enterprise", after) == f"{HIT}. Try again at {expected}."
    assert text("team", after).endswith(f"admin or try again at {expected}.")


@pytest.mark.parametrize("resets_at", [None, "x", True, 1e300, -1e300, [], float("nan")])
def test_a_time_that_is_none_is_later(resets_at: Any) -> None:
    assert usage_limit_text({"resets_at": resets_at}, {}, NOW) == f"{HIT}. Try again later."


def test_without_a_time_given_the_systems_counts() -> None:
    today = datetime.now().replace(hour=13, minute=7)
    assert usage_limit_text({"resets_at": today.timestamp()}, {}) == f"{HIT}. Try again at 1:07 PM."


def test_a_promotion_stands_instead_of_the_advice() -> None:
    assert text("plus", x_codex_promo_message="PROMO text") == f"{HIT}. PROMO text, or try again later."


def test_another_limit_than_the_main_one_is_named() -> None:
    headers = {"x-codex-active-limit": "codex_other", "x-codex-other-limit-name": "Other Limit"}
    expected = f"{HIT} for Other Limit. Switch to another model now, or try again later."
    assert usage_limit_text({"plan_type": "plus"}, headers) == expected
    assert "for" not in usage_limit_text({}, {**headers, "x-codex-active-limit": "codex"})
    assert "for" not in usage_limit_text({}, {"x-codex-active-limit": "codex_other"})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("workspace_owner_credits_depleted", "Your workspace is out of credits. Add credits to continue."),
        (
            "workspace_member_credits_depleted",
            "Your workspace is out of credits. Ask your workspace owner to refill in order to continue.",
        ),
        (
            "workspace_owner_usage_limit_reached",
            "You hit your spend cap set in your workspace. Increase your spend cap to continue.",
        ),
        (
            "workspace_member_usage_limit_reached",
            (
                "You hit your spend cap set by the owner of your workspace. "
                "Ask an owner to increase your spend cap to continue."
            ),
        ),
        ("rate_limit_reached", f"{HIT}. Try again later."),
    ],
)
def test_a_workspaces_limit_says_who_can_help(kind: str, expected: str) -> None:
    assert text(x_codex_rate_limit_reached_type=kind) == expected


# How long to wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        (" 7 ", 7),
        ("99999999999999999999", MAX_RETRY_AFTER),
        ("Sat, 21 Nov 2026 09:05:30 GMT", 30),
        ("Sat, 21 Nov 2026 09:05:30 -0000", 30),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
        ("Sat, 21 Nov 2037 09:00:00 GMT", MAX_RETRY_AFTER),
    ],
)
def test_seconds_and_dates_count_up_to_a_bound(value: str, seconds: float) -> None:
    assert retry_after_of(value, NOW.astimezone(UTC)) == seconds


@pytest.mark.parametrize("value", [None, "", "x", "1.5", "-1", "٣", "Sat, 99 Nov 2026 09:05:30 GMT", "2026-11-21"])
def test_anything_else_does_not(value: str | None) -> None:
    assert retry_after_of(value) is None
