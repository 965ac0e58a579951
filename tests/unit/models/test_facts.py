"""What follows from a model's window, and the bundled models."""

import pytest

from app_server.models.bundled import BUNDLED
from app_server.models.facts import ModelFacts, unknown_model


@pytest.mark.parametrize(("window", "usable"), [(272_000, 258_400), (50_000, 47_500), (123_456, 117_283), (1, 0)])
def test_a_twentieth_of_the_window_is_kept_back(window: int, usable: int) -> None:
    assert ModelFacts("m", "M", context_window=window).usable_window() == usable
    assert unknown_model("m").usable_window(window) == usable


def test_the_history_is_compacted_at_nine_tenths_of_the_window_or_at_the_limit_below() -> None:
    model = ModelFacts("m", "M", context_window=272_000)
    assert model.compaction_limit() == 244_800
    assert model.compaction_limit(configured_limit=8_000) == 8_000
    assert model.compaction_limit(configured_window=10_000, configured_limit=20_000) == 9_000


def test_of_an_unknown_model_the_usual_window_is_assumed_and_nothing_else() -> None:
    assert unknown_model("m") == ModelFacts("m", "m", known=False)
    assert unknown_model("m").usable_window() == 258_400


def test_the_bundled_models_are_told_apart_and_make_sense() -> None:
    by_id = {model.id: model for model in BUNDLED}
    assert len(by_id) == len(BUNDLED) == 12
    assert BUNDLED[0].id == "gpt-6.1-sol"
    assert [model.id for model in BUNDLED if model.hidden] == [
        "gpt-daybreak-blue-latest",
        "gpt-daybreak-red-latest",
        "codex-auto-review",
    ]
    for model in BUNDLED:
        assert model.default_effort in [effort.name for effort in model.efforts]
        assert all(effort.description for effort in model.efforts)
        assert model.upgrade is None or not by_id[model.upgrade].hidden
        assert model.known
    assert by_id["gpt-6.1-terra"].usable_window() == 475_000
    assert by_id["gpt-daybreak-red-latest"].usable_window() == 353_400
