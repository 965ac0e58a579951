"""What is known about a model, and what follows from it for the size of a history."""

from typing import Final, NamedTuple

FALLBACK_WINDOW: Final = 272_000
"""Tokens that a model is taken to hold of which nothing is known, as in the reference."""

USABLE_PERCENT: Final = 95
COMPACTION_PERCENT: Final = 90


class Effort(NamedTuple):
    """One way to think.

    :param name: what requests say.
    """

    name: str
    description: str


class ServiceTier(NamedTuple):
    """A way of being served, more or less quickly.

    :param id: what requests say.
    """

    id: str
    name: str
    description: str


class ModelFacts(NamedTuple):
    """What is known about a model.

    :param id: the name that requests give.
    :param context_window: tokens that the model holds, input and output.
    :param efforts: how hard it can think, the least first; empty where nobody knows.
    :param default_effort: what it does when it is not told; None where nobody knows.
    :param verbosity: how much it is told to say when nobody says anything; None leaves that to the model.
    :param input_modalities: some of ``text``, ``image``, ``audio``.
    :param hidden: not to be offered, but for those who ask for all.
    :param upgrade: the model that is to be used in its place.
    :param specialty: what it is made for, if it is not for everything.
    :param tools_in_input: whether the model takes its tools as an input item (the reference's "lite" requests).
    :param known: false for a name that neither the provider nor this version knows; clients are warned then.
    """

    id: str
    display_name: str
    description: str = ""
    context_window: int = FALLBACK_WINDOW
    efforts: tuple[Effort, ...] = ()
    default_effort: str | None = None
    verbosity: str | None = None
    input_modalities: tuple[str, ...] = ("text", "image")
    hidden: bool = False
    upgrade: str | None = None
    specialty: str | None = None
    service_tiers: tuple[ServiceTier, ...] = ()
    default_service_tier: str | None = None
    tools_in_input: bool = False
    known: bool = True

    def usable_window(self, configured: int | None = None) -> int:
        """Tokens of the window that count as usable: ``modelContextWindow`` of the token usage.

        :param configured: ``model_context_window``, which wins over what is known.
        """
        return (configured or self.context_window) * USABLE_PERCENT // 100

    def compaction_limit(self, configured_window: int | None = None, configured_limit: int | None = None) -> int:
        """Tokens of history from which on it is compacted.

        :param configured_window: ``model_context_window``.
        :param configured_limit: ``model_auto_compact_token_limit``; it can only lower the limit.
        """
        limit = (configured_window or self.context_window) * COMPACTION_PERCENT // 100
        return limit if configured_limit is None else min(limit, configured_limit)


def unknown_model(name: str) -> ModelFacts:
    """What has to be assumed about a model that nobody knows."""
    return ModelFacts(name, name, known=False)
