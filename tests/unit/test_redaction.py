"""Masking of secrets: nothing planted gets through, ordinary text does, and no text takes long."""

import json
import logging
import random
import subprocess
import sys
import urllib.parse
from collections.abc import Callable

import pytest

from app_server.redaction import MASK, RedactingFormatter, redact

CANARY = "canary0123456789canary"
JWT = f"eyJhbGciOiJub25lIn0.eyJlbWFpbCI6{CANARY}.{CANARY}"

SECRET_NAMES = (
    "access_token",
    "accessToken",
    "refresh_token",
    "refreshToken",
    "id_token",
    "idToken",
    "authToken",
    "token",
    "subject_token",
    "client_secret",
    "code_verifier",
    "authorization_code",
    "device_code",
    "device_auth_id",
    "apiKey",
    "api_key",
    "OPENAI_API_KEY",
    "password",
)


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"({JWT})",
        f"a token {JWT}, and more",
        repr(f"line\n{JWT}"),
        urllib.parse.quote(f" {JWT}"),
        json.dumps(json.dumps({"unknown": JWT})),
        f"sk-{CANARY}",
        f"sk-proj-{CANARY}_{CANARY}",
        f"at-{CANARY}",
        repr(f"\nsk-{CANARY}\tat-{CANARY}"),
        f"Incorrect API key provided: sk-{CANARY}. You can find",
        f"Bearer {CANARY}",
        f"authorization: bearer\t{CANARY}",
        f"(b'Authorization', b'Bearer {CANARY}')",
        f"Bearer%20{CANARY}",
        f'"Authorization": "Basic {CANARY}"',
        f"Authorization: Basic {CANARY}==",
        f"http://127.0.0.1:1455/auth/callback?code={CANARY}&state={CANARY}",
        f"http://a/?x=1&code={CANARY}#fragment",
        f"/success?id_token={CANARY}&needs_setup=false",
        f"grant_type=authorization_code&code={CANARY}&code_verifier={CANARY}",
        f"state={CANARY}",
        urllib.parse.quote(f"http://a/?code={CANARY}&state={CANARY}", safe=""),
        f"https_proxy=http://user:{CANARY}@proxy:3128",
        f"Tokens(access_token='{CANARY}', plan='pro')",
        f"{{'refresh_token': b'{CANARY}'}}",
        f'{{"refresh_token":"{CANARY}',
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert CANARY not in redact(text)
    assert MASK in redact(text)


@pytest.mark.parametrize(
    "write",
    [
        lambda name, value: f"{name}={value}",
        lambda name, value: f"https://a/b?x=1&{name}={value}&y=2",
        lambda name, value: urllib.parse.quote(f"https://a/b?x=1&{name}={value}&y=2", safe=""),
        lambda name, value: json.dumps({"x": 1, name: value, "y": 2}),
        lambda name, value: json.dumps({"x": {name: value}}, indent=2),
        lambda name, value: json.dumps(json.dumps({name: value, "y": 2})),
        lambda name, value: json.dumps(json.dumps(json.dumps({name: value}))),
        lambda name, value: repr({name: value, "y": 2}),
        lambda name, value: repr(json.dumps({name: value}).encode()),
        lambda name, value: f"f({name}={value!r})",
    ],
)
def test_a_value_is_masked_wherever_its_name_says_that_it_is_secret(write: Callable[[str, str], str]) -> None:
    for name in SECRET_NAMES:
        text = redact(write(name, CANARY))
        assert CANARY not in text, name
        assert name in text


