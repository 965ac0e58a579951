"""``model/list`` and ``modelProvider/*``."""

from typing import Any, Final

from app_server.config import ModelProvider, Settings
from app_server.config.disclosure import variable_name
from app_server.config.settings import BUILT_IN_PROVIDERS, DEFAULT_PROVIDER
from app_server.handlers.paging import page
from app_server.models.catalogue import ModelCatalogue
from app_server.models.facts import ModelFacts
from app_server.router import Reply
from app_server.threads.errors import provider_not_configured
from protocol.method import Empty
from protocol.model import (
    CustomGatewayProviderSettings,
    EnvironmentVariableGatewayAuth,
    ExternallyConfiguredGatewayAuth,
    GatewayAuth,
    Model,
    ModelListParams,
    ModelListResponse,
    ModelProviderCapabilitiesReadResponse,
    ModelProviderListResponse,
    ModelProviderSummary,
    ModelServiceTier,
    ModelUpgradeInfo,
    NoneGatewayAuth,
    OpenaiProviderSettings,
    ProviderSettings,
    ReasoningEffortOption,
)

_UNKNOWN_EFFORT: Final = "medium"
"""What a model is said to do by default of which nobody knows, because clients want to be told something."""


class ModelHandlers:
    """The models and the providers there are.

    :param settings: of the server.
    """

    def __init__(self, settings: Settings, catalogue: ModelCatalogue) -> None:
        self._settings = settings
        self._catalogue = catalogue

    async def models(self, params: ModelListParams) -> Reply[ModelListResponse]:
        """``model/list``."""
        provider = self._settings.model_provider if params.model_provider is None else params.model_provider
        if provider not in self._settings.model_providers:
            raise provider_not_configured(provider)
        models = await self._catalogue.models(provider)
        default = self._catalogue.default_model(provider)
        offered = [model for model in models if params.include_hidden or not model.hidden]
        some, following = page(offered, params.cursor, params.limit, "models")
        return Reply(ModelListResponse(data=[_model(model, default) for model in some], next_cursor=following))

    async def providers(self, params: Empty) -> Reply[ModelProviderListResponse]:
        """``modelProvider/list``: those of the configuration, the selected one, and OpenAI's."""
        selected, known = self._settings.model_provider, self._settings.model_providers
        names = [name for name in known if name not in BUILT_IN_PROVIDERS or name == selected]
        names = [*(name for name in names if name != DEFAULT_PROVIDER), DEFAULT_PROVIDER]
        return Reply(
            ModelProviderListResponse(
                data=[_summary(name, known[name]) for name in names],
                default_provider_id=selected,
                can_change_default=False,
            )
        )

    async def capabilities(self, params: Empty) -> Reply[ModelProviderCapabilitiesReadResponse]:
        """``modelProvider/capabilities/read``: this server asks no provider for either."""
        return Reply(ModelProviderCapabilitiesReadResponse(web_search=False, image_generation=False))


def _model(model: ModelFacts, default: str) -> Model:
    modalities: Any = list(model.input_modalities)
    return Model(
        id=model.id,
        model=model.id,
        upgrade=model.upgrade,
        upgrade_info=None if model.upgrade is None else ModelUpgradeInfo(model=model.upgrade),
        display_name=model.display_name,
        description=model.description,
        model_specialty=model.specialty,
        hidden=model.hidden,
        supported_reasoning_efforts=[
            ReasoningEffortOption(reasoning_effort=effort.name, description=effort.description)
            for effort in model.efforts
        ],
        default_reasoning_effort=model.default_effort or _UNKNOWN_EFFORT,
        input_modalities=modalities,
        additional_speed_tiers=["fast"] if model.service_tiers else [],
        service_tiers=[
            ModelServiceTier(id=tier.id, name=tier.name, description=tier.description) for tier in model.service_tiers
        ],
        default_service_tier=model.default_service_tier,
        is_default=model.id == default,
    )


def _summary(name: str, provider: ModelProvider) -> ModelProviderSummary:
    if name == DEFAULT_PROVIDER:
        settings = ProviderSettings(OpenaiProviderSettings())
    else:
        settings = ProviderSettings(CustomGatewayProviderSettings(auth=_auth(provider)))
    # Nothing can be edited: config.toml belongs to the user.
    return ModelProviderSummary(
        id=name, name=provider.name, can_edit=False, base_url=provider.base_url, settings=settings
    )


def _auth(provider: ModelProvider) -> GatewayAuth:
    env_key = provider.env_key and variable_name(provider.env_key)
    if (
        provider.requires_openai_auth
        or provider.experimental_bearer_token
        or provider.http_headers
        or provider.env_http_headers
        or provider.query_params
    ):
        return GatewayAuth(ExternallyConfiguredGatewayAuth(env_key=env_key))
    return GatewayAuth(EnvironmentVariableGatewayAuth(env_key=env_key) if env_key else NoneGatewayAuth())
