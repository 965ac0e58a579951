"""``-c key=value``: parsed as the reference parses it, with and without the help of tomllib."""

import math
import tomllib
from typing import Any

import pytest

from app_server.config.layers import Place
from app_server.config.overrides import Overrides, parse_value


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("model=foo", "foo"),
        ('model="foo"', "foo"),
        ("model='foo'", "foo"),
        ("model=", ""),
        ("model=5", 5),
        ('model="5"', "5"),
        ("model=true", True),
        ("model=false", False),
        ("model=tru", "tru"),
        ("model= foo", "foo"),
        ("model =foo", "foo"),
        (" model = foo ", "foo"),
        ("model=a=b", "a=b"),
        ('model="a" # c', "a"),
        ("model=a # c", "a # c"),
        ('model="unclosed', "unclosed"),
        ("model='un", "un"),
        ('model=foo"bar', 'foo"bar'),
        ('model=ü"', "ü"),
        ('model="a""b"', 'a""b'),
        ('model="a\\nb"', "a\nb"),
        ('model=\n"x"', "x"),
        ('model="x"\ny=1', "x"),
        ("model=[1, 2]", [1, 2]),
        ('model={a = "b"}', {"a": "b"}),
        ("model=1.5", 1.5),
        ("model=-7", -7),
        ("model=0x10", 16),
        ("model=http://127.0.0.1:9/", "http://127.0.0.1:9/"),
        ("model=gpt-5.1", "gpt-5.1"),
        ("model=" + "[" * 5000, "[" * 5000),
        ("model=" + "9" * 5000, "9" * 5000),
    ],
)
def test_a_value_is_toml_or_else_itself(argument: str, value: Any) -> None:
    assert Overrides([argument]).table == {"model": value}


def test_not_a_number_and_infinity_are_numbers_as_in_toml() -> None:
    assert math.isnan(parse_value("nan"))
    assert parse_value("inf") == math.inf


def test_what_is_decided_without_tomllib_is_what_tomllib_decides() -> None:
    pieces = ["", "t", "true", "f", "false", "inf", "nan", "n", "x", "1", "-", "_", ".", "/", ":", '"', "'", " ", "#"]
    pieces += ["[", "]", "{", "}", "=", ",", "+", "é", "\n", "\\"]
    texts = {(a + b + c).strip() for a in pieces for b in pieces for c in pieces}
    for text in texts:
        try:
            expected = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            expected = text.strip("\"'")
        assert repr(parse_value(text)) == repr(expected), text


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        (["a.b=1"], {"a": {"b": 1}}),
        (["a.b=1", "a.c=2", "a.b=3"], {"a": {"b": 3, "c": 2}}),
        (["a=5", "a.b=1"], {"a": {"b": 1}}),
        (["a.b=1", "a=5"], {"a": 5}),
        (['a."b.c"=1'], {"a": {'"b': {'c"': 1}}}),
        ([".a=1"], {"": {"a": 1}}),
        (["a.=1"], {"a": {"": 1}}),
    ],
)
def test_keys_are_split_at_every_dot_and_the_last_one_counts(arguments: list[str], table: dict[str, Any]) -> None:
    assert Overrides(arguments).table == table


def test_the_place_of_an_argument_does_not_show_its_value() -> None:
    assert Overrides(["a.b=canary"]).place(("a", "b")) == Place("-c a.b")
