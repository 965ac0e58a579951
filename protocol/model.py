"""Which models and providers there are."""

from typing import Annotated, Literal

from pydantic import Field

from protocol.base import Int64, UInt32, WireModel, WireUnion
from protocol.errors import InternalError, InvalidRequest
from protocol.method import ClientRequest, Empty
from protocol.turn import ReasoningEffort

InputModality = Literal["text", "image", "audio"]
"""What a model takes."""


class ReasoningEffortOption(WireModel):
    """How hard a model can think."""

    reasoning_effort: ReasoningEffort
    description: str


class ModelUpgradeInfo(WireModel):
    """What is to be used in place of a model, and what there is to say about that."""

    model: str
    upgrade_copy: str | None = None
    model_link: str | None = None
    migration_markdown: str | None = None
    retirement_at: Int64 | None = None
    """Unix time in seconds."""


class ModelAvailabilityNux(WireModel):
    """What users are told once about a new model."""

    message: str


class ModelServiceTier(WireModel):
    """A way of being served, more or less quickly."""

    id: str
    name: str
    description: str


CyberAccessProgram = Literal["standard", "daybreakBlue", "daybreakRed"]
"""A program that gives access to models for security work."""


class ModelAccessPrograms(WireModel):
    """The programs that an account can choose from."""

    cyber: list[CyberAccessProgram]


MultiAgentVersion = Literal["disabled", "v1", "v2"]
"""How a model works with other agents."""


class Model(WireModel):
    """A model that a turn can ask for."""

    id: str
    model: str
    """The name that requests give."""
    upgrade: str | None = None
    """The model that is to be used in its place."""
    upgrade_info: ModelUpgradeInfo | None = None
    availability_nux: ModelAvailabilityNux | None = None
    display_name: str
    description: str
    model_specialty: str | None = None
    hidden: bool
    supported_reasoning_efforts: list[ReasoningEffortOption]
    default_reasoning_effort: ReasoningEffort
    input_modalities: list[InputModality] = ["text", "image"]
    supports_personality: bool = False
    multi_agent_version: MultiAgentVersion | None = None
    additional_speed_tiers: list[str] = []
    service_tiers: list[ModelServiceTier] = []
    default_service_tier: str | None = None
    available_access_programs: ModelAccessPrograms | None = None
    is_default: bool


class ModelListParams(WireModel):
    """Which part of the list."""

    cursor: str | None = None
    limit: UInt32 | None = None
    include_hidden: bool | None = None
    model_provider: str | None = None
    """Another provider than the configured one."""


class ModelListResponse(WireModel):
    """Models, the preferred ones first."""

    data: list[Model]
    next_cursor: str | None = None


class NoneGatewayAuth(WireModel):
    """No key."""

    mode: Literal["none"] = "none"


class EnvironmentVariableGatewayAuth(WireModel):
    """A key in an environment variable."""

    mode: Literal["environmentVariable"] = "environmentVariable"
    env_key: str


class ExternallyConfiguredGatewayAuth(WireModel):
    """More than a key in an environment variable: headers, query parameters, this server's account."""

    mode: Literal["externallyConfigured"] = "externallyConfigured"
    env_key: str | None = None


class GatewayAuth(
    WireUnion[
        Annotated[
            NoneGatewayAuth | EnvironmentVariableGatewayAuth | ExternallyConfiguredGatewayAuth,
            Field(discriminator="mode"),
        ]
    ]
):
    """How a provider knows who asks."""


class OpenaiProviderSettings(WireModel):
    """The built-in provider."""

    type: Literal["openai"] = "openai"


class CustomGatewayProviderSettings(WireModel):
    """A provider of the configuration."""

    type: Literal["customGateway"] = "customGateway"
    auth: GatewayAuth


class BedrockProviderSettings(WireModel):
    """Amazon Bedrock, which this server does not offer."""

    type: Literal["bedrock"] = "bedrock"
    profile: str | None = None
    region: str | None = None


class GcpProviderSettings(WireModel):
    """Google Cloud, which this server does not offer."""

    type: Literal["gcp"] = "gcp"
    project_id: str | None = None
    location: str | None = None
    credential_file: str | None = None


class ProviderSettings(
    WireUnion[
        Annotated[
            OpenaiProviderSettings | CustomGatewayProviderSettings | BedrockProviderSettings | GcpProviderSettings,
            Field(discriminator="type"),
        ]
    ]
):
    """What kind of provider it is."""


class ModelProviderSummary(WireModel):
    """A provider, without its secrets."""

    id: str
    name: str
    can_edit: bool
    base_url: str | None = None
    settings: ProviderSettings


class ModelProviderListResponse(WireModel):
    """The configured providers."""

    data: list[ModelProviderSummary]
    default_provider_id: str
    can_change_default: bool


class ModelProviderCapabilitiesReadResponse(WireModel):
    """What the provider does besides answering; this server asks for none of it."""

    web_search: bool
    image_generation: bool


class ModelProviderListParams(Empty):
    """Nothing to say."""


class ModelProviderCapabilitiesReadParams(Empty):
    """Nothing to say."""


MODEL_LIST = ClientRequest("model/list", ModelListParams, ModelListResponse, errors=(InvalidRequest, InternalError))
"""The models that turns can ask for."""
MODEL_PROVIDER_LIST = ClientRequest("modelProvider/list", ModelProviderListParams, ModelProviderListResponse)
"""The configured providers."""
MODEL_PROVIDER_CAPABILITIES = ClientRequest(
    "modelProvider/capabilities/read", ModelProviderCapabilitiesReadParams, ModelProviderCapabilitiesReadResponse
)
"""What the provider in force does besides answering."""
