"""Secrets that people are shown: what kind they are, and little more."""

import pytest
from pydantic import SecretStr

from app_server.cli.login import NoKey, key_from
from app_server.cli.masking import masked


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-proj-0123456789abcdefghijklmnop", "sk-proj-…mnop"),
        ("sk-0123456789abcdefghijklmnop", "sk-…mnop"),
        ("at-0123456789abcdefghijklmnop", "at-…mnop"),
        ("eyJhbGciOiJub25lIn0.e30.0123456789", "eyJ…6789"),
        ("0123456789abcdefghijklmnop", "…mnop"),
        ("sk-proj-tooshorttoshow", "sk-proj-…"),
        ("short", "…"),
        ("", "…"),
    ],
)
def test_a_secret_is_shown_by_its_kind_and_its_last_characters(secret: str, shown: str) -> None:
    assert masked(SecretStr(secret)) == shown


@pytest.mark.parametrize("text", ["sk-key", "sk-key\n", "  sk-key\r\n\n"])
def test_the_space_around_a_key_is_not_part_of_it(text: str) -> None:
    assert key_from(text).get_secret_value() == "sk-key"


@pytest.mark.parametrize("text", ["", "\n \n", "sk-one\nsk-two", "sk one", "sk-\x00", "sk-ünsinn", "sk-\ufffd"])
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(NoKey) as refusal:
        key_from(text)
    assert "sk" not in str(refusal.value)
