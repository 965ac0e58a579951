"""What a model may do to the machine, as clients say it and threads report it.

This server gives the model no hands but the parent's own tools, so nothing here is enforced by it: the values are
taken, kept with the thread, and told back, because clients ask for them.
"""

from typing import Annotated, Literal

from pydantic import Field

from protocol.base import WireModel, WireUnion


class GranularApproval(WireModel, alias_generator=None):
    """Which kinds of action are asked about; the others are refused."""

    sandbox_approval: bool
    rules: bool
    skill_approval: bool = False
    request_permissions: bool = False
    mcp_elicitations: bool


class GranularAskForApproval(WireModel):
    """Approval by kind of action."""

    granular: GranularApproval


class AskForApproval(WireUnion[Literal["untrusted", "on-request"] | GranularAskForApproval | Literal["never"]]):
    """When a person is to be asked."""


ApprovalsReviewer = Literal["user", "auto_review", "guardian_subagent"]
"""Who is to be asked."""

SandboxMode = Literal["read-only", "workspace-write", "danger-full-access"]
"""A sandbox by its name."""

NetworkAccess = Literal["restricted", "enabled"]
"""Whether a sandbox of somebody else lets traffic through."""


class DangerFullAccessSandboxPolicy(WireModel):
    """No sandbox."""

    type: Literal["dangerFullAccess"] = "dangerFullAccess"


class ReadOnlySandboxPolicy(WireModel):
    """Reading only."""

    type: Literal["readOnly"] = "readOnly"
    network_access: bool = False


class ExternalSandboxSandboxPolicy(WireModel):
    """Somebody else's sandbox."""

    type: Literal["externalSandbox"] = "externalSandbox"
    network_access: NetworkAccess = "restricted"


class WorkspaceWriteSandboxPolicy(WireModel):
    """Writing below some folders only."""

    type: Literal["workspaceWrite"] = "workspaceWrite"
    writable_roots: list[str] = []
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


class SandboxPolicy(
    WireUnion[
        Annotated[
            DangerFullAccessSandboxPolicy
            | ReadOnlySandboxPolicy
            | ExternalSandboxSandboxPolicy
            | WorkspaceWriteSandboxPolicy,
            Field(discriminator="type"),
        ]
    ]
):
    """A sandbox with its details."""


class ActivePermissionProfile(WireModel):
    """The profile that the permissions come from."""

    id: str
    extends: str | None = None
