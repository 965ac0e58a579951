"""Logging to stderr, with secrets masked. Standard output belongs to the wire."""

import logging
import sys
from collections.abc import Mapping

from app_server.redaction import RedactingFormatter

LEVEL_VARIABLE = "APP_SERVER_LOG"
"""Environment variable with the level: debug, info, warning (the default), error."""


def configure_logging(environ: Mapping[str, str]) -> None:
    """Send this program's records to stderr; an unknown level is warned about and means the default."""
    wanted = environ.get(LEVEL_VARIABLE, "").strip().upper() or "WARNING"
    levels = logging.getLevelNamesMapping()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("app_server")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(levels.get(wanted, logging.WARNING))
    if wanted not in levels:
        logger.warning("%s=%s is no level; known are %s", LEVEL_VARIABLE, wanted, ", ".join(sorted(levels)))
