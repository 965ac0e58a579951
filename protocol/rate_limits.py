"""How much of the plan is used: ``account/rateLimits/read`` and its notification (wire.md section 13)."""

from typing import Any, Literal

from protocol.account import PlanType
from protocol.base import Int32, Int64, WireModel
from protocol.errors import InternalError, InvalidRequest
from protocol.method import ClientRequest, ParamsPresence, ServerNotification

RateLimitReachedType = Literal[
    "rate_limit_reached",
    "workspace_owner_credits_depleted",
    "workspace_member_credits_depleted",
    "workspace_owner_usage_limit_reached",
    "workspace_member_usage_limit_reached",
]
"""Which limit was reached."""


class RateLimitWindow(WireModel):
    """One rolling window."""

    used_percent: Int32
    window_duration_mins: Int64 | None = None
    resets_at: Int64 | None = None


class CreditsSnapshot(WireModel):
    """Credits that go beyond the plan."""

    has_credits: bool
    unlimited: bool
    balance: str | None = None


class SpendControlLimitSnapshot(WireModel):
    """A member's own spending limit."""

    limit: str
    used: str
    remaining_percent: Int32
    resets_at: Int64


class RateLimitSnapshot(WireModel):
    """One metered bucket."""

    limit_id: str | None = None
    limit_name: str | None = None
    normal_model_slug: str | None = None
    """Normal model whose display name and reasoning options describe this quota alias."""
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: CreditsSnapshot | None = None
    individual_limit: SpendControlLimitSnapshot | None = None
    spend_control_reached: bool | None = None
    """Backend-reported spend-control state. `null` is unavailable, not a sparse-update recovery."""
    plan_type: PlanType | None = None
    rate_limit_reached_type: RateLimitReachedType | None = None


class RateLimitResetCredit(WireModel):
    """A credit that resets a window."""

    id: str
    reset_type: Literal["codexRateLimits", "unknown"]
    status: Literal["available", "redeeming", "redeemed", "unknown"]
    granted_at: Int64
    expires_at: Int64 | None = None
    title: str | None = None
    description: str | None = None


class RateLimitResetCreditsSummary(WireModel):
    """The reset credits of the account."""

    available_count: Int64
    credits: list[RateLimitResetCredit] | None = None
    """`null` means only `availableCount` is known; the backend may cap the list."""


class GetAccountRateLimitsParams(WireModel):
    """How much to ask for."""

    exclude_reset_credit_details: bool = False
    """Leave out the second upstream call for the reset credits' details."""
    supports_luna_reserve: bool = False
    """Accepted and without effect here."""


class GetAccountRateLimitsResponse(WireModel):
    """The account's limits as the backend reports them now."""

    ordinary_usage_allowed: bool | None = None
    """Backend permission for ordinary included usage, validated against the active account."""
    rate_limits: RateLimitSnapshot
    """Backward-compatible single-bucket view; mirrors the historical payload."""
    rate_limits_by_limit_id: dict[str, RateLimitSnapshot] | None = None
    """Multi-bucket view keyed by metered `limit_id` (for example, `codex`)."""
    rate_limit_reset_credits: RateLimitResetCreditsSummary | None = None
    account_id: str | None = None
    """Account associated with this usage snapshot, when supplied by the backend."""
    rate_limit_upsell: Any = None
    """Optional backend-owned banner from the same usage read, in the backend's own snake_case."""


class AccountRateLimitsUpdatedNotification(WireModel):
    """Sparse rolling rate-limit update: merge it into the most recent `account/rateLimits/read`."""

    rate_limits: RateLimitSnapshot


RATE_LIMITS_READ = ClientRequest(
    "account/rateLimits/read",
    GetAccountRateLimitsParams,
    GetAccountRateLimitsResponse,
    presence=ParamsPresence.OPTIONAL,
    errors=(InvalidRequest, InternalError),
)
"""How much of the plan is used."""
RATE_LIMITS_UPDATED = ServerNotification("account/rateLimits/updated", AccountRateLimitsUpdatedNotification)
"""How much of the plan is used, as an upstream answer told in passing."""
