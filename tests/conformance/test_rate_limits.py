"""``account/rateLimits/read`` (wire.md section 13; section 15.15)."""

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.conftest import Differs
from tests.conformance.support import refused
from tests.support.server import ServerProcess
from tests.support.upstream import LIMITS, LOGIN, REFRESH, fresh, log_in_with_tokens

FAILED = "failed to fetch codex rate limits: "


async def test_limits_are_for_those_who_are_logged_in_with_chatgpt(server: ServerProcess) -> None:
    assert await server.error(LIMITS) == refused("codex account authentication required to read rate limits")
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-1"})
    assert await server.error(LIMITS) == refused("chatgpt authentication required to read rate limits")


async def test_limits_are_told_as_the_backend_has_them(server: ServerProcess, fake: FakeOpenAI) -> None:
    await log_in_with_tokens(server, fake.mint())
    window = {"used_percent": 12, "limit_window_seconds": 18000, "reset_at": 1795270000, "reset_after_seconds": 60}
    limit = {"allowed": True, "limit_reached": False, "primary_window": window, "secondary_window": None}
    usage = {
        "plan_type": "pro",
        "rate_limit": limit,
        "credits": {"has_credits": True, "unlimited": False, "balance": "9.99"},
        "additional_rate_limits": [
            {"limit_name": "Images", "metered_feature": "images", "rate_limit": {**limit, "secondary_window": window}}
        ],
    }
    fake.fault("usage", status=200, json=usage)
    result = await server.result(LIMITS, {"excludeResetCreditDetails": True})
    told = {"usedPercent": 12, "windowDurationMins": 300, "resetsAt": 1795270000}
    bucket = {
        "limitId": "codex",
        "limitName": None,
        "normalModelSlug": None,
        "primary": told,
        "secondary": None,
        "credits": {"hasCredits": True, "unlimited": False, "balance": "9.99"},
        "individualLimit": None,
        "spendControlReached": None,
        "planType": "pro",
        "rateLimitReachedType": None,
    }
    images = {**bucket, "limitId": "images", "limitName": "Images", "secondary": told, "credits": None}
    assert result == {
        "ordinaryUsageAllowed": None,
        "rateLimits": bucket,
        "rateLimitsByLimitId": {"codex": bucket, "images": images},
        "rateLimitResetCredits": None,
        "accountId": None,
        "rateLimitUpsell": None,
    }


async def test_a_backend_that_fails(server: ServerProcess, fake: FakeOpenAI, differs: Differs) -> None:
    await log_in_with_tokens(server, fake.mint())
    fake.fault("usage", status=503, body="canary")
    error = await server.error(LIMITS, {"excludeResetCreditDetails": True})
    assert error["code"] == -32603
    assert error["message"].startswith(f"{FAILED}GET {fake.base_url}/backend-api/wham/usage failed: 503 Service Unav")
    differs("upstream-body", "canary" in error["message"])


async def test_a_token_that_is_refused(server: ServerProcess, fake: FakeOpenAI, differs: Differs) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)
    await server.send({"id": "limits", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
    message = await server.take(lambda message: message.get("method") == REFRESH or message.get("id") == "limits")
    asked = message.get("method") == REFRESH
    if asked:
        await server.send({"id": message["id"], "result": fresh(fake.mint())})
        message = await server.answer("limits")
    differs("limits-401", {"parent asked": asked, "answered": "result" in message})
