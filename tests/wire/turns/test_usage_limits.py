"""The texts for those who have used up a limit (wire.md section 14): by plan, by limit, and until when."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import asked, start_thread, talk

HIT: Final = "You’ve hit your usage limit"  # noqa: RUF001 - the wire
PLUS: Final = (
    f"{HIT}. Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/settings/usage "
    "to purchase more credits or"
)
PURCHASE: Final = f"{HIT}. Visit https://chatgpt.com/settings/usage to purchase more credits or"
ADMIN: Final = f"{HIT}. To get more access now, send a request to your admin or"
FREE: Final = f"{HIT}. Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or"

LATER: Final = "try again later."

BY_PLAN: Final = {
    "free": f"{FREE} {LATER}",
    "go": f"{FREE} {LATER}",
    "plus": f"{PLUS} {LATER}",
    "pro": f"{PURCHASE} {LATER}",
    "prolite": f"{PURCHASE} {LATER}",
    "team": f"{ADMIN} {LATER}",
    "business": f"{ADMIN} {LATER}",
    "enterprise": f"{HIT}. Try again later.",
    "edu": f"{HIT}. Try again later.",
    "what": f"{HIT}. Try again later.",
}

REACHED: Final = {
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
    "rate_limit_reached": f"{HIT}. Try again later.",
}


@dataclass(frozen=True)
class Said:
    """What became of a turn: its error's text, and the limits that were told before."""

    text: str
    limits: list[Json]


async def reach(fake: FakeOpenAI, server: ServerProcess, headers: Json | None = None, **error: Any) -> Said:
    """A turn at the end of a limit."""
    body = {"error": {"type": "usage_limit_reached", "message": "The limit.", **error}}
    fake.fault("responses", status=429, json=body, headers=headers or {})
    thread = await start_thread(server, "resend")
    before = len(asked(fake))
    failed = await talk(server, thread)
    assert failed.error["codexErrorInfo"] == "usageLimitExceeded"
    assert (failed.notices, len(asked(fake)) - before) == ([], 1)
    methods = failed.methods
    if "account/rateLimits/updated" in methods:
        assert methods.index("account/rateLimits/updated") < methods.index("error")
    limits = [params["rateLimits"] for params in failed.params("account/rateLimits/updated")]
    return Said(failed.error["message"], limits)


async def test_by_plan(fake: FakeOpenAI, server: ServerProcess) -> None:
    for plan, text in BY_PLAN.items():
        assert (await reach(fake, server, plan_type=plan, resets_in_seconds=100)).text == text
    assert (await reach(fake, server)).text == f"{HIT}. Try again later."


def at(then: datetime) -> str:
    return f"{then.hour % 12 or 12}:{then.minute:02} {'AM' if then.hour < 12 else 'PM'}."


async def test_until_when_on_another_day(fake: FakeOpenAI, server: ServerProcess) -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    for days in (2, 3, 12, 33):
        then = datetime.now() + timedelta(days=days)
        ending = {1: "st", 2: "nd", 3: "rd"}.get(then.day % 10, "th") if then.day not in (11, 12, 13) else "th"
        date = f"{months[then.month - 1]} {then.day}{ending}, {then.year} {at(then)}"

        said = await reach(fake, server, plan_type="plus", resets_at=int(then.timestamp()))
        assert said.text == f"{PLUS} try again at {date}"
        said = await reach(fake, server, resets_at=int(then.timestamp()))
        assert said.text == f"{HIT}. Try again at {date}"


async def test_until_when_on_the_same_day(fake: FakeOpenAI, server: ServerProcess) -> None:
    while True:
        then = datetime.now() + timedelta(seconds=1)
        said = await reach(fake, server, plan_type="pro", resets_at=int(then.timestamp()))
        if datetime.now().date() == then.date():
            break
    assert said.text == f"{PURCHASE} try again at {at(then)}"


async def test_a_promotion_and_a_particular_limit_say_more_than_the_plan(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    said = await reach(fake, server, {"x-codex-promo-message": "PROMO text"}, plan_type="plus")
    assert said.text == f"{HIT}. PROMO text, or {LATER}"

    said = await reach(fake, server, {"x-codex-active-limit": "codex_other", "x-codex-other-limit-name": "Other Limit"})
    assert said.text == f"{HIT} for Other Limit. Switch to another model now, or {LATER}"


@pytest.mark.parametrize("kind", REACHED)
async def test_what_a_workspace_has_reached(fake: FakeOpenAI, server: ServerProcess, kind: str) -> None:
    said = await reach(fake, server, {"x-codex-rate-limit-reached-type": kind})

    assert said.text == REACHED[kind]
    assert [limits["rateLimitReachedType"] for limits in said.limits] == [kind]


async def test_the_limits_themselves_are_told_before_the_error(fake: FakeOpenAI, server: ServerProcess) -> None:
    resets = int(time.time()) + 60
    headers = {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(resets)}

    said = await reach(fake, server, headers, plan_type="plus")

    (limits,) = said.limits
    assert (limits["primary"]["usedPercent"], limits["primary"]["resetsAt"]) == (100, resets)
