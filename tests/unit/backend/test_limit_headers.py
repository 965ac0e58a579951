"""Rate limits in the headers of a response (wire.md section 13)."""

import pytest

from app_server.backend.limit_headers import AccountLimits, limits_in
from protocol.rate_limits import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow

NOTHING = RateLimitSnapshot(limit_id="codex")
CREDITS = {
    "x-codex-credits-has-credits": "true",
    "x-codex-credits-unlimited": "False",
    "x-codex-credits-balance": "9.99",
}


def primary(used: str, **more: str) -> RateLimitWindow | None:
    headers = {f"x-codex-primary-{name.replace('_', '-')}": value for name, value in more.items()}
    return limits_in({"x-codex-primary-used-percent": used, **headers}, NOTHING).primary


def test_windows_are_told_with_their_length_and_their_end() -> None:
    told = limits_in(
        {
            "x-codex-primary-used-percent": "12.5",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": "1795259999",
            "x-codex-secondary-used-percent": "1",
        },
        NOTHING,
    )
    assert told.primary == RateLimitWindow(used_percent=13, window_duration_mins=300, resets_at=1795259999)
    assert told.secondary == RateLimitWindow(used_percent=1)
    assert (told.limit_id, told.limit_name, told.plan_type) == ("codex", None, None)


@pytest.mark.parametrize(
    ("text", "percent"), [("37.5", 38), ("37.4", 37), ("0", 0), ("0.5", 1), ("99.9", 100), ("150", 150)]
)
def test_percentages_are_rounded_and_halves_go_up(text: str, percent: int) -> None:
    window = primary(text)
    assert window is not None
    assert window.used_percent == percent


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e300", "12%"])
def test_a_percentage_that_is_none_tells_of_no_window(text: str) -> None:
    assert primary(text, window_minutes="300") is None


def test_a_length_or_an_end_that_is_none_is_not_known() -> None:
    assert primary("5", window_minutes="x", reset_at="-5") == RateLimitWindow(used_percent=5)


def test_an_end_beyond_2038_is_told() -> None:
    assert primary("5", reset_at="4102444800") == RateLimitWindow(used_percent=5, resets_at=4102444800)


def test_windows_that_a_response_does_not_tell_are_unknown_but_credits_stay() -> None:
    before = limits_in({**CREDITS, "x-codex-primary-used-percent": "5"}, NOTHING)
    after = limits_in({}, before)
    assert (after.primary, after.credits) == (None, before.credits)
    assert before.credits == CreditsSnapshot(has_credits=True, unlimited=False, balance="9.99")


def test_new_credits_take_the_place_of_the_old_ones() -> None:
    before = limits_in(CREDITS, NOTHING)
    after = limits_in({**CREDITS, "x-codex-credits-has-credits": "0", "x-codex-credits-balance": ""}, before)
    assert after.credits == CreditsSnapshot(has_credits=False, unlimited=False, balance=None)


@pytest.mark.parametrize("missing", ["x-codex-credits-has-credits", "x-codex-credits-unlimited"])
def test_half_of_what_credits_consist_of_tells_nothing(missing: str) -> None:
    before = limits_in(CREDITS, NOTHING)
    told = {name: value for name, value in CREDITS.items() if name != missing}
    assert limits_in({**told, "x-codex-credits-balance": "1"}, before).credits == before.credits


def test_another_limit_has_headers_of_its_own() -> None:
    told = limits_in(
        {
            "x-codex-active-limit": "codex_other",
            "x-codex-other-limit-name": "Other Limit",
            "x-codex-other-primary-used-percent": "7",
            "x-codex-primary-used-percent": "99",
        },
        NOTHING,
    )
    assert (told.limit_id, told.limit_name, told.primary) == (
        "codex_other",
        "Other Limit",
        RateLimitWindow(used_percent=7),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [("workspace_owner_credits_depleted", "workspace_owner_credits_depleted"), ("novelty", None), ("", None)],
)
def test_the_limit_that_was_reached_is_told_if_clients_know_it(text: str, told: str | None) -> None:
    assert limits_in({"x-codex-rate-limit-reached-type": text}, NOTHING).rate_limit_reached_type == told


def test_a_refusal_is_news_when_it_tells_limits_even_the_same_ones() -> None:
    limits = AccountLimits()
    headers = {"x-codex-primary-used-percent": "5"}
    assert [limits.note_refusal(headers), limits.note_refusal(headers)] == [True, True]


def test_a_refusal_that_tells_nothing_leaves_what_is_known() -> None:
    limits = AccountLimits()
    limits.note({"x-codex-primary-used-percent": "5"})
    assert not limits.note_refusal({"content-type": "application/json"})
    assert limits.known.primary == RateLimitWindow(used_percent=5)


def test_a_response_that_tells_nothing_makes_the_windows_unknown() -> None:
    limits = AccountLimits()
    limits.note({"x-codex-primary-used-percent": "5", **CREDITS})
    limits.note({})
    assert limits.known.primary is None
    assert limits.known.credits is not None
