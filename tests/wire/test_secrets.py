"""No secret gets to stderr, however it came in and however much is logged (wire.md section 15, item 27).

The harness starts every server with its most talkative level.
"""

import json
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess, run_to_end, running_server
from tests.support.upstream import LIMITS, LOGIN, REFRESH, log_in_with_tokens, server_with

CANARY = "canary-7f3a9c51"
KEY = f"sk-proj-{CANARY}"

LOGIN_LINE = json.dumps({"id": 1, "method": LOGIN, "params": {"type": "apiKey", "apiKey": KEY}}).encode()

LINES = {
    "a login": LOGIN_LINE,
    "a login without an id": LOGIN_LINE.replace(b'"id": 1, ', b""),
    "a login with an id that is none": LOGIN_LINE.replace(b'"id": 1', b'"id": 1.5'),
    "a login that lacks its end": LOGIN_LINE[:-2],
    "a login that goes on too long": LOGIN_LINE + b"}",
    "a login that is not UTF-8": LOGIN_LINE.replace(b"apiKey", b"\xff"),
    "a login in a batch": b"[" + LOGIN_LINE + b"]",
    "a login in a string": json.dumps(LOGIN_LINE.decode()).encode(),
    "a login of an unknown type": LOGIN_LINE.replace(b'"type": "apiKey"', b'"type": "apikey"'),
    "a login without its type": LOGIN_LINE.replace(b'"type"', b'"kind"'),
    "a key that is no string": LOGIN_LINE.replace(
        json.dumps(KEY).encode(), b'{"key": ' + json.dumps(KEY).encode() + b"}"
    ),
    "a key twice": LOGIN_LINE.replace(b'"apiKey": ', b'"apiKey": 5, "apiKey": '),
    "a login with a lone surrogate": LOGIN_LINE.replace(b"canary", rb"\ud800canary"),
    "a login to an unknown method": LOGIN_LINE.replace(LOGIN.encode(), b"account/login/begin"),
    "tokens that are none": json.dumps(
        {"id": 1, "method": LOGIN, "params": {"type": "chatgptAuthTokens", "accessToken": KEY, "chatgptAccountId": KEY}}
    ).encode(),
    "a plan that is none": json.dumps(
        {"id": 1, "method": LOGIN, "params": {"type": "chatgptAuthTokens", "accessToken": KEY, "chatgptPlanType": 5}}
    ).encode(),
    "an answer to nothing": json.dumps({"id": 7, "result": {"accessToken": KEY}}).encode(),
    "an error to nothing": json.dumps({"id": 7, "error": {"code": 1, "message": KEY, "data": KEY}}).encode(),
    "an unknown notification": json.dumps({"method": "secret", "params": {"token": KEY}}).encode(),
    "no JSON at all": KEY.encode(),
}


def log_of(server: ServerProcess) -> str:
    return server.log.read_text()


async def test_no_line_however_odd_brings_its_secret_into_the_log(server: ServerProcess) -> None:
    for what, line in LINES.items():
        await server.send(line + b"\n")
        await server.barrier()
        assert CANARY not in log_of(server), what
    # They were not simply lost: the odd ones are told of.
    assert log_of(server).count("refused") >= 5


async def test_no_answer_to_a_refused_line_quotes_its_key(server: ServerProcess) -> None:
    for what, line in LINES.items():
        await server.send(line + b"\n")
        answers = [message for message in await server.barrier() if "error" in message]
        assert CANARY not in json.dumps(answers), what


async def test_a_line_that_is_too_long_and_one_that_never_ends_are_not_quoted(home: Path) -> None:
    first = b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'
    long = LOGIN_LINE.replace(b"apiKey", b"apiKey", 1) + b" " * 2_000
    ended = await run_to_end(home, first + long + b"\n" + LOGIN_LINE, "-c", "app_server.max_line_bytes=1024")
    assert ended.status == 0
    assert CANARY not in ended.log
    assert CANARY.encode() not in ended.output


async def test_the_parents_tokens_and_its_refresh_answers_stay_out_of_the_log(home: Path, fake: FakeOpenAI) -> None:
    tokens, fresh = fake.mint(), fake.mint()
    async with server_with(fake, home) as server:
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        answers: list[Json] = [
            {"result": {"accessToken": KEY, "chatgptAccountId": 5}},
            {"result": KEY},
            {"error": {"code": 1, "message": f"no token for you: {KEY}"}},
            {"result": {"accessToken": fresh.access_token, "chatgptAccountId": fresh.account.account_id}},
        ]
        for number, answer in enumerate(answers):
            # Without the details it is one request to the upstream, and so one question.
            params = {"excludeResetCreditDetails": True}
            await server.send({"id": f"limits {number}", "method": LIMITS, "params": params})
            question = await server.server_request(REFRESH)
            await server.send({"id": question["id"], **answer})
            outcome = await server.answer(f"limits {number}")
        assert "result" in outcome
        log = log_of(server)
    for secret in (CANARY, tokens.access_token, fresh.access_token, tokens.access_token.split(".")[2]):
        assert secret not in log


@pytest.mark.parametrize("home_is_usable", [True, False])
async def test_a_stored_key_and_one_that_cannot_be_stored_stay_out_of_the_log(home: Path, home_is_usable: bool) -> None:
    env = {} if home_is_usable else {"CODEX_HOME": "/dev/null/home"}
    async with running_server(home, env=env, forked=True) as server:
        answer = await server.request(LOGIN, {"type": "apiKey", "apiKey": KEY})
        assert ("result" in answer) is home_is_usable
        assert CANARY not in json.dumps(answer)
        await server.result("account/logout")
        assert CANARY not in log_of(server)
