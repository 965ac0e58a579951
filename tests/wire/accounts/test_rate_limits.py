"""``account/rateLimits/read`` (wire.md section 13; section 15, items 15 and 28). Its recovery from a 401 is in
``test_refresh``."""

from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LIMITS, LOGIN, Start, asked, log_in_with_tokens

EXCLUDE_DETAILS: Json = {"excludeResetCreditDetails": True}
WINDOW: Json = {"used_percent": 37, "limit_window_seconds": 18000, "reset_after_seconds": 5, "reset_at": 1_800_000_000}
USAGE: Json = {
    "plan_type": "plus",
    "account_id": "acct-1",
    "user_id": "user-1",
    "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": WINDOW, "secondary_window": None},
}
"""What the backend answers, but for what a test changes."""

EMPTY: Json = {
    "limitId": "codex",
    "limitName": None,
    "normalModelSlug": None,
    "primary": None,
    "secondary": None,
    "credits": None,
    "individualLimit": None,
    "spendControlReached": None,
    "planType": "plus",
    "rateLimitReachedType": None,
}
"""A bucket of which nothing is known but its name and the plan."""

PRIMARY: Json = {"usedPercent": 37, "windowDurationMins": 300, "resetsAt": 1_800_000_000}


async def limits(fake: FakeOpenAI, server: ServerProcess, usage: Json) -> Json:
    """What the client is told when the backend answers this."""
    fake.fault("usage", json=usage)
    return await server.result(LIMITS, EXCLUDE_DETAILS)  # type: ignore[no-any-return]


def with_window(**members: Any) -> Json:
    return {**USAGE, "rate_limit": {**USAGE["rate_limit"], "primary_window": {**WINDOW, **members}}}


# Who may ask


async def test_without_a_chatgpt_login_there_are_no_limits(fake: FakeOpenAI, server: ServerProcess) -> None:
    for params in ({}, None, EXCLUDE_DETAILS):
        assert await server.error(LIMITS, params) == {
            "code": -32600,
            "message": "codex account authentication required to read rate limits",
        }
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
    assert await server.error(LIMITS) == {
        "code": -32600,
        "message": "chatgpt authentication required to read rate limits",
    }
    assert list(fake.requests) == []


# What is asked


