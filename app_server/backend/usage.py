"""What the backend says about limits, as the wire has it: ``wham/usage`` (wire.md section 13)."""

import contextlib
import math
from datetime import datetime
from typing import Any, Final, get_args

import anyio

from app_server.auth.credentials import Credential
from app_server.auth.errors import RecoveryFailed
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import UpstreamUnreachable
from protocol.account import PlanType
from protocol.rate_limits import (
    CreditsSnapshot,
    GetAccountRateLimitsResponse,
    RateLimitReachedType,
    RateLimitResetCredit,
    RateLimitResetCreditsSummary,
    RateLimitSnapshot,
    RateLimitWindow,
    SpendControlLimitSnapshot,
)

MAIN_LIMIT: Final = "codex"


class UsageUnavailable(Exception):
    """The limits could not be read.

    :param message: what went wrong; never what the upstream wrote, which can hold anything (wire.md section 15.15).
    :param details: what the parent said when it was asked for tokens.
    """

    def __init__(self, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Usage:
    """Reads the account's limits.

    :param http: the authorised path.
    :param usage_url: where the limits are.
    :param credits_url: where the details of the reset credits are.
    :param timeout: seconds for each exchange with the upstream.
    """

    def __init__(self, http: AuthorizedHttp, usage_url: str, credits_url: str, timeout: float) -> None:
        self._http = http
        self._usage_url = usage_url
        self._credits_url = credits_url
        self._timeout = timeout

    async def read(self, credential: Credential, *, credit_details: bool) -> GetAccountRateLimitsResponse:
        """Ask the backend.

        :param credential: the snapshot to ask with.
        :param credit_details: also ask for the reset credits; that this fails is no failure.
        :raises UsageUnavailable: no answer, an error, or an answer that makes no sense.
        """
        details: list[Any] = []

        async def read_credits() -> None:
            with contextlib.suppress(UsageUnavailable):
                details.append((await self._get(self._credits_url, credential))[0])

        async with anyio.create_task_group() as tasks:
            if credit_details:
                tasks.start_soon(read_credits)
            try:
                document, accepted = await self._get(self._usage_url, credential)
            except UsageUnavailable as failure:
                tasks.cancel_scope.cancel()
                error: UsageUnavailable | None = failure
            else:
                error = None
        if error is not None:
            raise error
        try:
            reset_credits = _reset_credits(details[0]) if details else None
            return _response(document, reset_credits or _available_credits(document), accepted)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as fault:
            reason = f"missing field `{fault.args[0]}`" if isinstance(fault, KeyError) else "unexpected value"
            raise UsageUnavailable(f"Decode error for {self._usage_url}: {reason}") from None

    async def _get(self, url: str, credential: Credential) -> tuple[Any, Credential]:
        try:
            response, accepted = await self._http.get(url, credential, timeout=self._timeout)
        except UpstreamUnreachable as error:
            raise UsageUnavailable(str(error)) from None
        except RecoveryFailed as error:
            raise UsageUnavailable(error.message, error.details) from None
        content_type = response.headers.get("content-type", "")
        if response.status_code != 200:
            status = f"{response.status_code} {response.reason_phrase}".strip()
            raise UsageUnavailable(f"GET {url} failed: {status}; content-type={content_type}")
        try:
            return response.json(), accepted
        except (ValueError, RecursionError):
            raise UsageUnavailable(f"Decode error for {url}: not JSON; content-type={content_type}") from None


def _response(
    document: Any, reset_credits: RateLimitResetCreditsSummary | None, credential: Credential
) -> GetAccountRateLimitsResponse:
    plan = _plan(document["plan_type"])
    main = RateLimitSnapshot(
        limit_id=MAIN_LIMIT,
        plan_type=plan,
        credits=_credits(document.get("credits")),
        individual_limit=_individual_limit((document.get("spend_control") or {}).get("individual_limit")),
        spend_control_reached=(document.get("spend_control") or {}).get("reached"),
        rate_limit_reached_type=_reached((document.get("rate_limit_reached_type") or {}).get("type")),
        primary=_window(document.get("rate_limit"), "primary_window"),
        secondary=_window(document.get("rate_limit"), "secondary_window"),
    )
    buckets = {MAIN_LIMIT: main}
    for extra in document.get("additional_rate_limits") or []:
        buckets[extra["metered_feature"]] = RateLimitSnapshot(
            limit_id=extra["metered_feature"],
            limit_name=extra.get("limit_name"),
            normal_model_slug=extra.get("normal_model_slug"),
            plan_type=plan,
            primary=_window(extra.get("rate_limit"), "primary_window"),
            secondary=_window(extra.get("rate_limit"), "secondary_window"),
        )
    account_id = document.get("account_id")
    # Another account's permission says nothing about this one.
    ours = account_id == credential.account_id and document.get("user_id") == credential.user_id
    return GetAccountRateLimitsResponse(
        ordinary_usage_allowed=(document.get("rate_limit") or {}).get("allowed") if ours else None,
        rate_limits=main,
        rate_limits_by_limit_id=buckets,
        rate_limit_reset_credits=reset_credits,
        account_id=account_id,
        rate_limit_upsell=document.get("rate_limit_upsell") if ours else None,
    )


def _window(limit: Any, name: str) -> RateLimitWindow | None:
    window = (limit or {}).get(name)
    if window is None:
        return None
    seconds = window.get("limit_window_seconds")
    return RateLimitWindow(
        used_percent=round(window["used_percent"]),
        window_duration_mins=math.ceil(seconds / 60) if seconds and seconds > 0 else None,
        resets_at=window.get("reset_at"),
    )


def _credits(snapshot: Any) -> CreditsSnapshot | None:
    if snapshot is None:
        return None
    return CreditsSnapshot(
        has_credits=snapshot["has_credits"], unlimited=snapshot["unlimited"], balance=snapshot.get("balance")
    )


def _individual_limit(limit: Any) -> SpendControlLimitSnapshot | None:
    if limit is None:
        return None
    return SpendControlLimitSnapshot(
        limit=limit["limit"],
        used=limit["used"],
        remaining_percent=limit["remaining_percent"],
        resets_at=limit["reset_at"],
    )


def _reset_credits(document: Any) -> RateLimitResetCreditsSummary | None:
    try:
        return RateLimitResetCreditsSummary(
            available_count=document["available_count"],
            credits=[_reset_credit(credit) for credit in document["credits"]],
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def _available_credits(document: Any) -> RateLimitResetCreditsSummary | None:
    """The bare count that comes with the limits themselves."""
    summary = document.get("rate_limit_reset_credits")
    return None if summary is None else RateLimitResetCreditsSummary(available_count=summary["available_count"])


def _reset_credit(credit: Any) -> RateLimitResetCredit:
    reset_type, status = credit.get("reset_type"), credit.get("status")
    return RateLimitResetCredit(
        id=credit["id"],
        reset_type="codexRateLimits" if reset_type == "codex_rate_limits" else "unknown",
        status=status if status in ("available", "redeeming", "redeemed") else "unknown",
        granted_at=_unix(credit["granted_at"]),
        expires_at=None if credit.get("expires_at") is None else _unix(credit["expires_at"]),
        title=credit.get("title"),
        description=credit.get("description"),
    )


def _unix(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())


def _plan(text: Any) -> Any:
    return text if text in get_args(PlanType) else "unknown"


def _reached(text: Any) -> Any:
    return text if text in get_args(RateLimitReachedType) else None