@pytest.mark.parametrize("value", [f'a"{CANARY}', f"\\{CANARY}", f"a\n{CANARY}", f"ü{CANARY}", f'\\\\\\"{CANARY}'])
def test_escapes_within_a_member_do_not_end_it(value: str) -> None:
    text = redact(json.dumps({"access_token": value, "kept": "here"}))
    assert CANARY not in text
    assert json.loads(text) == {"access_token": MASK, "kept": "here"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "task-queue, disk-full-read-access, risk-free",
        "/usr/lib/python3/site-packages/app_server/config.py",
        "http://127.0.0.1:1455/auth/callback?x=1",
        "GET https://chatgpt.com/backend-api/wham/usage failed: 503 Service Unavailable",
        '{"method":"account/read","params":{"refreshToken":true,"includeToken":false}}',
        '{"error":{"code":"refresh_token_reused"}}',
        "auth refresh request failed: code=-32000",
        "exit_code=1 status_code=200 code=404",
        "Failed to refresh token: 500 Internal Server Error",
        "OAuth token response is invalid",
        "SecretStr('**********')",
        "tokens: 5, total_tokens=7",
        "user@example.com wrote to http://example.com/@handle",
        "2026-01-01 00:00:00,000 INFO app_server.router: 12 requests",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_surrounds_a_secret_stays_readable() -> None:
    url = f"http://a/cb?code={CANARY}&state={CANARY}&scope=x"
    assert redact(f"GET {url} 302") == f"GET http://a/cb?code={MASK}&state={MASK}&scope=x 302"
    assert redact(f"key sk-{CANARY} is wrong") == f"key sk-{MASK} is wrong"
    assert redact("token=bytes token=b'bytes'") == f"token={MASK} token=b'{MASK}'"


def test_masking_twice_changes_nothing_more() -> None:
    pieces = ["Bearer ", "sk-", "at-", "token=", '"token":"', "'token':'", '\\"token\\":\\"', "code=", "://", "@", JWT]
    pieces += [CANARY, '"', "'", "\\", "&", " ", "%3D", "%26", "\n", ".", ",", MASK, "authorization: Basic "]
    dice = random.Random(0)  # noqa: S311 - not for secrets
    for _ in range(3000):
        once = redact("".join(dice.choices(pieces, k=dice.randrange(1, 9))))
        assert redact(once) == once


def test_any_text_is_taken() -> None:
    dice = random.Random(1)  # noqa: S311 - not for secrets
    for _ in range(300):
        text = "".join(chr(dice.randrange(0x3000)) for _ in range(50)) + "\ud800\x00"
        assert isinstance(redact(text), str)


def test_what_is_no_text_is_masked_whole() -> None:
    assert redact(CANARY.encode()) == MASK  # type: ignore[arg-type]
    assert redact(None) == MASK  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ", "eyJ.", "eyJa.b", "eyJ=", "\\neyJ", "\\n", "%41", "%3D", "a", "a_", "a-", "token", "token_", "token=",
        "state", "code=", "code=1", "Bearer", "Bearer ", "authorization: ", "authorization: Basic ", "sk-", "sk-a.",
        "at-a,", "://", "://a:", "://a@", '"', "'", "\\", '\\"', '"token', '"token":', '"token":"', '"token":"\\',
        '\\"token\\":\\"', '\\"token\\":\\"\\', "'token':'", " ", "=", "=\\", "&", "\n", "\x00", "é",
    ],
)  # fmt: skip
def test_a_long_text_of_one_piece_ends_in_its_secret_masked(piece: str) -> None:
    # At this length, a pattern that takes quadratic time would not come back within the deadline of any run.
    assert CANARY not in redact(piece * (40_000 // len(piece)) + f" refresh_token={CANARY} ")


def record_of(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("test.redaction", logging.ERROR, __file__, 7, message, arguments, exc_info, sinfo="Stack")


def test_records_are_masked_in_message_arguments_and_exceptions() -> None:
    error: BaseException | None = None
    try:
        try:
            raise ValueError(f"token=inner{CANARY}")
        except ValueError as cause:
            raise RuntimeError(f"Bearer outer{CANARY}") from cause
    except RuntimeError as caught:
        error = caught
    record = record_of("it failed for %s and %r", f"sk-{CANARY}", {"accessToken": CANARY}, error=error)
    text = RedactingFormatter("%(levelname)s %(message)s").format(record)
    assert CANARY not in text
    assert text.startswith(f"ERROR it failed for sk-{MASK} and {{'accessToken': '{MASK}'}}\n")
    assert f"ValueError: token={MASK}\n" in text
    assert f"RuntimeError: Bearer {MASK}\n" in text
    assert text.endswith("Stack")


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError(f"sk-{CANARY}")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "arguments"),
    [("%s", (CANARY, CANARY)), ("%s", (Hostile(),)), ("%d", (CANARY,)), (f"%(missing)s {CANARY}", ({"x": CANARY},))],
)
def test_a_record_that_cannot_be_formatted_is_named_without_its_arguments(
    message: str, arguments: tuple[object, ...]
) -> None:
    text = RedactingFormatter("%(message)s").format(record_of(message, *arguments))
    assert CANARY not in text
    assert "test.redaction" in text
    assert "test_redaction.py:7" in text


def test_expressions_are_compiled_when_first_needed() -> None:
    script = (
        "import re; compiled = []; inner = re.compile; "
        "re.compile = lambda *a, **k: compiled.append(a) or inner(*a, **k); import logging; before = len(compiled); "
        "import app_server.redaction as r; loaded = len(compiled); r.redact('x'); r.redact('x'); "
        "print(loaded - before, len(compiled) - loaded > 5)"
    )
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["0", "True"]
