"""Reading a provider's list of its models; asking for it is ``endpoint``.

Two shapes are understood: ``{"data": [{"id"}]}`` of the public API and of everything compatible with it, and
``{"models": [{"slug", …}]}`` of the ChatGPT backend, which says more. What is odd in an entry is passed over, and an
entry without a name is no model.
"""

from typing import Any, Final

from app_server.models.bundled import BUNDLED, EFFORTS
from app_server.models.facts import Effort, ModelFacts

MAX_MODELS: Final = 2_000
"""Entries that are read of one list."""

_WINDOWS: Final = ("context_window", "max_model_len", "context_length")
"""What the ChatGPT backend, vLLM and some gateways call the context window."""

_MAX_WINDOW: Final = 2**40
_MAX_TEXT: Final = 2_000
_MODALITIES: Final = ("text", "image", "audio")

_BY_ID: Final = {model.id: model for model in BUNDLED}


def read_list(document: Any) -> list[ModelFacts]:
    """The models of an answer, the preferred ones first; none if it is no list of models."""
    if not isinstance(document, dict):
        return []
    if isinstance(detailed := document.get("models"), list):
        entries = [entry for entry in detailed[:MAX_MODELS] if isinstance(entry, dict)]
        models = [_detailed(entry) for entry in sorted(entries, key=_priority)]
    elif isinstance(plain := document.get("data"), list):
        models = [_plain(entry) for entry in plain[:MAX_MODELS] if isinstance(entry, dict)]
    else:
        return []
    # The first of the same name counts.
    unique: dict[str, ModelFacts] = {}
    for model in models:
        if model is not None:
            unique.setdefault(model.id, model)
    return list(unique.values())


def _plain(entry: dict[str, Any]) -> ModelFacts | None:
    name = _text(entry, "id")
    return None if name is None else _with_window(_BY_ID.get(name) or ModelFacts(name, name), entry)


def _detailed(entry: dict[str, Any]) -> ModelFacts | None:
    name = _text(entry, "slug") or _text(entry, "id")
    if name is None:
        return None
    known = _BY_ID.get(name) or ModelFacts(name, name)
    efforts = _efforts(entry.get("supported_reasoning_levels"))
    modalities = entry.get("input_modalities")
    model = known._replace(
        display_name=_text(entry, "display_name") or known.display_name,
        description=_text(entry, "description") or known.description,
        efforts=efforts or known.efforts,
        default_effort=_text(entry, "default_reasoning_level") or known.default_effort,
        hidden=entry.get("visibility", "list") != "list",
        input_modalities=tuple(kind for kind in _MODALITIES if kind in modalities)
        if isinstance(modalities, list)
        else known.input_modalities,
    )
    return _with_window(model, entry)


def _efforts(levels: Any) -> tuple[Effort, ...]:
    if not isinstance(levels, list):
        return ()
    efforts = []
    for level in levels[:50]:
        if isinstance(level, dict) and (name := _text(level, "effort")):
            ours = EFFORTS.get(name)
            efforts.append(Effort(name, _text(level, "description") or (ours.description if ours else "")))
    return tuple(efforts)


def _with_window(model: ModelFacts, entry: dict[str, Any]) -> ModelFacts:
    for name in _WINDOWS:
        window = entry.get(name)
        if isinstance(window, int) and not isinstance(window, bool) and 0 < window < _MAX_WINDOW:
            return model._replace(context_window=window)
    return model


def _priority(entry: dict[str, Any]) -> float:
    priority = entry.get("priority")
    ordered = isinstance(priority, int | float) and not isinstance(priority, bool) and priority == priority  # noqa: PLR0124 - NaN differs from itself
    return priority if ordered and priority is not None else float("inf")


def _text(entry: dict[str, Any], name: str) -> str | None:
    """A member that is a string which a message can hold."""
    text = entry.get(name)
    if not isinstance(text, str) or not text or len(text) > _MAX_TEXT:
        return None
    return None if any("\ud800" <= character <= "\udfff" for character in text) else text
