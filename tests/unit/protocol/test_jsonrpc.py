"""One line in, one message out (wire.md section 2 and 15.16, 15.22)."""

import json
from typing import Any

import pytest

from protocol.errors import InternalError, InvalidRequest, NotInitialized, ParseError
from protocol.json_codec import dumps, loads
from protocol.jsonrpc import (
    ABSENT,
    ErrorObject,
    MalformedRequest,
    Notification,
    Request,
    Response,
    decode,
    encode_error,
    encode_notification,
    encode_request,
    encode_result,
    is_request_id,
)


def request(line: bytes) -> Request:
    message = decode(line)
    assert isinstance(message, Request)
    return message


def encoded(value: Any) -> bytes:
    """JSON by another hand than the codec's."""
    return json.dumps(value).encode()


# Requests


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":7,"method":"m","params":{"a":1}}',
        b'{"params":{"a":1},"method":"m","id":7}',
        b'{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1}}',
        b'{"jsonrpc":1.0,"id":7,"method":"m","params":{"a":1},"trace":null,"x":[]}',
        b' \t {"id" : 7 , "method" : "m" , "params" : {"a" : 1}} \t\r',
        b'\xef\xbb\xbf{"id":7,"method":"m","params":{"a":1}}',
        b'{"id":1,"id":7,"method":"x","method":"m","params":{"a":1}}',
        b'{"\\u0069d":7,"method":"\\u006d","params":{"a":1}}',
        b'{"id":7,"method":"m","params":{"a":1},"result":1,"error":{}}',
    ],
)
def test_a_request_is_told_by_its_id_and_its_method_whatever_else_it_has(line: bytes) -> None:
    assert request(line) == Request(7, "m", {"a": 1})


@pytest.mark.parametrize("value", [{}, [], None, 5, "s", False])
def test_params_are_kept_as_they_were_sent(value: Any) -> None:
    assert request(b'{"id":1,"method":"m","params":%b}' % encoded(value)).params == value


def test_params_that_were_not_sent_are_not_null() -> None:
    assert request(b'{"id":1,"method":"m"}').params is ABSENT
    assert request(b'{"id":1,"method":"m","params":null}').params is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0", 0),
        (b"-0", 0),
        (b"-1", -1),
        (b"9007199254740992", 2**53),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'""', ""),
        (b'"0"', "0"),
        (b'"null"', "null"),
        (b'"\xc3\xa9"', "é"),
        (b'"\\u0000"', "\0"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud800"', "\ud800"),
        (b'"' + b"x" * 2_000_000 + b'"', "x" * 2_000_000),
    ],
    ids=lambda value: str(value)[:12].encode("ascii", "backslashreplace").decode(),
)
def test_an_id_is_echoed_with_its_type_and_value(text: bytes, value: Any) -> None:
    message = request(b'{"id":%b,"method":"m"}' % text)

    assert message.id == value
    assert type(message.id) is type(value)
    assert loads(encode_result(message.id, b"{}"))["id"] == value
    assert loads(encode_error(message.id, NotInitialized()))["id"] == value


BAD_IDS = [
    b"null",
    b"true",
    b"false",
    b"1.5",
    b"1.0",
    b"1e2",
    b"-0.0",
    b"[]",
    b"[1]",
    b"{}",
    b'{"id":1}',
    b"18446744073709551616",
    b"1" * 5000,
]


