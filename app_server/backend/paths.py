"""The backend's URLs. A base with ``/backend-api`` in it has one style of paths, any other base another
(wire.md section 1)."""

from typing import NamedTuple


class BackendPaths(NamedTuple):
    """Whole URLs, but for ``accounts_check``, which stands below ``base_url``."""

    base_url: str
    accounts_check: str
    usage: str
    reset_credits: str


def backend_paths(chatgpt_base_url: str) -> BackendPaths:
    """The URLs below this base."""
    base = chatgpt_base_url.rstrip("/")
    prefix = "/wham" if "/backend-api" in base else "/api/codex"
    return BackendPaths(
        base_url=base,
        accounts_check=f"{prefix}/accounts/check",
        usage=f"{base}{prefix}/usage",
        reset_credits=f"{base}{prefix}/rate-limit-reset-credits",
    )
