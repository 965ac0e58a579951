"""What ARCHITECTURE names exists, and the bounds that it tells are those in force; those that are settings are looked
at in ``tests/wire/test_readme_tables``."""

import re
from pathlib import Path
from typing import Final

import pytest

from app_server.auth.login import browser, device_code
from app_server.auth.login.callback_server import LIMITS
from app_server.auth.managed import SAVING
from app_server.auth.parent import LATE_ANSWER, MAX_LATE
from app_server.auth.revocation import REVOKE_TIMEOUT
from app_server.auth.stores import keyring_store
from app_server.auth.stores.store import LOCK_TIMEOUT
from app_server.auth.token_endpoint import REFRESH_TIMEOUT
from app_server.backend.event_stream import MAX_EVENT_BYTES
from app_server.backend.retry_after import MAX_RETRY_AFTER
from app_server.backend.routing import LOOKUP_TIMEOUT
from app_server.client.connection import MAX_ASKED
from app_server.client.feed import MAX_UNREAD
from app_server.config import Settings
from app_server.config.settings import ModelProvider
from app_server.lanes import CALL_OVERHEAD, Lane
from app_server.outgoing import HIGH_WATER
from app_server.threads import tool_arguments
from app_server.threads.additional_context import MAX_ENTRY_BYTES
from app_server.threads.descriptors import PER_THREAD
from app_server.threads.input_queue import MAX_WAITING_INPUTS
from app_server.threads.inputs import MAX_SKILL_BYTES
from app_server.threads.paging import DEFAULT_SIZE, MAX_SIZE
from app_server.threads.tool_calls import AT_ONCE
from app_server.threads.tool_output import MAX_OUTPUT_BYTES
from app_server.threads.turn import MAX_REQUESTS
from protocol.errors import MAX_INPUT_CHARACTERS
from protocol.json_codec import MAX_DEPTH
from tests.support.documents import ROOT, read, rows, section, spans

ARCHITECTURE: Final = read("ARCHITECTURE.md")
TOLD: Final = {row[0]: row[1] for row in rows(section(ARCHITECTURE, "Bounds"))}
IDLE: Final = ModelProvider("any").stream_idle_timeout_ms // 60_000
UPSTREAM: Final = Settings(Path("/")).upstream_timeout

BOUNDS: Final = {
    "requests admitted and not answered": f"each counted as its line + {CALL_OVERHEAD // 1024} KiB",
    "account requests that wait for an upstream": f"{Lane.DEFERRED}",
    "bytes that wait to be written": f"{HIGH_WATER // 1024} KiB",
    "nesting of JSON": f"{MAX_DEPTH} levels are kept",
    "questions to the parent left open for a late answer": f"{MAX_LATE}, for {LATE_ANSWER:g} s",
    "one exchange with an upstream": f"{UPSTREAM:g} s (`upstream_timeout`); routing lookup {LOOKUP_TIMEOUT:g} s; "
    f"refresh {REFRESH_TIMEOUT:g} s; revocation {REVOKE_TIMEOUT:g} s",
    "a turn: requests to the model": f"{MAX_REQUESTS:,}",
    "input that waits for a running turn": f"{MAX_WAITING_INPUTS} messages",
    "the text of one input": f"{MAX_INPUT_CHARACTERS:,} characters",
    "an image file; a skill's file": f"; {MAX_SKILL_BYTES // 1024} KiB",
    "an event of a stream": f"{MAX_EVENT_BYTES // 2**20} MiB",
    "silence of a stream, before its headers too": f"{IDLE} min (`stream_idle_timeout_ms`)",
    "a pause that an upstream asks for (`Retry-After`)": f"{MAX_RETRY_AFTER / 60:g} min",
    "a call of the parent's tools; a question to its user": f"{AT_ONCE} calls at once",
    "one entry of `additionalContext`": f"{MAX_ENTRY_BYTES:,} bytes",
    "a tool's output for the model": f"{MAX_OUTPUT_BYTES:,} bytes",
    "nesting of a tool call's arguments": f"{tool_arguments.MAX_DEPTH} levels",
    "what the Python client has not been asked for: notifications; requests of the server": (
        f"{MAX_UNREAD:,}; {MAX_ASKED} at once"
    ),
    "deltas that the client has not read": f"{HIGH_WATER // 1024} KiB",
    "threads that are loaded": f"{ {2: 'two'}[PER_THREAD] } descriptors each",
    "a page": f"{MAX_SIZE} entries; {DEFAULT_SIZE} if nobody says",
    "a browser login": f"{browser.LOGIN_TIMEOUT / 60:g} min; {LIMITS.connections} connections, "
    f"{LIMITS.header_bytes // 1024} KiB of headers, {LIMITS.request_seconds:g} s a request on its callback",
    "a device login": f"{device_code.LOGIN_TIMEOUT / 60:g} min",
    "waiting for another process's lock": f"{LOCK_TIMEOUT:g} s; {REFRESH_TIMEOUT + SAVING:g} s for a refresh",
    "the keyring": f"{keyring_store.TIMEOUT:g} s a call",
}


@pytest.mark.parametrize("what", BOUNDS)
def test_a_bound_is_what_is_said_of_it(what: str) -> None:
    assert BOUNDS[what] in TOLD[what]


def test_no_other_bound_is_without_a_setting() -> None:
    others = TOLD.keys() - BOUNDS.keys()
    assert [what for what in sorted(others) if not set(spans(TOLD[what])) & set(Settings._fields)] == []


def test_the_modules_that_are_named_exist() -> None:
    named = 0
    for span in spans(ARCHITECTURE):
        path = span.partition(".")[0] if re.fullmatch(r"\w+/\w+\.[A-Z_]+", span) else span
        if not re.fullmatch(r"(?!(?:account|turn|server)/)[\w./-]+/[\w.-]*", path):
            continue
        named += 1
        places = [ROOT / folder / name for folder in (".", "app_server", "tests") for name in (path, f"{path}.py")]
        assert any(place.exists() for place in places), span
    assert named > 40
