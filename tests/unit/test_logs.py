"""The log: its levels and formats, what a line says of the request that it belongs to, and that no secret is in it."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app_server.logs import configure_logging
from app_server.redaction import MASK
from app_server.request_context import detached, inside
from app_server.trace_context import TraceContext

CANARY = "canary0123456789canary"
TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1)


@pytest.fixture(autouse=True)
def _unchanged_afterwards() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("app_server", "opentelemetry")]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def logger_of(**environ: str) -> logging.Logger:
    configure_logging(environ)
    return logging.getLogger("app_server.test")


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({}, logging.WARNING),
        ({"APP_SERVER_LOG": ""}, logging.WARNING),
        ({"APP_SERVER_LOG": " Debug "}, logging.DEBUG),
        ({"APP_SERVER_LOG": "warn"}, logging.WARNING),
        ({"APP_SERVER_LOG": "trace"}, logging.DEBUG),
        ({"APP_SERVER_LOG": "error", "RUST_LOG": "debug"}, logging.ERROR),
        ({"RUST_LOG": "info"}, logging.INFO),
        ({"RUST_LOG": "codex_app_server=debug,info"}, logging.WARNING),
    ],
)
def test_the_level_is_that_of_the_environment(
    environ: dict[str, str], level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logger_of(**environ).getEffectiveLevel() == level
    assert capsys.readouterr().err == ""


def test_off_is_silence(capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(APP_SERVER_LOG="off").critical("anything")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("variable", ["APP_SERVER_LOG", "LOG_FORMAT"])
def test_a_bad_value_is_a_warning_and_the_default(variable: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(**{variable: "loud"})
    warning = capsys.readouterr().err
    assert f"{variable}=LOUD".lower() in warning.lower()
    assert " WARNING app_server: " in warning
    logger.info("not at this level")
    logger.warning("in a line")
    assert capsys.readouterr().err.endswith(" WARNING app_server.test: in a line\n")


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LOG_FORMAT="json", APP_SERVER_LOG="info")
    begun = datetime.now(UTC)
    logger.info("several\nlines, \u2028 and %d %s", 2, '"quotes" \udcff')
    [told] = objects(capsys)
    at = datetime.fromisoformat(told.pop("timestamp"))
    assert -0.001 <= (at - begun).total_seconds() < 60
    assert told == {
        "level": "INFO",
        "logger": "app_server.test",
        "message": 'several\nlines, \u2028 and 2 "quotes" \udcff',
    }


def test_an_exception_is_told_and_no_secret_is(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LOG_FORMAT="json")
    try:
        raise ValueError(f"Bearer {CANARY}")
    except ValueError:
        with inside(method="account/read", request_id=f"sk-{CANARY}"):
            logger.exception("it failed with %s", f"token={CANARY}")
    text = capsys.readouterr().err
    assert CANARY not in text
    told = json.loads(text)
    assert told["message"] == f"it failed with token={MASK}"
    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith(f"ValueError: Bearer {MASK}")
    assert told["request_id"] == f"sk-{MASK}"


def test_what_the_library_of_spans_says_is_told_like_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LOG_FORMAT="json")
    logging.getLogger("opentelemetry.sdk").error("refused: Bearer %s", CANARY)
    [told] = objects(capsys)
    assert (told["logger"], told["message"]) == ("opentelemetry.sdk", f"refused: Bearer {MASK}")


def test_a_record_without_a_text_is_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LOG_FORMAT="json").error("%d", CANARY)
    [told] = objects(capsys)
    assert told["message"].startswith("a record of test_logs.py:")
    assert CANARY not in str(told)


def test_lines_say_what_they_belong_to(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of()
    with inside(method="turn/start", request_id=5), inside(thread_id="t", turn_id="u"):
        logger.warning("in a turn")
        with detached():
            logger.warning("for nobody")
    within, outside = capsys.readouterr().err.splitlines()
    assert within.endswith(" WARNING app_server.test [method=turn/start request_id=5 thread_id=t turn_id=u]: in a turn")
    assert outside.endswith(" WARNING app_server.test: for nobody")


def test_objects_say_what_they_belong_to(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LOG_FORMAT="JSON")
    with inside(method="turn/start", request_id=5, thread_id="t", turn_id="u", trace=TRACE):
        logger.warning("in a turn")
    [told] = objects(capsys)
    about = {"method": "turn/start", "request_id": 5, "thread_id": "t", "turn_id": "u", "trace_id": TRACE.trace_id}
    assert about.items() <= told.items()
