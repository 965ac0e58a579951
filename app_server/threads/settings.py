"""What is settled about a thread: its model, its folder, what it may do. Immutable; a change makes another value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from app_server.config import Settings
from protocol.permissions import (
    ActivePermissionProfile,
    ApprovalsReviewer,
    AskForApproval,
    DangerFullAccessSandboxPolicy,
    ReadOnlySandboxPolicy,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWriteSandboxPolicy,
)
from protocol.thread import ThreadWishes
from protocol.turn import CollaborationMode, ReasoningSummary, TurnStartParams
from protocol.turn import Settings as ModeSettings

T = TypeVar("T", AskForApproval, SandboxPolicy)

_POLICIES: Final[Mapping[str, SandboxPolicy]] = {
    "read-only": SandboxPolicy(ReadOnlySandboxPolicy()),
    "workspace-write": SandboxPolicy(WorkspaceWriteSandboxPolicy()),
    "danger-full-access": SandboxPolicy(DangerFullAccessSandboxPolicy()),
}

_DEFAULT_PROFILE: Final = ActivePermissionProfile(id=":read-only")


@dataclass(frozen=True, slots=True)
class ThreadSettings:
    """What the next turn is carried out with.

    :param config: the configuration, with what the thread lays over it.
    :param provider: a key of ``config.model_providers``.
    :param cwd: absolute; need not exist.
    :param effort: how hard the model thinks; None leaves it to the model.
    :param base_instructions: in place of the model's own; None for the default.
    :param mode: wins over ``model``, ``effort`` and ``developer_instructions``.
    """

    config: Settings
    model: str
    provider: str
    cwd: str
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    permission_profile: ActivePermissionProfile | None
    effort: str | None
    summary: ReasoningSummary | None
    service_tier: str | None
    base_instructions: str | None
    developer_instructions: str | None
    mode: CollaborationMode | None = None

    @property
    def plan_mode(self) -> bool:
        """Whether the model is to make a plan."""
        return self.mode is not None and self.mode.mode == "plan"

    @property
    def collaboration(self) -> CollaborationMode:
        """The mode in force."""
        model = ModeSettings(model=self.model, reasoning_effort=self.effort)
        return self.mode or CollaborationMode(mode="default", settings=model)

    def for_turn(self, params: TurnStartParams) -> "ThreadSettings":
        """These settings with what a turn changes, from that turn on."""
        changes: dict[str, Any] = {
            name: value
            for name in ("model", "effort", "summary", "service_tier", "approval_policy", "approvals_reviewer")
            if (value := getattr(params, name))
        }
        if params.cwd:
            changes["cwd"] = absolute(params.cwd, self.cwd)
        if params.sandbox_policy is not None:
            changes |= {"sandbox": params.sandbox_policy, "permission_profile": None}
        if (mode := params.collaboration_mode) is not None:
            changes |= {
                "mode": mode,
                "model": mode.settings.model or self.model,
                "effort": mode.settings.reasoning_effort or changes.get("effort", self.effort),
            }
        return replace(self, **changes) if changes else self

    def context(self) -> dict[str, Any]:
        """What a rollout keeps of it, with the reference's names (``turn_context``)."""
        return {
            "cwd": self.cwd,
            "approval_policy": _raw(self.approval_policy),
            "approvals_reviewer": self.approvals_reviewer,
            "sandbox_policy": _stored_sandbox(self.sandbox),
            "model": self.model,
            "effort": self.effort,
            "summary": self.summary or "none",
            **({"service_tier": self.service_tier} if self.service_tier else {}),
            "collaboration_mode": {
                "mode": "plan" if self.plan_mode else "default",
                "settings": {
                    "model": self.model,
                    "reasoning_effort": self.effort,
                    "developer_instructions": self.mode and self.mode.settings.developer_instructions,
                },
            },
        }


def settle(
    config: Settings,
    wishes: ThreadWishes,
    server_cwd: str,
    default_model: Callable[[str], str],
    stored: Mapping[str, Any] | None = None,
    stored_provider: str | None = None,
) -> ThreadSettings:
    """The settings of a thread: what the client asks for, else what the thread had, else the configuration.

    :param config: with the thread's own ``config`` laid over it.
    :param server_cwd: what relative folders are relative to.
    :param default_model: the model of a provider, where nobody names one.
    :param stored: the last ``turn_context`` of a thread that goes on.
    :param stored_provider: the provider of a thread that goes on.
    """
    had = stored or {}
    provider = wishes.model_provider or stored_provider or config.model_provider
    sandbox, profile = _sandbox(wishes.sandbox, had.get("sandbox_policy"), config.sandbox_mode)
    return ThreadSettings(
        config=config,
        model=wishes.model or _text(had, "model") or config.model or default_model(provider),
        provider=provider,
        cwd=absolute(wishes.cwd or _text(had, "cwd") or server_cwd, server_cwd),
        approval_policy=wishes.approval_policy
        or _decoded(AskForApproval, had.get("approval_policy"))
        or _decoded(AskForApproval, config.approval_policy)
        or AskForApproval("on-request"),
        approvals_reviewer=wishes.approvals_reviewer or config.approvals_reviewer or "user",
        sandbox=sandbox,
        permission_profile=profile,
        effort=_text(had, "effort") or config.model_reasoning_effort,
        summary=_summary(had) or config.model_reasoning_summary,
        service_tier=wishes.service_tier or _text(had, "service_tier") or config.service_tier,
        base_instructions=wishes.base_instructions or config.instructions,
        developer_instructions=wishes.developer_instructions or config.developer_instructions,
    )


def absolute(folder: str, base: str) -> str:
    """A folder as an absolute path, whether or not it exists."""
    return str(Path(base, folder))


def _sandbox(
    wish: SandboxMode | None, stored: Any, configured: SandboxMode | None
) -> tuple[SandboxPolicy, ActivePermissionProfile | None]:
    if wish is not None:
        return _POLICIES[wish], None
    if isinstance(stored, dict) and (policy := _POLICIES.get(kind := str(stored.get("type")))) is not None:
        return policy, _DEFAULT_PROFILE if kind == "read-only" else None
    if configured is not None:
        return _POLICIES[configured], None
    return _POLICIES["read-only"], _DEFAULT_PROFILE


def _stored_sandbox(policy: SandboxPolicy) -> dict[str, Any]:
    names = {"dangerFullAccess": "danger-full-access", "workspaceWrite": "workspace-write"}
    return {"type": names.get(policy.root.type, "read-only")}


def _text(stored: Mapping[str, Any], name: str) -> str | None:
    value = stored.get(name)
    return value if isinstance(value, str) and value else None


def _summary(stored: Mapping[str, Any]) -> ReasoningSummary | None:
    summary: Any = stored.get("summary")
    # The reference writes "none" where nobody said anything.
    return summary if summary in ("auto", "concise", "detailed") else None


def _decoded(model: type[T], value: Any) -> T | None:
    """A stored or configured value, unless it makes no sense."""
    try:
        return None if value is None else model.model_validate(value)
    except ValidationError:
        return None


def _raw(policy: AskForApproval) -> Any:
    return policy.model_dump(by_alias=True)
