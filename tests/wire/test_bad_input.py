"""Lines that are no request, and requests that are odd: what each gets, and that the server goes on.

Issue 2 section 3 ("Bad input, and what it gets"); wire.md section 2 with section 15, items 1, 16 and 22, where the
reference dies, or says nothing at all.
"""

import json
from typing import Any

from tests.support.server import Json, ServerProcess

STATUS: Json = {"authMethod": None, "authToken": None, "requiresOpenaiAuth": True}


def request(request_id: str, params: str = "{}", method: str = '"getAuthStatus"') -> bytes:
    """A line whose parts are spelled out as they are, which no encoder would do."""
    return f'{{"id":{request_id},"method":{method},"params":{params}}}\n'.encode()


def code_and_id(answer: Json) -> tuple[int, Any]:
    return answer["error"]["code"], answer["id"]


NOT_JSON = [
    b"nonsense",
    b"{",
    b"tru",
    b"'single'",
    b'{"id":1,"method":"getAuthStatus","params":{}',
    b'{"id":1,"method":"getAuthStatus","params":{}}}',
    b'{"id":1,"method":"getAuthStatus","params":{}} {"id":2,"method":"getAuthStatus","params":{}}',
    b'{"id":1,"method":"getAuthStatus","params":{},}',
    b'{"id":1,"method":"getAuthStatus","params":{"x":NaN}}',
    b'{"id":1,"method":"getAuthStatus","params":{"x":Infinity}}',
    b'{"id":01,"method":"getAuthStatus","params":{}}',
    b'{"id":1,"method":"getAuthStatus","params":{"x":"tab\there"}}',
    b'{"id":1,"method":"getAuthStatus","params":{"x":"\\q"}}',
    b"{id:1,method:'getAuthStatus'}",
    b"\x00",
    b"\x00\x00\x00\x00junk\x00",
    b'\x00{"id":1,"method":"getAuthStatus","params":{}}',
    b'{"id":1,"method":"getAuthStatus","params":{}}\x00',
    b"\xef\xbb\xbf",
    b'\xef\xbb\xbf\xef\xbb\xbf{"id":1,"method":"getAuthStatus","params":{}}',
    b"[" * 100_000,
    b'{"id":1,"method":"getAuthStatus","params":' + b'{"x":' * 1000,
]

NOT_UTF_8 = [
    b"\xff\xfe",
    b"\x80",
    b'{"id":1,"method":"getAuthStatus","params":{"x":"\xff"}}',
    b'{"id":1,"method":"getAuthStatus","params":{"\xc3(":1}}',
    b'{"id":"\xed\xa0\x80","method":"getAuthStatus","params":{}}',
    b'{"id":1,"method":"\xc0\xaf","params":{}}',
    '{"id":1,"method":"getAuthStatus","params":{}}'.encode("utf-16-le"),
]

NO_MESSAGE = [
    b"1",
    b"-1.5e3",
    b'"text"',
    b"null",
    b"true",
    b"[]",
    b"[1,2,3]",
    b'[{"id":1,"method":"getAuthStatus","params":{}}]',
    b'[{"id":1,"method":"getAuthStatus","params":{}},{"id":2,"method":"getAuthStatus","params":{}}]',
    b"{}",
    b'{"id":13}',
    b'{"id":13,"params":{}}',
    b'{"params":{}}',
    b'{"method":5}',
    b'{"method":null,"params":{}}',
]

UNUSABLE_IDS = [
    b"null",
    b"1.5",
    b"1.0",
    b"-0.5",
    b"1e3",
    b"1e400",
    b"true",
    b"false",
    b"{}",
    b"[]",
    b'["a"]',
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1" + b"0" * 400,
    b"1" + b"0" * 5000,
]


async def test_a_line_that_is_not_json_gets_one_parse_error_without_an_id(server: ServerProcess) -> None:
    for line in NOT_JSON:
        await server.send(line + b"\n")
        assert [code_and_id(answer) for answer in await server.barrier()] == [(-32700, None)], line[:80]


async def test_a_line_that_is_not_utf_8_gets_one_parse_error_and_ends_nothing(server: ServerProcess) -> None:
    for line in NOT_UTF_8:
        await server.send(line + b"\n")
        assert [code_and_id(answer) for answer in await server.barrier()] == [(-32700, None)], line[:80]


async def test_json_that_is_no_message_gets_one_invalid_request_without_an_id(server: ServerProcess) -> None:
    for line in NO_MESSAGE:
        await server.send(line + b"\n")
        assert [code_and_id(answer) for answer in await server.barrier()] == [(-32600, None)], line[:80]


async def test_a_request_whose_id_cannot_be_given_back_is_refused_and_not_carried_out(server: ServerProcess) -> None:
    login = b',"method":"account/login/start","params":{"type":"apiKey","apiKey":"sk-nobody-asked"}}\n'
    for request_id in UNUSABLE_IDS:
        await server.send(b'{"id":' + request_id + login)
        assert [code_and_id(answer) for answer in await server.barrier()] == [(-32600, None)], request_id[:80]
    assert await server.result("getAuthStatus", {}) == STATUS


async def test_a_method_that_is_no_string_is_refused_under_its_id(server: ServerProcess) -> None:
    for method in ("5", "null", "{}", '["getAuthStatus"]', "true"):
        await server.send(request('"m"', method=method))
        assert [code_and_id(answer) for answer in await server.barrier()] == [(-32600, "m")], method


async def test_no_error_quotes_the_line_it_is_about(server: ServerProcess) -> None:
    await server.send(b'{"apiKey":"sk-canary\n', b'["sk-canary"]\n', b'"sk-canary"\n', b"sk-canary\xff\n")
    answers = await server.barrier()
    assert len(answers) == 4
    assert "canary" not in json.dumps(answers)


