"""The configuration in force: ``config/read``, and warnings in the middle of a session."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from protocol.base import Int64, WireModel, WireUnion
from protocol.errors import InternalError, InvalidRequest
from protocol.method import ClientRequest, ServerNotification
from protocol.permissions import ApprovalsReviewer, AskForApproval, SandboxMode
from protocol.turn import ReasoningEffort, ReasoningSummary

ForcedLoginMethod = Literal["chatgpt", "api"]
"""The only kind of login that is allowed."""


class ForcedChatgptWorkspaceIds(WireUnion[str | list[str]]):
    """The only workspaces that are allowed."""


Verbosity = Literal["low", "medium", "high"]
"""How much the model says."""


class Config(WireModel):
    """The settings that this server uses, by their names in `config.toml`; some have no member here."""

    model_config = ConfigDict(alias_generator=None, extra="allow")

    model: str | None = None
    review_model: str | None = None
    model_context_window: Int64 | None = None
    model_auto_compact_token_limit: Int64 | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_mode: SandboxMode | None = None
    forced_chatgpt_workspace_id: ForcedChatgptWorkspaceIds | None = None
    forced_login_method: ForcedLoginMethod | None = None
    instructions: str | None = None
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_verbosity: Verbosity | None = None
    service_tier: str | None = None


class PackagedDefaultsConfigLayerSource(WireModel):
    """What came with the program."""

    type: Literal["packagedDefaults"] = "packagedDefaults"
    file: str


class MdmConfigLayerSource(WireModel):
    """A managed device."""

    type: Literal["mdm"] = "mdm"
    domain: str
    key: str


class EnterpriseManagedConfigLayerSource(WireModel):
    """An organisation."""

    type: Literal["enterpriseManaged"] = "enterpriseManaged"
    id: str
    name: str


class ProjectConfigLayerSource(WireModel):
    """A folder's own file."""

    type: Literal["project"] = "project"
    dot_codex_folder: str


class LegacyManagedConfigTomlFromFileConfigLayerSource(WireModel):
    """A managed file of earlier versions."""

    type: Literal["legacyManagedConfigTomlFromFile"] = "legacyManagedConfigTomlFromFile"
    file: str


class LegacyManagedConfigTomlFromMdmConfigLayerSource(WireModel):
    """A managed device of earlier versions."""

    type: Literal["legacyManagedConfigTomlFromMdm"] = "legacyManagedConfigTomlFromMdm"


class SystemConfigLayerSource(WireModel):
    """The machine's file."""

    type: Literal["system"] = "system"
    file: str


class UserConfigLayerSource(WireModel):
    """The user's file."""

    type: Literal["user"] = "user"
    file: str
    profile: str | None = None


class SessionFlagsConfigLayerSource(WireModel):
    """The command line."""

    type: Literal["sessionFlags"] = "sessionFlags"


class ConfigLayerSource(
    WireUnion[
        Annotated[
            PackagedDefaultsConfigLayerSource
            | MdmConfigLayerSource
            | SystemConfigLayerSource
            | EnterpriseManagedConfigLayerSource
            | UserConfigLayerSource
            | ProjectConfigLayerSource
            | SessionFlagsConfigLayerSource
            | LegacyManagedConfigTomlFromFileConfigLayerSource
            | LegacyManagedConfigTomlFromMdmConfigLayerSource,
            Field(discriminator="type"),
        ]
    ]
):
    """Where settings come from; this server has the user's file and the command line only."""


class ConfigLayerMetadata(WireModel):
    """Where a setting comes from."""

    name: ConfigLayerSource
    version: str
    """Changes with the layer's content."""


class ConfigLayer(WireModel):
    """The settings of one source."""

    name: ConfigLayerSource
    version: str
    config: Any
    disabled_reason: str | None = None


class ConfigReadParams(WireModel):
    """How much to tell."""

    include_layers: bool = False
    cwd: str | None = None
    """Accepted and without effect: folders have no configuration of their own here."""


class ConfigReadResponse(WireModel):
    """The settings in force, and where each comes from."""

    config: Config
    origins: dict[str, ConfigLayerMetadata]
    layers: list[ConfigLayer] | None = None


class WarningNotification(WireModel):
    """Something is not as it should be."""

    thread_id: str | None = None
    message: str


CONFIG_READ = ClientRequest("config/read", ConfigReadParams, ConfigReadResponse, errors=(InvalidRequest, InternalError))
"""The configuration in force."""
WARNING = ServerNotification("warning", WarningNotification)
"""Something is not as it should be; things go on."""
