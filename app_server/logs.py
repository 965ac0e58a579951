"""Logging to stderr, with secrets masked: as lines for people, or as JSON for programs. Standard output belongs to the
wire."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from app_server.redaction import RedactingFormatter, redact
from app_server.request_context import CURRENT

LEVEL_VARIABLE = "APP_SERVER_LOG"
"""Environment variable with the level: debug, info, warning (the default), error, off."""

REFERENCE_LEVEL_VARIABLE: Final = "RUST_LOG"
"""The reference's, which counts where ours is not set. Only a plain level is understood; the directives that it can
also hold name modules that are not here."""

FORMAT_VARIABLE: Final = "LOG_FORMAT"
"""Environment variable with the format, as in the reference: ``json``, or ``text`` (the default)."""

_NAMES_OF_THE_REFERENCE: Final = {"WARN": logging.WARNING, "TRACE": logging.DEBUG, "OFF": logging.CRITICAL + 10}


_OF_OTHERS: Final = "opentelemetry"
"""A library whose records go to stderr too, when it is used: as ours do, so that each line has the one format and no
secret is in it. Without a handler, the interpreter would write them there as they are."""


def configure_logging(environ: Mapping[str, str]) -> None:
    """Send this program's records to stderr; an unknown level or format is warned about and means the default."""
    wanted = environ.get(LEVEL_VARIABLE, "").strip().upper()
    levels = {**logging.getLevelNamesMapping(), **_NAMES_OF_THE_REFERENCE}
    level = levels.get(wanted or environ.get(REFERENCE_LEVEL_VARIABLE, "").strip().upper(), logging.WARNING)
    log_format = environ.get(FORMAT_VARIABLE, "").strip().lower()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else LineFormatter())
    logger = logging.getLogger("app_server")
    for name in ("app_server", _OF_OTHERS):
        each = logging.getLogger(name)
        each.handlers[:] = [handler]
        each.propagate = False
        each.setLevel(level)
    if wanted and wanted not in levels:
        logger.warning("%s=%s is no level; known are debug, info, warning, error, off", LEVEL_VARIABLE, wanted)
    if log_format not in ("", "json", "text"):
        logger.warning("%s=%s is no format; known are json, text", FORMAT_VARIABLE, log_format)


class LineFormatter(RedactingFormatter):
    """Records as lines, each with the request and the turn that it belongs to."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(on_behalf_of)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as text without secrets; never raises."""
        fields = CURRENT.get().fields()
        said = " ".join(f"{name}={value}" for name, value in fields.items())
        record.on_behalf_of = f" [{said}]" if said else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """Records as JSON objects, one a line: ``timestamp`` (RFC 3339, UTC, milliseconds), ``level``, ``logger``,
    ``message``, ``exception`` if there is one, and what the record belongs to: ``method``, ``request_id``,
    ``thread_id``, ``turn_id``, ``trace_id``, as far as they are known."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON without secrets; never raises."""
        import json  # noqa: PLC0415 - most servers log nothing

        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, Any] = {
            "timestamp": f"{seconds}.{int(record.created * 1000) % 1000:03d}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        try:
            told["message"] = redact(record.getMessage())
            if record.exc_info:
                told["exception"] = redact(self.formatException(record.exc_info))
            if record.stack_info:
                told["stack"] = redact(record.stack_info)
        except Exception as error:
            told["message"] = f"a record of {record.filename}:{record.lineno} has no text ({type(error).__name__})"
        fields = CURRENT.get().fields()
        told |= {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
        return json.dumps(told)
