"""What is wrong with the model's arguments is told in the words of the reference."""

import pytest

from app_server.threads.tool_arguments import parse_arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [("{}", {}), ('{"q": "x"}', {"q": "x"}), ("[1]", [1]), ("null", None), (' "s" ', "s"), ('{"a":1,"a":2}', {"a": 2})],
)
def test_any_json_is_passed_on(text: str, value: object) -> None:
    assert parse_arguments(text) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "EOF while parsing a value at line 1 column 0"),
        (" ", "EOF while parsing a value at line 1 column 1"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{a", "key must be a string at line 1 column 2"),
        ('{"a"', "EOF while parsing an object at line 1 column 4"),
        ('{"a":', "EOF while parsing a value at line 1 column 5"),
        ('{"a":1', "EOF while parsing an object at line 1 column 6"),
        ('{"a":1,', "EOF while parsing a value at line 1 column 7"),
        ('{"a":1,}', "trailing comma at line 1 column 8"),
        ("[1,]", "trailing comma at line 1 column 4"),
        ("[", "EOF while parsing a list at line 1 column 1"),
        ("[1", "EOF while parsing a list at line 1 column 2"),
        ("nul", "EOF while parsing a value at line 1 column 3"),
        ('"abc', "EOF while parsing a string at line 1 column 4"),
        ('"a\x01"', "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"),
        ("1 2", "trailing characters at line 1 column 3"),
        ("{} x", "trailing characters at line 1 column 4"),
        ('{"a":1}\n\nx', "trailing characters at line 3 column 1"),
        ("abc", "expected value at line 1 column 1"),
        ("-", "EOF while parsing a value at line 1 column 1"),
        ("-a", "invalid number at line 1 column 2"),
        ("01", "invalid number at line 1 column 2"),
        ("1.", "EOF while parsing a value at line 1 column 2"),
        ("1e", "EOF while parsing a value at line 1 column 2"),
        ('"\\x"', "invalid escape at line 1 column 3"),
        ('"\\u12"', "EOF while parsing a string at line 1 column 6"),
        ('\t{"a":"b\\', "EOF while parsing a string at line 1 column 9"),
        ('{"a" 1}', "expected `:` at line 1 column 6"),
        ("{1:2}", "key must be a string at line 1 column 2"),
        ("[1 2]", "expected `,` or `]` at line 1 column 4"),
        ('{"a":1 "b":2}', "expected `,` or `}` at line 1 column 8"),
        ("}", "expected value at line 1 column 1"),
        ("\n\n{", "EOF while parsing an object at line 3 column 1"),
        ('{"a":\n\n tru}', "expected ident at line 3 column 5"),
        ("NaN", "expected value at line 1 column 1"),
        ('{"é":}', "expected value at line 1 column 7"),
        ('{"a":"é\x02"}', "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 9"),
        ('{"a":[{"b":[1,2,{"c":tru', "EOF while parsing a value at line 1 column 24"),
        ("+1", "expected value at line 1 column 1"),
        ("[" * 130, "recursion limit exceeded at line 1 column 128"),
    ],
)
def test_what_is_no_json_is_refused_with_the_place_of_its_fault(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^failed to parse function arguments: ") as caught:
        parse_arguments(text)
    assert str(caught.value) == f"failed to parse function arguments: {fault}"


def test_a_lone_surrogate_does_no_harm() -> None:
    assert parse_arguments('{"a":"\ud800"}') == {"a": "?"}
    with pytest.raises(ValueError, match="line 1 column 12"):
        parse_arguments('{"a":"\ud800" 1}')


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":[', "]}")])
def test_what_is_nested_as_deeply_as_the_reference_allows_is_passed_on(opening: str, closing: str) -> None:
    times = 126 // len(closing)
    assert parse_arguments("[" + opening * times + closing * times + "]") is not None


@pytest.mark.parametrize("levels", [128, 300, 600, 2000])
def test_what_is_nested_more_deeply_is_refused_though_it_is_json(levels: int) -> None:
    told = r"^failed to parse function arguments: recursion limit exceeded at line 1 column 128$"
    with pytest.raises(ValueError, match=told):
        parse_arguments("[" * levels + "]" * levels)
    with pytest.raises(ValueError, match="recursion limit exceeded at line 1 column 636"):
        parse_arguments('{"a":' * levels + "1" + "}" * levels)


def test_what_is_wide_is_not_deep() -> None:
    assert len(parse_arguments("[" + ",".join(['{"a":[]}'] * 1000) + "]")) == 1000


def test_nesting_costs_no_stack() -> None:
    with pytest.raises(ValueError, match="recursion limit exceeded"):
        parse_arguments('{"a":' * 100_000)
