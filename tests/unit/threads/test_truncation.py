"""Long texts are cut in the middle."""

import pytest

from app_server.threads.truncation import tokens_in, truncate_middle


@pytest.mark.parametrize("text", ["", "a" * 12, "é" * 6])
def test_a_text_within_the_limit_stays_as_it_is(text: str) -> None:
    assert truncate_middle(text, 12) == text


@pytest.mark.parametrize(("size", "missing"), [(12_001, 1), (12_024, 6), (12_100, 25), (14_000, 500), (50_000, 9_500)])
def test_the_note_in_the_middle_counts_four_bytes_a_token_as_the_reference_does(size: int, missing: int) -> None:
    assert truncate_middle("a" * size, 12_000) == f"{'a' * 6000}…{missing} tokens truncated…{'a' * 6000}"


def test_no_character_is_cut_in_two() -> None:
    assert truncate_middle("x" + "é" * 20_000, 12_000) == f"x{'é' * 2999}…7001 tokens truncated…{'é' * 3000}"


def test_a_lone_surrogate_does_no_harm() -> None:
    assert "truncated" in truncate_middle("\ud800" * 100, 12)


def test_a_token_is_four_bytes_and_a_part_of_one_counts_in_full() -> None:
    assert [tokens_in(text) for text in ("", "a", "abcd", "éé", "ééé")] == [0, 1, 1, 1, 2]
