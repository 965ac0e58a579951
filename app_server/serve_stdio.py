"""The real server over the standard streams: what ``__main__`` starts once the first answer is out."""

import os
from typing import Final

import anyio

from app_server.cli.argv import ServeCommand
from app_server.cold_start import ColdStart
from app_server.compose import serve
from app_server.config import load_configuration
from app_server.config.environment import spans_wanted
from app_server.logs import configure_logging
from app_server.tracing import Exporting
from app_server.transport.stdio import StdioTransport
from protocol.jsonrpc import Request
from protocol.lifecycle import INITIALIZE

EXPORT_TIMEOUT: Final = 2.0
"""Seconds that the last spans have to reach their collector."""


def serve_stdio(command: ServeCommand, stdin: int, stdout: int, cold_start: ColdStart) -> int:
    """Serve the parent until it goes; returns the exit status."""
    configure_logging(os.environ)
    configuration = load_configuration(command.overrides, os.environ)
    answered = None
    if cold_start.answered is not None:
        request_id, params = cold_start.answered
        answered = Request(request_id, INITIALIZE.method, params)

    async def run() -> None:
        longest = configuration.settings.max_line_bytes
        transport = StdioTransport(stdin, stdout, received=cold_start.received, max_line_bytes=longest)
        await serve(transport, configuration, answered=answered, handle_signals=True)

    exports = Exporting(os.environ) if configuration.settings.otel and spans_wanted(os.environ) else None
    anyio.run(run)
    if exports is not None:
        exports.finish(EXPORT_TIMEOUT)
    return 0
