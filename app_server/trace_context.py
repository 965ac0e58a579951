"""W3C Trace Context (https://www.w3.org/TR/trace-context/): reading what a client sends as ``trace``, and the headers
that hand it on. What goes on under which trace is in ``request_context``.
"""

import functools
import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

MAX_STATE: Final = 2048
"""Characters of ``tracestate`` that are handed on (section 3.3.1.5 asks for 512 at least)."""

MAX_MEMBERS: Final = 32
"""Members of ``tracestate`` that there may be (section 3.3.1.1)."""

_KNOWN_FLAGS: Final = 0x03
"""Sampled and random-trace-id; all others are set to zero by whoever does not know them (section 3.2.2.5)."""


class TraceContext(NamedTuple):
    """The place in a trace from which a request came.

    :param parent_id: the span that the request was made in.
    :param state: ``tracestate`` as it came; empty for none.
    """

    trace_id: str
    parent_id: str
    flags: int
    state: str = ""

    @property
    def traceparent(self) -> str:
        """The header as it came, in the version that is known here."""
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags:02x}"

    def child_headers(self) -> dict[str, str]:
        """The headers of a request made on behalf of this one: the same trace, a span of its own (section 3.4)."""
        headers = {"traceparent": self._replace(parent_id=os.urandom(8).hex()).traceparent}
        return {**headers, "tracestate": self.state} if self.state else headers


def read(trace: Any) -> TraceContext | None:
    """The ``trace`` member of a request; None where it is none that can be handed on.

    A ``tracestate`` that does not conform is left out, and what comes with an invalid ``traceparent`` is ignored with
    it (section 4.3).
    """
    if not isinstance(trace, dict):
        return None
    parent, state = trace.get("traceparent"), trace.get("tracestate")
    if not isinstance(parent, str) or (found := _parent_expression().fullmatch(parent)) is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    if not isinstance(state, str) or not _is_state(state):
        state = ""
    return TraceContext(trace_id, parent_id, int(flags, 16) & _KNOWN_FLAGS, state)


def _is_state(text: str) -> bool:
    if len(text) > MAX_STATE:
        return False
    members = [member.strip(" \t") for member in text.split(",")]
    given = [member.partition("=")[0] for member in members if member]
    return 0 < len(given) <= MAX_MEMBERS and len(set(given)) == len(given) and all(map(_is_member, members))


def _is_member(text: str) -> bool:
    # An empty member is allowed (section 3.3.1.1).
    return not text or _member_expression().fullmatch(text) is not None


# On first use: most servers never see a trace.


@functools.cache
def _parent_expression() -> re.Pattern[str]:
    # A later version may say more, after another dash (section 3.2.4). What it says must not break a header.
    return re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x20-\x7e]*)?")


@functools.cache
def _member_expression() -> re.Pattern[str]:
    key = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    return re.compile(key + r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


NO_HEADERS: Final[Mapping[str, str]] = {}