@pytest.mark.parametrize("value", BAD_IDS, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("odd", [b"1", b'"\\ud800"'], ids=["plain", "odd"])
def test_a_call_with_an_id_that_cannot_be_echoed_is_refused_without_one(value: bytes, odd: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(b'{"id":%b,"method":"account/read","params":{"x":%b}}' % (value, odd))

    assert not isinstance(refusal.value, MalformedRequest)
    assert refusal.value.message == "Invalid request: the id must be a string or an integer"


@pytest.mark.parametrize("value", ["", "a", 0, -1, 2**53])
def test_strings_and_integers_are_ids(value: object) -> None:
    assert is_request_id(value)


@pytest.mark.parametrize("value", [None, True, False, 0.0, 1.5, [], {}, b"x"])
def test_nothing_else_is_an_id(value: object) -> None:
    assert not is_request_id(value)


@pytest.mark.parametrize("method", [b"5", b"null", b"true", b"[]", b'{"a":1}', b"1.5"])
def test_a_call_whose_method_is_no_string_is_refused_under_its_id(method: bytes) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        decode(b'{"id":"a","method":%b}' % method)

    assert refusal.value.request_id == "a"
    assert refusal.value.message == "Invalid request: the method must be a string"
    assert refusal.value.code == -32600


@pytest.mark.parametrize("method", [b"5", b"null", b"[]"])
def test_a_notification_whose_method_is_no_string_is_refused_without_an_id(method: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(b'{"method":%b}' % method)

    assert not isinstance(refusal.value, MalformedRequest)


def test_a_bad_id_counts_before_a_bad_method() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(b'{"id":null,"method":5}')

    assert "id" in refusal.value.message


# Requests with odd content are requests all the same


@pytest.mark.parametrize("levels", [126, 127, 512, 1024, 1025, 100_000, 1_000_000])
def test_nesting_of_any_depth_is_read(levels: int) -> None:
    deep = b"[" * levels + b"]" * levels

    message = request(b'{"unknown":%b,"id":1,"method":"m","params":{"x":%b,"y":2}}' % (deep, deep))

    assert (message.id, message.method, message.params["y"]) == (1, "m", 2)


@pytest.mark.parametrize("brackets", [b"[" * 5000, b"]" * 5000, b'\\"{' * 5000, b'\\\\\\"[' * 5000], ids=range(4))
def test_brackets_inside_strings_do_not_nest(brackets: bytes) -> None:
    message = request(b'{"id":"%b","method":"m","params":{"x":"\\ud800"}}' % brackets)

    assert message.id == loads(b'"%b"' % brackets)
    assert message.params == {"x": "\ud800"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id":"\\ud800","method":"m"}', Request("\ud800", "m")),
        (b'{"id":1,"method":"\\udc00"}', Request(1, "\udc00")),
        (b'{"id":1,"method":"m","params":{"\\ud800":"\\ud800"}}', Request(1, "m", {"\ud800": "\ud800"})),
        (b'{"id":1,"method":"m","params":"\\ud800"}', Request(1, "m", "\ud800")),
        (b'{"id":1,"\\ud800":1,"method":"m","x":"\\udfff"}', Request(1, "m")),
    ],
)
def test_lone_surrogates_anywhere_are_read(line: bytes, expected: Request) -> None:
    assert decode(line) == expected


@pytest.mark.parametrize("number", [b"1" * 5000, b"1e400", b"-1e999999999", b"0." + b"0" * 5000 + b"1"], ids=range(4))
def test_numbers_of_any_size_are_read(number: bytes) -> None:
    message = request(b'{"id":1,"method":"m","params":{"x":%b},"unknown":%b}' % (number, number))

    assert (message.id, message.method) == (1, "m")


def test_a_string_of_twenty_mebibytes_is_read() -> None:
    assert len(request(b'{"id":1,"method":"m","params":{"x":"%b"}}' % (b"k" * (20 << 20))).params["x"]) == 20 << 20


# Notifications and answers


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"method":"initialized"}', Notification("initialized")),
        (b'{"method":"n","params":{"a":1}}', Notification("n", {"a": 1})),
        (b'{"method":"n","params":null,"jsonrpc":"2.0"}', Notification("n", None)),
        (b'{"method":"","result":1}', Notification("")),
    ],
)
def test_a_method_without_an_id_is_a_notification(line: bytes, expected: Notification) -> None:
    assert decode(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id":0,"result":{"a":1}}', Response(0, {"a": 1})),
        (b'{"result":null,"id":0}', Response(0, None)),
        (b'{"id":"0","result":[],"error":null}', Response("0", [])),
        (b'{"id":3,"error":{"code":-1,"message":"no"}}', Response(3, error=ErrorObject(-1, "no"))),
        (
            b'{"id":3,"error":{"data":{"x":1},"message":"no","code":-32000}}',
            Response(3, error=ErrorObject(-32000, "no", {"x": 1})),
        ),
        (b'{"id":3,"error":null}', Response(3, None)),
        (b'{"id":3,"result":1,"error":{"code":1,"message":"m"}}', Response(3, error=ErrorObject(1, "m"))),
    ],
)
def test_an_answer_is_a_result_or_an_error(line: bytes, expected: Response) -> None:
    assert decode(line) == expected


@pytest.mark.parametrize("value", [b"null", b"1.5", b"true", b"[]", b"{}"])
def test_an_answer_to_nothing_that_was_asked_keeps_its_odd_id(value: bytes) -> None:
    message = decode(b'{"id":%b,"result":1}' % value)

    assert isinstance(message, Response)
    assert message.id == loads(value)


@pytest.mark.parametrize(
    "error",
    [b"5", b'"no"', b"[]", b"{}", b'{"code":1}', b'{"message":"m"}', b'{"code":"1","message":"m"}', b"false"],
)
def test_an_error_of_another_shape_is_an_error_all_the_same(error: bytes) -> None:
    message = decode(b'{"id":3,"error":%b}' % error)

    assert isinstance(message, Response)
    assert message.error is not None
    assert message.error.message == "malformed error object"
    assert message.error.data == loads(error)