async def test_usage_and_reset_credits_are_asked_for_side_by_side(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    for route in ("usage", "reset_credits"):
        fake.fault(route, hang=True)
    await server.send({"id": 1, "method": LIMITS})

    (usage,) = await asked(fake, "usage")
    (details,) = await asked(fake, "reset_credits")
    fake.release()
    assert "result" in await server.answer(1)
    assert (usage.method, usage.path) == ("GET", "/backend-api/wham/usage")
    assert (details.method, details.path) == ("GET", "/backend-api/wham/rate-limit-reset-credits")
    for request in (usage, details):
        assert (request.bearer, request.headers.get("chatgpt-account-id")) == (tokens.access_token, "acct-1")


async def test_the_details_of_reset_credits_can_be_left_out(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    usage = {**USAGE, "rate_limit_reset_credits": {"available_count": 7}}

    told = await limits(fake, server, usage)
    assert told["rateLimitResetCredits"] == {"availableCount": 7, "credits": None}
    assert fake.requests.of("reset_credits") == []


async def test_without_backend_api_in_the_base_url_there_are_other_paths(fake: FakeOpenAI, start: Start) -> None:
    async with start(f'chatgpt_base_url="{fake.base_url}"') as server:
        await log_in_with_tokens(server, fake.mint())
        await server.result(LIMITS)

    paths = {request.path for request in fake.requests if request.route in ("usage", "reset_credits")}
    assert paths == {"/api/codex/usage", "/api/codex/rate-limit-reset-credits"}


async def test_a_slow_backend_holds_up_no_other_request(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    fake.fault("usage", hang=True)
    await server.send({"id": 1, "method": LIMITS})
    await asked(fake, "usage")

    assert "result" in await server.request(LIMITS)
    assert "result" in await server.request("account/read", {})
    assert await server.barrier() == []
    fake.release()
    assert "result" in await server.answer(1)


# What the client is told


async def test_everything_that_the_backend_says_has_its_place(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    usage = {
        **USAGE,
        "rate_limit": {
            **USAGE["rate_limit"],
            "secondary_window": {"used_percent": 4, "limit_window_seconds": 604_800, "reset_at": 1_800_000_001},
        },
        "credits": {"has_credits": True, "unlimited": False, "balance": "5.0"},
        "spend_control": {
            "reached": True,
            "individual_limit": {"limit": "10", "used": "4", "remaining_percent": 60, "reset_at": 1_800_000_002},
        },
        "rate_limit_reached_type": {"type": "workspace_member_usage_limit_reached"},
        "rate_limit_upsell": {"a_banner": ["of", "the", "backend"]},
        "additional_rate_limits": [
            {
                "limit_name": "Mini",
                "metered_feature": "codex_mini",
                "normal_model_slug": "mini-1",
                "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": WINDOW},
            },
            {"limit_name": "Other", "metered_feature": "other", "rate_limit": None},
        ],
    }
    main = {
        **EMPTY,
        "primary": PRIMARY,
        "secondary": {"usedPercent": 4, "windowDurationMins": 10_080, "resetsAt": 1_800_000_001},
        "credits": {"hasCredits": True, "unlimited": False, "balance": "5.0"},
        "individualLimit": {"limit": "10", "used": "4", "remainingPercent": 60, "resetsAt": 1_800_000_002},
        "spendControlReached": True,
        "rateLimitReachedType": "workspace_member_usage_limit_reached",
    }

    assert await limits(fake, server, usage) == {
        "ordinaryUsageAllowed": True,
        "rateLimits": main,
        "rateLimitsByLimitId": {
            "codex": main,
            "codex_mini": {
                **EMPTY,
                "limitId": "codex_mini",
                "limitName": "Mini",
                "normalModelSlug": "mini-1",
                "primary": PRIMARY,
            },
            "other": {**EMPTY, "limitId": "other", "limitName": "Other"},
        },
        "rateLimitResetCredits": None,
        "accountId": "acct-1",
        "rateLimitUpsell": {"a_banner": ["of", "the", "backend"]},
    }


async def test_the_plan_is_all_that_has_to_be_there(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())

    for plan, known in (("plus", "plus"), ("a plan of tomorrow", "unknown")):
        bucket = {**EMPTY, "planType": known}
        assert await limits(fake, server, {"plan_type": plan}) == {
            "ordinaryUsageAllowed": None,
            "rateLimits": bucket,
            "rateLimitsByLimitId": {"codex": bucket},
            "rateLimitResetCredits": None,
            "accountId": None,
            "rateLimitUpsell": None,
        }


async def test_windows_are_whole_percents_and_whole_minutes(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())

    for members, window in (
        ({"used_percent": 37.5}, {"usedPercent": 38}),
        ({"limit_window_seconds": 60}, {"windowDurationMins": 1}),
        ({"limit_window_seconds": 61}, {"windowDurationMins": 2}),
        ({"limit_window_seconds": 0}, {"windowDurationMins": None}),
        ({"limit_window_seconds": -60}, {"windowDurationMins": None}),
    ):
        told = await limits(fake, server, with_window(**members))
        assert told["rateLimits"]["primary"] == {**PRIMARY, **window}, members


async def test_what_is_said_about_somebody_else_permits_nothing(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    ours = {**USAGE, "rate_limit_upsell": {"a": 1}}
    without = [
        {name: value for name, value in ours.items() if name != left_out} for left_out in ("account_id", "user_id")
    ]

    assert (await limits(fake, server, ours))["ordinaryUsageAllowed"] is True
    forbidden = {**ours, "rate_limit": {**USAGE["rate_limit"], "allowed": False}}
    assert (await limits(fake, server, forbidden))["ordinaryUsageAllowed"] is False
    for usage in ({**ours, "account_id": "acct-9"}, {**ours, "user_id": "user-9"}, *without):
        told = await limits(fake, server, usage)
        assert (told["ordinaryUsageAllowed"], told["rateLimitUpsell"]) == (None, None), usage
        assert told["accountId"] == usage.get("account_id")


async def test_a_limit_of_tomorrow_that_was_reached_is_not_known(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())

    told = await limits(fake, server, {**USAGE, "rate_limit_reached_type": {"type": "of tomorrow"}})
    assert told["rateLimits"] == {**EMPTY, "primary": PRIMARY}


async def test_reset_credits_come_with_their_details(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    credit = {"reset_type": "codex_rate_limits", "status": "available", "granted_at": "2026-01-01T00:00:00Z"}
    of_tomorrow = {"reset_type": "of tomorrow", "status": "of tomorrow"}
    fake.fault(
        "reset_credits",
        json={
            "available_count": 2,
            "credits": [
                {**credit, "id": "one", "title": "A title", "description": "A description"},
                {**credit, **of_tomorrow, "id": "two", "expires_at": "2026-02-01T00:00:00.5+01:00"},
            ],
        },
    )

    assert (await server.result(LIMITS))["rateLimitResetCredits"] == {
        "availableCount": 2,
        "credits": [
            {
                "id": "one",
                "resetType": "codexRateLimits",
                "status": "available",
                "grantedAt": 1_767_225_600,
                "expiresAt": None,
                "title": "A title",
                "description": "A description",
            },
            {
                "id": "two",
                "resetType": "unknown",
                "status": "unknown",
                "grantedAt": 1_767_225_600,
                "expiresAt": 1_769_900_400,
                "title": None,
                "description": None,
            },
        ],
    }


async def test_reset_credits_that_cannot_be_had_are_left_out(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())

    no_details: list[Json] = [{"credits": [{}]}, {}]
    faults: list[Json] = [{"status": 500}, {"drop": True}, {"malformed": True}, *({"json": it} for it in no_details)]
    for fault in faults:
        fake.fault("reset_credits", **fault)
        told = await server.result(LIMITS)
        assert told["rateLimitResetCredits"] is None, fault
        assert told["rateLimits"]["planType"] == "plus"


# What goes wrong


async def test_errors_name_the_url_and_the_status_and_never_what_the_backend_wrote(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference passes the body on (wire.md section 15.15).
    await log_in_with_tokens(server, fake.mint())
    url = f"{fake.base_url}/backend-api/wham/usage"
    secret = "eyJzZWNyZXQ.echoed.back"

    for fault, text in (
        (
            {"status": 503, "body": secret},
            f"GET {url} failed: 503 Service Unavailable; content-type=text/plain; charset=utf-8",
        ),
        (
            {"status": 429, "json": {"error": secret}},
            f"GET {url} failed: 429 Too Many Requests; content-type=application/json",
        ),
        (
            {"status": 302, "body": secret, "headers": {"location": "http://127.0.0.1:9/"}},
            f"GET {url} failed: 302 Found; content-type=text/plain; charset=utf-8",
        ),
        ({"body": secret}, f"Decode error for {url}: not JSON; content-type=text/plain; charset=utf-8"),
        ({"json": {secret: secret}}, f"Decode error for {url}: missing field `plan_type`"),
        ({"json": [secret]}, f"Decode error for {url}: unexpected value"),
        ({"json": with_window(used_percent=secret)}, f"Decode error for {url}: unexpected value"),
        ({"json": {**USAGE, "account_id": [secret]}}, f"Decode error for {url}: unexpected value"),
        ({"json": {**USAGE, "credits": {secret: secret}}}, f"Decode error for {url}: missing field `has_credits`"),
        ({"json": with_window(limit_window_seconds=secret)}, f"Decode error for {url}: unexpected value"),
        ({"drop": True}, f"error sending request for url ({url})"),
    ):
        fake.fault("usage", **fault)
        error = await server.error(LIMITS)
        assert error == {"code": -32603, "message": f"failed to fetch codex rate limits: {text}"}, fault
    assert secret not in server.log.read_text()


async def test_a_backend_that_hangs_is_given_up(fake: FakeOpenAI, start: Start) -> None:
    # The reference waited for more than 50 s (wire.md section 15.28).
    async with start("app_server.upstream_timeout=0.7") as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True)
        url = f"{fake.base_url}/backend-api/wham/usage"
        assert await server.error(LIMITS) == {
            "code": -32603,
            "message": f"failed to fetch codex rate limits: error sending request for url ({url})",
        }

        fake.fault("reset_credits", hang=True)
        told = await server.result(LIMITS)
        assert told["rateLimitResetCredits"] is None
        assert told["rateLimits"]["planType"] == "plus"


async def test_the_limits_are_those_of_the_selected_workspace(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.add_account(Account(account_id="acct-2", plan_type="team"))
    await log_in_with_tokens(server, fake.mint(), chatgptAccountId="acct-2")

    told = await server.result(LIMITS)
    assert (told["accountId"], told["rateLimits"]["planType"]) == ("acct-2", "team")
