"""Lists of models as providers write them, well and badly."""

from typing import Any

import pytest

from app_server.models.bundled import BUNDLED
from app_server.models.facts import Effort
from app_server.models.listing import MAX_MODELS, read_list


def ids(document: Any) -> list[str]:
    return [model.id for model in read_list(document)]


def test_the_public_shape_gives_names_in_their_order() -> None:
    document = {"object": "list", "data": [{"id": "b", "object": "model"}, {"id": "a"}, {"id": "b"}]}
    assert ids(document) == ["b", "a"]
    model = read_list(document)[0]
    assert (model.display_name, model.context_window, model.efforts, model.known) == ("b", 272_000, (), True)


@pytest.mark.parametrize("name", ["context_window", "max_model_len", "context_length"])
def test_windows_are_taken_from_those_who_tell_them(name: str) -> None:
    (model,) = read_list({"data": [{"id": "a", name: 32_768}]})
    assert model.context_window == 32_768


@pytest.mark.parametrize("window", [0, -1, "32768", 1.5, None, True, 2**70, []])
def test_windows_that_make_no_sense_are_passed_over(window: Any) -> None:
    (model,) = read_list({"data": [{"id": "a", "max_model_len": window}]})
    assert model.context_window == 272_000


def test_a_model_that_this_version_knows_keeps_what_is_known_about_it() -> None:
    known = BUNDLED[0]
    assert read_list({"data": [{"id": known.id}]}) == [known]
    assert read_list({"models": [{"slug": known.id}]}) == [known]


def test_the_detailed_shape_is_ordered_by_priority_and_wins_over_the_other() -> None:
    first = {
        "slug": "one",
        "display_name": "One",
        "description": "The first.",
        "priority": 1,
        "default_reasoning_level": "high",
        "supported_reasoning_levels": [{"effort": "low", "description": "Own words"}, {"effort": "high"}, {}, 5],
        "visibility": "hide",
        "context_window": 1000,
        "input_modalities": ["text", "smell", 5],
    }
    document = {"data": [{"id": "no"}], "models": [{"slug": "last"}, {"slug": "two", "priority": 2.5}, first]}
    assert ids(document) == ["one", "two", "last"]
    model = read_list(document)[0]
    assert (model.display_name, model.description, model.hidden) == ("One", "The first.", True)
    assert (model.default_effort, model.context_window, model.input_modalities) == ("high", 1000, ("text",))
    assert model.efforts[0] == Effort("low", "Own words")
    assert model.efforts[1].name == "high"
    assert model.efforts[1].description


@pytest.mark.parametrize(
    "document",
    [
        None,
        5,
        [],
        {},
        {"data": 5},
        {"models": {}},
        {"data": [None, 5, {}, {"id": None}, {"id": ""}, {"id": 5}, {"id": "\ud800"}, {"id": "x" * 3000}]},
        {"models": [None, {"slug": []}, {"priority": True}]},
    ],
)
def test_what_is_no_list_of_models_has_none(document: Any) -> None:
    assert read_list(document) == []


def test_lists_are_bounded() -> None:
    assert len(read_list({"data": [{"id": f"m{number}"} for number in range(MAX_MODELS + 5)]})) == MAX_MODELS