# What is no message


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'[{"id":1,"method":"m"}]', "Invalid request: batches are not supported"),
        (b"[]", "Invalid request: batches are not supported"),
        (b"[" * 100_000 + b"]" * 100_000, "Invalid request: batches are not supported"),
        (b"5", "Invalid request: a message must be a JSON object"),
        (b"1.5", "Invalid request: a message must be a JSON object"),
        (b"null", "Invalid request: a message must be a JSON object"),
        (b"true", "Invalid request: a message must be a JSON object"),
        (b'"initialize"', "Invalid request: a message must be a JSON object"),
        (b"{}", "Invalid request: an object with neither a method nor a result or an error"),
        (b'{"id":13}', "Invalid request: an object with neither a method nor a result or an error"),
        (b'{"id":13,"params":{}}', "Invalid request: an object with neither a method nor a result or an error"),
        (b'{"result":1}', "Invalid request: an object with neither a method nor a result or an error"),
        (
            b'{"error":{"code":1,"message":"m"}}',
            "Invalid request: an object with neither a method nor a result or an error",
        ),
        (b'{"Method":"m","ID":1}', "Invalid request: an object with neither a method nor a result or an error"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_json_that_is_no_message_is_an_invalid_request(line: bytes, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(line)

    assert not isinstance(refusal.value, MalformedRequest)
    assert refusal.value.message == text
    assert refusal.value.code == -32600


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b'{"id":1,"method":"m"',
        b'{"id":1,"method":"m"}}',
        b'{"id":1,"method":"m"}{"id":2,"method":"m"}',
        b'{"id":1,"method":"m",}',
        b"{'id':1,'method':'m'}",
        b'{"id":NaN,"method":"m"}',
        b'{"id":1,"method":"m","params":Infinity}',
        b'{"id":1,"method":"m","params":[-Infinity,"\\ud800"]}',
        b'{"id":1,"method":"m\xff"}',
        b'{"id":1,"method":"m","params":"\xed\xa0\x80\\ud800"}',
        b'{"id":1,"method":"m","params":%b}' % (b"[" * 2000 + b"]" * 1999),
        b'{"id":1,"method":"m","params":%b}' % (b"[" * 2000 + b"]" * 2001),
        b"\x00\x00\x00\x00",
        b"",
        b"\xef\xbb\xbf",
        b'\xef\xbb\xbf\xef\xbb\xbf{"id":1,"method":"m"}',
        b'{"id":1,\xef\xbb\xbf"method":"m"}',
        '{"id":1,"method":"m"}'.encode("utf-16"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_json_in_utf8_is_a_parse_error(line: bytes) -> None:
    with pytest.raises(ParseError) as refusal:
        decode(line)

    assert refusal.value.code == -32700


# The way out


def test_a_result_is_one_line_without_a_jsonrpc_member() -> None:
    assert encode_result(1, b'{"a":null}') == b'{"id":1,"result":{"a":null}}\n'
    assert encode_result('a\n"', b"{}") == b'{"id":"a\\n\\"","result":{}}\n'


def test_an_error_has_data_only_when_there_is_some() -> None:
    assert encode_error(-3, InvalidRequest("no")) == b'{"error":{"code":-32600,"message":"no"},"id":-3}\n'
    assert (
        encode_error("x", InternalError("no", {"retryable": False}))
        == b'{"error":{"code":-32603,"message":"no","data":{"retryable":false}},"id":"x"}\n'
    )


@pytest.mark.parametrize("data", [False, 0, "", [], {}])
def test_data_that_is_merely_empty_is_data(data: Any) -> None:
    assert loads(encode_error(1, InternalError("no", data)))["error"]["data"] == data


def test_an_error_whose_id_is_unknown_carries_null() -> None:
    assert encode_error(None, ParseError("bad")) == b'{"error":{"code":-32700,"message":"bad"},"id":null}\n'


@pytest.mark.parametrize("message", ["two\nlines", "\ud800", "é😀", "\u2028\x00", '"\\'])
def test_an_error_is_one_line_of_utf8_whatever_its_message(message: str) -> None:
    line = encode_error(1, InvalidRequest(message, {"\ud800": message}))

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert loads(line)["error"]["message"] == message
    line.decode("utf-8")


def test_a_notification_carries_the_time_beside_its_params() -> None:
    line = encode_notification("account/updated", b'{"authMode":null}', 1_700_000_000_123)

    assert line == b'{"method":"account/updated","params":{"authMode":null},"emittedAtMs":1700000000123}\n'


def test_a_server_request_has_method_id_and_params_in_this_order() -> None:
    assert encode_request(0, "a/b", b'{"x":1}') == b'{"method":"a/b","id":0,"params":{"x":1}}\n'


def test_a_line_has_no_separators_at_which_some_readers_end_it() -> None:
    """U+2028 and U+2029 end a line for Node's ``readline``; JSON allows both as they are."""
    text = "a\u2028b\u2029c \u2027\u2030"
    value = dumps({"text": text})
    assert "\u2028".encode() in value
    for line in (
        encode_result(text, value),
        encode_error(1, InvalidRequest(text)),
        encode_notification("n", value, 1),
        encode_request(1, "m", value),
    ):
        assert len(line.decode().splitlines()) == 1
        assert text in json.dumps(loads(line), ensure_ascii=False)


def test_what_one_side_encodes_the_other_decodes() -> None:
    assert decode(encode_request(5, "m", b'{"a":[1]}')) == Request(5, "m", {"a": [1]})
    assert decode(encode_result("r", b"null")) == Response("r", None)
    assert decode(encode_error(2, InternalError("m", [1]))) == Response(2, error=ErrorObject(-32603, "m", [1]))
    assert decode(encode_notification("n", b"{}", 1)) == Notification("n", {})