async def test_blank_lines_get_no_answer(server: ServerProcess) -> None:
    await server.send(b"\n", b"\n\n\n", b" \n", b"\t \t\n", b"\r\n", b" \r\n")
    assert await server.barrier() == []


async def test_unknown_notifications_are_ignored_with_a_log_line(server: ServerProcess) -> None:
    before = server.log.read_text().count("ignored an unknown notification")
    for line in (
        {"method": "nonsense"},
        {"method": "nonsense", "params": {"x": 1}},
        {"method": "$/cancelRequest", "params": None},
        {"method": "account/updated", "params": {}},
        {"method": "account/logout"},
    ):
        await server.send(line)
        assert await server.barrier() == [], line
    assert server.log.read_text().count("ignored an unknown notification") - before == 5


async def test_a_request_without_an_id_is_a_notification_and_not_carried_out(server: ServerProcess) -> None:
    await server.send({"method": "account/login/start", "params": {"type": "apiKey", "apiKey": "sk-without-id"}})
    assert await server.barrier() == []
    assert await server.result("getAuthStatus", {"includeToken": True}) == STATUS


async def test_answers_to_nothing_that_was_asked_are_ignored_with_a_log_line(server: ServerProcess) -> None:
    before = server.log.read_text().count("ignored an answer")
    lines: list[Json] = [
        {"id": 0, "result": {}},
        {"id": 99, "result": None},
        {"id": "0", "result": {}},
        {"id": None, "result": {}},
        {"id": 0.0, "error": {"code": 1, "message": "x"}},
        {"id": -1, "error": "not an object"},
        {"id": False, "error": None, "result": 1},
    ]
    for line in lines:
        await server.send(line)
        assert await server.barrier() == [], line
    assert server.log.read_text().count("ignored an answer") - before == len(lines)


async def test_an_id_comes_back_as_it_went(server: ServerProcess) -> None:
    # The last two are the largest that the reference answers; one more, and it says nothing.
    for raw in ("1", "0", "-7", '""', '"a"', '" "', '"null"', '"5"', str(2**53), str(2**63 - 1), str(-(2**63))):
        await server.send(request(raw))
        line = await server.line()
        assert line.startswith(b'{"id":' + raw.encode() + b',"result":'), line


async def test_an_id_may_be_any_text(server: ServerProcess) -> None:
    for text in ("é日本😀", "\u2028", "a\nb\t\0\x7f", '"quoted"\\', "x" * 10_000, "null", "1"):
        await server.send({"id": text, "method": "getAuthStatus", "params": {}})
        assert (await server.answer(text))["result"] == STATUS


async def test_requests_with_the_same_id_are_each_answered(server: ServerProcess) -> None:
    await server.send(request("5"), request("5", method='"nonsense"'), request("5"), request('"5"'))
    answers = await server.barrier()
    assert sorted("result" in answer for answer in answers if answer["id"] == 5) == [False, True, True]
    assert [answer for answer in answers if answer["id"] == "5"] == [{"id": "5", "result": STATUS}]


async def test_of_duplicate_keys_the_last_one_counts(server: ServerProcess) -> None:
    await server.send(
        b'{"id":1,"id":"last","method":"nonsense","method":"getAuthStatus","params":[],"params":{}}\n',
        b'{"id":2,"method":"account/login/start","params":{"type":"x","type":"apiKey","apiKey":"","apiKey":"sk-d"}}\n',
    )
    assert (await server.answer("last"))["result"] == STATUS
    assert (await server.answer(2))["result"] == {"type": "apiKey"}


async def test_lone_surrogates_are_answered_wherever_they_stand(server: ServerProcess) -> None:
    await server.send(request(r'"\ud800"'))
    assert (await server.line()).startswith(rb'{"id":"\ud800","result":')
    await server.send(request("1", r'{"x":"\ud83d","\udc00":["\udfff"]}'))
    assert (await server.answer(1))["result"] == STATUS
    await server.send(request("2", method=r'"\ud800"'))
    assert "unknown variant" in (await server.answer(2))["error"]["message"]
    await server.send(request("3", r'{"type":"\ud800"}', '"account/login/start"'))
    assert (await server.answer(3))["error"]["code"] == -32600
    await server.send(request("4", r'{"loginId":"\ud800"}', '"account/login/cancel"'))
    assert (await server.answer(4))["error"]["code"] == -32600
    await server.send(request("5", r'{"type":"apiKey","apiKey":"sk-\ud800"}', '"account/login/start"'))
    await server.answer(5)
    assert "result" in await server.request("getAuthStatus", {"includeToken": True})


async def test_deep_nesting_is_answered_however_deep(server: ServerProcess) -> None:
    for depth in (127, 1_000, 100_000):
        await server.send(request("1", '{"x":' + "[" * depth + "]" * depth + "}"))
        assert (await server.answer(1))["result"] == STATUS, depth
        await server.send(request("2", '{"x":' * depth + "null" + "}" * depth))
        assert (await server.answer(2))["result"] == STATUS, depth
        await server.send(request("3", "[" * depth + "]" * depth))
        assert (await server.answer(3))["error"]["code"] == -32600, depth


async def test_huge_numbers_are_answered(server: ServerProcess) -> None:
    for number in ("1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 10_000, "0." + "1" * 10_000):
        await server.send(request("1", f'{{"x":{number}}}'))
        assert (await server.answer(1))["result"] == STATUS, number[:20]
        await server.send(request("2", f'{{"includeToken":{number}}}'))
        assert (await server.answer(2))["error"]["code"] == -32600, number[:20]
