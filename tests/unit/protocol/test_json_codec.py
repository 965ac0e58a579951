"""JSON text in and out: what orjson takes, and what is JSON all the same (wire.md section 15.22)."""

import time
import tracemalloc
from typing import Any

import pytest

from protocol.json_codec import MAX_DEPTH, dumps, loads

ODD = b'"\\ud800"'
"""A lone surrogate: its presence sends a text the slow way."""


def depth_of(value: Any) -> int:
    """Levels of arrays and objects, following the first member of each."""
    depth = 0
    while isinstance(value, list | dict):
        depth += 1
        members = list(value.values()) if isinstance(value, dict) else value
        value = members[0] if members else None
    return depth


def short(value: object) -> str:
    """An id for a case whose text may be long."""
    return str(value)[:24]


def nested_arrays(levels: int, inner: bytes = b"") -> bytes:
    return b"[" * levels + inner + b"]" * levels


def nested_objects(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":[1,-2.5,true,false,null,"x"]}', {"a": [1, -2.5, True, False, None, "x"]}),
        (b' \t\r\n{"a" : 1}\r', {"a": 1}),
        ('"é\\u00e9\\ud83d\\ude00"'.encode(), "éé😀"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"\\u0061":1}', {"a": 1}),
        (b"18446744073709551615", 2**64 - 1),
    ],
)
def test_ordinary_json_is_decoded(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud800"', "\ud800"),
        (b'"\\udfff"', "\udfff"),
        (b'"\\uD800x"', "\ud800x"),
        (b'"\\ud800\\ud800"', "\ud800\ud800"),
        (b'"\\udc00\\ud800"', "\udc00\ud800"),
        (b'{"\\ud800":{"\\udc00":[]}}', {"\ud800": {"\udc00": []}}),
        (b'["\\ud83d\\ude00","\\ud83d"]', ["😀", "\ud83d"]),
        ('["é","\\ud800","日本"]'.encode(), ["é", "\ud800", "日本"]),
        (b'[1,-0,2.5e3,18446744073709551615,"\\ud800"]', [1, 0, 2500.0, 2**64 - 1, "\ud800"]),
        (b'[-9223372036854775808,"\\ud800"]', [-(2**63), "\ud800"]),
        (b'{"a":1,"a":"\\ud800","a":3}', {"a": 3}),
        (b' \t\r\n["\\ud800"]\r', ["\ud800"]),
    ],
)
def test_lone_surrogates_are_decoded(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize("value", ["\ud800", ["\udfff", "é"], {"\ud800": "x\udc00y"}, {"message": "unknown `\udead`"}])
def test_lone_surrogates_survive_a_round_trip_as_ascii_escapes(value: Any) -> None:
    text = dumps(value)

    assert text.isascii()
    assert loads(text) == value


def test_ordinary_values_are_encoded_compactly_in_utf8() -> None:
    assert dumps({"a": [1, None, "é"], "b": True}) == '{"a":[1,null,"é"],"b":true}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), [float("nan"), "\ud800"]])
def test_what_json_has_no_word_for_is_never_written(value: Any) -> None:
    text = dumps(value)

    assert b"NaN" not in text
    assert b"Infinity" not in text


@pytest.mark.parametrize("levels", [1, 126, 127, 511, 512, 513, 1023, 1024, 1025, 2000, 100_000])
@pytest.mark.parametrize("nested", [nested_arrays, nested_objects])
def test_any_depth_is_decoded_and_what_stands_beside_it_is_kept(levels: int, nested: Any) -> None:
    value = loads(b'{"before":[1],"deep":%b,"after":{"x":"y"}}' % nested(levels))

    assert value["before"] == [1]
    assert value["after"] == {"x": "y"}
    assert list(value) == ["before", "deep", "after"]
    assert min(levels, MAX_DEPTH - 1) <= depth_of(value["deep"]) <= levels


def test_a_million_levels_are_decoded_in_a_moment() -> None:
    started = time.perf_counter()
    value = loads(b'{"id":1,"deep":%b}' % nested_arrays(1_000_000))

    assert value["id"] == 1
    assert time.perf_counter() - started < 1


def test_white_space_between_brackets_does_not_hide_their_depth() -> None:
    text = b"[ \t\r\n" * 3000 + b"] \t\r\n" * 3000

    assert depth_of(loads(text)) == MAX_DEPTH


def test_every_odd_way_leaves_what_is_no_deeper_than_the_limit_as_it_is() -> None:
    text = nested_arrays(MAX_DEPTH, b"") + b" "
    value = loads(b'{"odd":%b,"deep":%b}' % (ODD, text[1:-2]))

    assert depth_of(value["deep"]) == MAX_DEPTH - 1
    assert b"null" not in dumps(value)


def test_each_of_many_deep_values_is_cut_on_its_own() -> None:
    value = loads(
        b"[%b]" % b",".join([nested_arrays(1500), b'"kept"', nested_objects(1500), b"[7]", nested_arrays(1500)])
    )

    assert len(value) == 5
    assert value[1] == "kept"
    assert value[3] == [7]
    assert [depth_of(value[index]) for index in (0, 2, 4)] == [MAX_DEPTH - 1] * 3


def test_siblings_below_the_cut_vanish_with_it_and_nothing_else_does() -> None:
    inner = b'1,{"a":["]}"]},[[]],"\\"]"'
    text = b"[" * 1200 + inner + b"]" * 1100 + b',"kept"' + b"]" * 100

    value = loads(text)
    for _ in range(99):
        (value,) = value
    assert value[1:] == ["kept"]


@pytest.mark.parametrize("left", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 2])
def test_what_follows_the_cut_is_kept_to_the_limit_exactly(left: int) -> None:
    value = loads(b"[" * 1200 + b"]" * (1200 - left) + b',"kept"' + b"]" * left)

    for _ in range(MAX_DEPTH - 1):
        value = value[0]
    assert value == {MAX_DEPTH - 1: [None], MAX_DEPTH: [None, "kept"]}.get(left, [None])


