"""What clients ask about and this server has none of: skills, goals, MCP servers and the like.

Each answers truthfully with nothing, so that a client goes on.
"""

from typing import Any, Literal

from protocol.base import Int64, UInt32, WireModel
from protocol.errors import InvalidRequest
from protocol.method import ClientRequest, Empty
from protocol.turn import ModeKind, ReasoningEffort


class SkillErrorInfo(WireModel):
    """A skill that cannot be read."""

    path: str
    message: str


SkillScope = Literal["user", "repo", "system", "admin"]
"""Whose a skill is."""


class SkillMetadata(WireModel):
    """A skill."""

    name: str
    description: str
    short_description: str | None = None
    path: str
    scope: SkillScope
    enabled: bool


class SkillsListEntry(WireModel):
    """The skills of a folder."""

    cwd: str
    skills: list[SkillMetadata]
    errors: list[SkillErrorInfo]


class SkillsListParams(WireModel):
    """The folders; none means that of the server."""

    cwds: list[str] = []
    force_reload: bool = False


class SkillsListResponse(WireModel):
    """An entry for each folder."""

    data: list[SkillsListEntry]


class PermissionProfileSummary(WireModel):
    """A permission profile."""

    id: str
    description: str | None = None
    allowed: bool


class PermissionProfileListParams(WireModel):
    """Which part of the list."""

    cursor: str | None = None
    limit: UInt32 | None = None
    cwd: str | None = None


class PermissionProfileListResponse(WireModel):
    """Permission profiles."""

    data: list[PermissionProfileSummary]
    next_cursor: str | None = None


ThreadGoalStatus = Literal["active", "paused", "blocked", "usageLimited", "budgetLimited", "complete"]
"""How far a goal is."""


class ThreadGoal(WireModel):
    """What a thread works towards."""

    thread_id: str
    objective: str
    status: ThreadGoalStatus
    token_budget: Int64 | None = None
    tokens_used: Int64
    time_used_seconds: Int64
    created_at: Int64
    updated_at: Int64


class ThreadGoalGetParams(WireModel):
    """The thread."""

    thread_id: str


class ThreadGoalGetResponse(WireModel):
    """Its goal."""

    goal: ThreadGoal | None = None


McpServerStatusDetail = Literal["full", "toolsAndAuthOnly"]
"""How much to tell."""

McpAuthStatus = Literal["unknown", "unsupported", "notLoggedIn", "bearerToken", "oAuth"]
"""Whether an MCP server wants a login."""


class McpServerStatus(WireModel):
    """An MCP server."""

    name: str
    auth_status: McpAuthStatus
    tools: dict[str, Any]
    resources: list[Any]
    resource_templates: list[Any]


class ListMcpServerStatusParams(WireModel):
    """Which part of the list."""

    cursor: str | None = None
    limit: UInt32 | None = None
    detail: McpServerStatusDetail | None = None
    thread_id: str | None = None
    server_name: str | None = None


class ListMcpServerStatusResponse(WireModel):
    """MCP servers."""

    data: list[McpServerStatus]
    next_cursor: str | None = None


ExperimentalFeatureStage = Literal["beta", "underDevelopment", "stable", "deprecated", "removed"]
"""How far a feature is."""


class ExperimentalFeature(WireModel):
    """A feature that can be switched."""

    name: str
    stage: ExperimentalFeatureStage
    display_name: str | None = None
    description: str | None = None
    announcement: str | None = None
    enabled: bool
    default_enabled: bool


class ExperimentalFeatureListParams(WireModel):
    """Which part of the list."""

    cursor: str | None = None
    limit: UInt32 | None = None
    thread_id: str | None = None


class ExperimentalFeatureListResponse(WireModel):
    """Features."""

    data: list[ExperimentalFeature]
    next_cursor: str | None = None


class CollaborationModeListParams(Empty):
    """Nothing to say."""


class CollaborationModeMask(WireModel, alias_generator=None):
    """A collaboration mode to choose."""

    name: str
    mode: ModeKind | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None


class CollaborationModeListResponse(WireModel):
    """Collaboration modes."""

    data: list[CollaborationModeMask]


_FAULTS = (InvalidRequest,)

SKILLS_LIST = ClientRequest("skills/list", SkillsListParams, SkillsListResponse)
"""Skills; each folder has none."""
PERMISSION_PROFILE_LIST = ClientRequest(
    "permissionProfile/list", PermissionProfileListParams, PermissionProfileListResponse, errors=_FAULTS
)
"""Permission profiles; there are none."""
THREAD_GOAL_GET = ClientRequest("thread/goal/get", ThreadGoalGetParams, ThreadGoalGetResponse, errors=_FAULTS)
"""The thread's goal; it has none."""
MCP_SERVER_STATUS_LIST = ClientRequest(
    "mcpServerStatus/list", ListMcpServerStatusParams, ListMcpServerStatusResponse, errors=_FAULTS
)
"""MCP servers; there are none."""
EXPERIMENTAL_FEATURE_LIST = ClientRequest(
    "experimentalFeature/list", ExperimentalFeatureListParams, ExperimentalFeatureListResponse, errors=_FAULTS
)
"""Features that can be switched; there are none."""
COLLABORATION_MODE_LIST = ClientRequest(
    "collaborationMode/list", CollaborationModeListParams, CollaborationModeListResponse, experimental=True
)
"""Collaboration modes; there are none to choose from."""
