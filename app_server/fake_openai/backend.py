"""The backend's half without the Responses API: usage, reset credits, workspaces, settings, models.

Each ChatGPT route exists under ``/backend-api/wham`` and under ``/api/codex``, for both forms of
``chatgpt_base_url`` (wire.md section 1). The shapes are those that the reference was seen to accept.
"""

from typing import Any, Final

from app_server.fake_openai.routing import Access, Exchange, Route, json_response
from app_server.fake_openai.state import State
from app_server.fake_openai.tokens import Account
from app_server.http_server import Response

MODELS: Final = ("fake-1", "fake-1-mini")
"""Names of the models there are; any other is answered as well."""

_HOUR: Final = 3600


class Backend:
    """Answers for ``chatgpt_base_url`` and the list of models."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("usage", Access.CHATGPT, _chatgpt("usage"), {"GET": self._usage}),
            Route("reset_credits", Access.CHATGPT, _chatgpt("rate-limit-reset-credits"), {"GET": _reset_credits}),
            Route("accounts_check", Access.CHATGPT, _chatgpt("accounts/check"), {"GET": self._accounts_check}),
            Route("user_settings", Access.CHATGPT, _chatgpt("settings/user"), {"GET": _user_settings}),
            Route("models", Access.API, ("/v1/models", "/backend-api/codex/models", "/models"), {"GET": self._models}),
        ]

    def _account(self, exchange: Exchange) -> Account:
        """The workspace that the request selects among those of its token's person."""
        mine = exchange.account or self._state.current
        selected = exchange.request.headers.get("chatgpt-account-id")
        return next((a for a in self._state.workspaces_of(mine) if a.account_id == selected), mine)

    def _usage(self, exchange: Exchange) -> Response:
        account, now = self._account(exchange), int(self._state.clock())
        return json_response(
            200,
            {
                "user_id": account.user_id,
                "account_id": account.account_id,
                "email": account.email,
                "plan_type": account.plan_type,
                "rate_limit": {
                    "allowed": True,
                    "limit_reached": False,
                    "primary_window": _window(12, 5 * _HOUR, 2 * _HOUR, now),
                    "secondary_window": _window(34, 7 * 24 * _HOUR, 72 * _HOUR, now),
                },
                "additional_rate_limits": [
                    {
                        "limit_name": "Fake 1 mini",
                        "metered_feature": "codex_mini",
                        "rate_limit": {
                            "allowed": True,
                            "limit_reached": False,
                            "primary_window": _window(5, 5 * _HOUR, _HOUR, now),
                            "secondary_window": None,
                        },
                    }
                ],
                "credits": {"has_credits": True, "unlimited": False, "balance": "9.99"},
                "spend_control": {"reached": False},
                "rate_limit_reached_type": None,
            },
        )

    def _accounts_check(self, exchange: Exchange) -> Response:
        return json_response(
            200,
            {
                "accounts": [
                    {
                        "id": account.account_id,
                        "name": account.workspace_name,
                        "workspace_backend_origin": account.backend_origin,
                        "account_routing_override": account.routing_override,
                    }
                    for account in self._state.workspaces_of(exchange.account or self._state.current)
                ]
            },
        )

    def _models(self, _: Exchange) -> Response:
        # "data" is what the public API answers, "models" what the reference reads.
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in MODELS]
        models = [_model(name, priority) for priority, name in enumerate(MODELS, 1)]
        return json_response(200, {"object": "list", "data": data, "models": models})


def _chatgpt(path: str) -> tuple[str, ...]:
    return f"/backend-api/wham/{path}", f"/api/codex/{path}"


def _window(used_percent: int, seconds: int, left: int, now: int) -> dict[str, int]:
    return {
        "used_percent": used_percent,
        "limit_window_seconds": seconds,
        "reset_after_seconds": left,
        "reset_at": now + left,
    }


def _reset_credits(_: Exchange) -> Response:
    credit = {
        "id": "credit-1",
        "reset_type": "codex_rate_limits",
        "status": "available",
        "granted_at": "2026-01-01T00:00:00Z",
        "expires_at": None,
        "title": "Rate limit reset",
        "description": "One reset, made up by the fake.",
    }
    return json_response(200, {"available_count": 1, "credits": [credit]})


def _user_settings(_: Exchange) -> Response:
    return json_response(200, {})


def _model(name: str, priority: int) -> dict[str, Any]:
    return {
        "slug": name,
        "display_name": name.replace("-", " ").title(),
        "description": "Echoes what it is told.",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [
            {"effort": "low", "description": "Echoes"},
            {"effort": "medium", "description": "Echoes all the same"},
        ],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "base_instructions": "Repeat what the user said.",
        "supports_reasoning_summaries": False,
        "support_verbosity": False,
        "truncation_policy": {"mode": "bytes", "limit": 10_000},
        "supports_parallel_tool_calls": False,
        "experimental_supported_tools": [],
    }