@pytest.mark.parametrize(
    "brackets", [b"[" * 5000, b"]" * 5000, b"{" * 5000, b'\\"[' * 2000, b"\\\\[" * 2000, b"}]" * 900], ids=short
)
def test_brackets_inside_strings_are_text(brackets: bytes) -> None:
    value = loads(b'{"text":"%b","odd":%b,"after":[1]}' % (brackets, ODD))

    assert value["text"] == brackets.decode().replace('\\"', '"').replace("\\\\", "\\")
    assert value["after"] == [1]


def test_brackets_inside_strings_below_the_cut_are_text_too() -> None:
    value = loads(b'{"deep":%b,"after":1}' % nested_arrays(2000, b'"]]]]\\"]]]",{"}}":"[[[["}'))

    assert value["after"] == 1


@pytest.mark.parametrize(
    "text",
    [
        nested_arrays(2000)[:-1],
        nested_arrays(2000) + b"]",
        b"[" * 2000,
        b"]" * 2000,
        b"[" * 2000 + b"}" * 2000,
        b'{"a":' * 2000 + b"1" + b"]" * 2000,
        b"[" * 2000 + b'"' + b"]" * 2000,
        b"[" * 2000 + b"]" * 1600 + b'"' + b"]" * 400,
        b"{" + nested_arrays(2000) + b"}",
        b"[" * 511 + b"{" + nested_arrays(2000) + b"}" + b"]" * 511,
        nested_arrays(2000) + nested_arrays(2000),
    ],
    ids=short,
)
def test_brackets_that_do_not_match_are_not_json_at_any_depth(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the contract
        loads(text)


@pytest.mark.parametrize(
    "fragment",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"nan",
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x10",
        b"1e",
        b"- 1",
        b"'x'",
        b"undefined",
        b"[1,]",
        b'{"a":1,}',
        b"{a:1}",
        b'{"a" 1}',
        b'"\x01"',
        b'"\n"',
        b'"\\x41"',
        b'"\\u12"',
        b'"\\u12g4"',
        b'"\\u 123"',
        b"/* no */ 1",
        b"\x0b1",
        b"\xc2\xa01",
        b"\x00",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        b'"\xf4\x90\x80\x80"',
        b'"\xe2\x82"',
        b'"',
        b"",
    ],
    ids=short,
)
@pytest.mark.parametrize(
    "way", [b"[%b]", b'["\\ud800",%b]', b"[%b," + b"[]," * MAX_DEPTH + b"1]"], ids=["fast", "odd", "wide"]
)
def test_what_is_not_json_is_refused_on_the_fast_way_and_on_the_slow_one(fragment: bytes, way: bytes) -> None:
    text = way % fragment
    if text == b"[]":
        text = b""
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the contract
        loads(text)


@pytest.mark.parametrize(
    "text", ['{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"), b"\x00" * 20, b"\xff\xfe"], ids=short
)
def test_other_encodings_and_junk_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the contract
        loads(text)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"1e400", float("inf")),
        (b"-1e400", float("-inf")),
        (b"1E+0400", float("inf")),
        (b"1" * 5000, float("inf")),
        (b"-" + b"1" * 5000, float("-inf")),
        (b"1" * 250 + b"e99", float("inf")),
        (b"1e-400", 0.0),
        (b"0." + b"0" * 5000 + b"1", 0.0),
        (b"0." + b"3" * 5000, 1 / 3),
        (b"1" + b"0" * 300, 1e300),
        (b"18446744073709551616", 2.0**64),
        (b"-9223372036854775809", -(2.0**63)),
    ],
    ids=short,
)
@pytest.mark.parametrize("odd", [b"1", ODD], ids=["alone", "beside a surrogate"])
def test_numbers_beyond_what_a_machine_holds_are_floats(number: bytes, value: float, odd: bytes) -> None:
    decoded = loads(b'{"n":%b,"odd":%b}' % (number, odd))["n"]

    assert isinstance(decoded, float)
    assert decoded == value


def test_a_huge_string_beside_a_surrogate_takes_memory_in_proportion() -> None:
    text = b'{"x":"%b","odd":%b}' % (b"x" * (4 << 20), ODD)
    tracemalloc.start()
    try:
        value = loads(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(value["x"]) == 4 << 20
    assert peak < 16 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"' + b'\\"' * 50_000 + b"\\ud800",
        b'["' * 50_000 + b"\\ud800",
        b'{"a":"\\ud800' + b"\\\\" * 50_000,
        b"[ " * 50_000 + b" " * 50_000,
        b"[]," * 50_000 + b"x",
    ],
    ids=["escaped quotes", "quotes and brackets", "backslashes", "white space", "not JSON"],
)
def test_hostile_text_is_refused_in_linear_time(text: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the contract
        loads(text)

    assert time.perf_counter() - started < 2
