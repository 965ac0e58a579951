"""Counting tokens: what a response says it used, added up (wire.md section 14)."""

from collections.abc import Mapping
from typing import Any, Final

from protocol.turn import ThreadTokenUsage, TokenUsageBreakdown

NOTHING: Final = TokenUsageBreakdown(
    total_tokens=0,
    input_tokens=0,
    cached_input_tokens=0,
    cache_write_input_tokens=0,
    output_tokens=0,
    reasoning_output_tokens=0,
)

MOST: Final = 2**40
"""Tokens that a response is believed to have used; what goes beyond is an upstream's mistake."""

NONE_USED: Final = ThreadTokenUsage(total=NOTHING, last=NOTHING)


def used_by(response: Mapping[str, Any]) -> TokenUsageBreakdown | None:
    """What a response used, if it says so."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    taken, given = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    details, given_details = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    return TokenUsageBreakdown(
        total_tokens=_count(usage, "total_tokens") or taken + given,
        input_tokens=taken,
        cached_input_tokens=_count(details, "cached_tokens"),
        cache_write_input_tokens=_count(details, "cache_write_tokens"),
        output_tokens=given,
        reasoning_output_tokens=_count(given_details, "reasoning_tokens"),
    )


def add(usage: ThreadTokenUsage, used: TokenUsageBreakdown | None, window: int | None) -> ThreadTokenUsage:
    """The thread's usage after one more response; one that says nothing changes nothing."""
    if used is None:
        return usage.model_copy(update={"model_context_window": window})
    total = {name: getattr(usage.total, name) + getattr(used, name) for name in TokenUsageBreakdown.model_fields}
    return ThreadTokenUsage(total=TokenUsageBreakdown(**total), last=used, model_context_window=window)


def estimated(usage: ThreadTokenUsage, tokens: int) -> ThreadTokenUsage:
    """The thread's usage when its history has become another one of about so many tokens."""
    return usage.model_copy(update={"last": NOTHING.model_copy(update={"total_tokens": tokens})})


def _count(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return min(count, MOST) if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
