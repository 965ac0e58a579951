"""The models of the built-in provider, as of the wire version that this server speaks.

Ids and numbers are facts of the service, in the order in which the reference lists them (observed on 0.169.0); the
words are ours. To a login with ChatGPT the service tells its own list, which then counts instead (``listing``).
"""

from collections.abc import Mapping
from typing import Final

from app_server.models.facts import Effort, ModelFacts, ServiceTier

EFFORTS: Final[Mapping[str, Effort]] = {
    effort.name: effort
    for effort in (
        Effort("none", "Does not think at all"),
        Effort("minimal", "Hardly thinks"),
        Effort("low", "Thinks a little and answers soon"),
        Effort("medium", "Thinks as much as most tasks need"),
        Effort("high", "Thinks longer, for what is hard"),
        Effort("xhigh", "Thinks much longer, for what is harder"),
        Effort("max", "Thinks as long as it can"),
        Effort("ultra", "Thinks as long as it can, and divides the work up"),
    )
}
"""What the efforts mean, by name."""


def efforts(*names: str) -> tuple[Effort, ...]:
    """The efforts of these names."""
    return tuple(EFFORTS.get(name) or Effort(name, "") for name in names)


_TO_XHIGH: Final = efforts("low", "medium", "high", "xhigh")
_TO_MAX: Final = (*_TO_XHIGH, *efforts("max"))
_TO_ULTRA: Final = (*_TO_MAX, *efforts("ultra"))

_PRIORITY: Final = (ServiceTier("priority", "Fast", "Answers sooner, for more of the allowance."),)


def _model(
    model_id: str,
    name: str,
    description: str,
    how_hard: tuple[Effort, ...],
    default_effort: str,
    *,
    window: int = 272_000,
    hidden: bool = False,
    upgrade: str | None = None,
    specialty: str | None = None,
    verbosity: str = "low",
    default_tier: str | None = None,
    tools_in_input: bool = True,
) -> ModelFacts:
    return ModelFacts(
        model_id,
        name,
        description,
        context_window=window,
        efforts=how_hard,
        default_effort=default_effort,
        verbosity=verbosity,
        hidden=hidden,
        upgrade=upgrade,
        specialty=specialty,
        service_tiers=() if specialty else _PRIORITY,
        default_service_tier=default_tier,
        tools_in_input=tools_in_input,
    )


BUNDLED: Final[tuple[ModelFacts, ...]] = (
    _model("gpt-6.1-sol", "GPT-6.1 Sol", "For most work, on code and otherwise.", _TO_ULTRA, "low"),
    _model("gpt-6-astra", "GPT-6 Astra", "For the hardest problems.", _TO_ULTRA, "low"),
    _model("gpt-6-sol", "GPT-6 Sol", "The predecessor of GPT-6.1 Sol.", _TO_ULTRA, "medium", default_tier="priority"),
    _model("gpt-6-luna", "GPT-6 Luna", "For small tasks: quick and cheap.", _TO_MAX, "medium", default_tier="priority"),
    _model("gpt-5.6-sol", "GPT-5.6 Sol", "An older model for most work.", _TO_ULTRA, "low", upgrade="gpt-6-sol"),
    _model("gpt-6.1-terra", "GPT-6.1 Terra", "Made for code, with a large window.", _TO_ULTRA, "low", window=500_000),
    _model("gpt-5.6-terra", "GPT-5.6 Terra", "Between the two.", _TO_ULTRA, "medium", upgrade="gpt-6-sol"),
    _model("gpt-5.6-luna", "GPT-5.6 Luna", "An older model for small tasks.", _TO_MAX, "medium", upgrade="gpt-6-luna"),
    _model(
        "gpt-daybreak-blue-latest",
        "Daybreak Blue",
        "For defensive security work.",
        _TO_ULTRA,
        "low",
        hidden=True,
        specialty="cyber",
    ),
    _model(
        "gpt-daybreak-red-latest",
        "Daybreak Red",
        "For authorised security research.",
        _TO_ULTRA,
        "medium",
        window=372_000,
        hidden=True,
        specialty="cyber",
        verbosity="high",
    ),
    _model(
        "gpt-5.5",
        "GPT-5.5",
        "An old model for code.",
        _TO_XHIGH,
        "medium",
        upgrade="gpt-6-sol",
        tools_in_input=False,
    ),
    _model("codex-auto-review", "Codex Auto Review", "Reviews requests for approval.", _TO_MAX, "medium", hidden=True),
)
