"""The tests of ``tests/wire`` that are about this server alone, each with the reason; all others hold for both servers.

Where the two do something differently, that is declared in ``differences``, and seen by the tests of this folder. Here
stands which tests of ``tests/wire`` are touched by it, or by what this server alone has. ``selection`` reads it, and
``document`` writes the numbers down.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.conformance import wire_tests_of_accounts, wire_tests_of_conversations

NO_SERVER: Final[Mapping[str, str]] = {
    "cli/": "the command line",
    "observability/": "logs, spans, counters",
    "turn_load/": "what it costs",
    "test_argv.py": "the command line",
    "test_client": "the Python client",
    "test_cold_start.py": "how this server starts",
    "test_diagnose.py": "a method of this server's own",
    "test_docs.py": "the documents",
    "test_followed_turn.py": "the Python client",
    "test_in_process.py": "the Python client",
    "test_load.py": "what it costs",
    "test_readme": "the documents",
    "test_testing_plugin.py": "the plugin for pytest",
    "threads/test_reference.py": "both servers in one home; `make conformance` runs it as it is",
}
"""Files and folders that do not speak to just any server over pipes, and what they are about."""

LEFT_OUT: Final = (wire_tests_of_accounts.LEFT_OUT, wire_tests_of_conversations.LEFT_OUT)
"""Tests by reason and file; no names mean all tests of the file."""


def is_about_no_server(path: str) -> bool:
    """Whether a file or folder below ``tests/wire`` is one of those."""
    return f"{path}/".startswith(tuple(NO_SERVER)) or path.startswith(tuple(NO_SERVER))


def why_left_out(file: str, name: str) -> str | None:
    """Why a test is not for both servers; None if it is.

    :param file: below ``tests/wire``.
    :param name: of the test, with its parameters.
    """
    function = name.partition("[")[0]
    for reason, of_file, names in declared():
        if of_file == file and (not names or function in names):
            return reason
    return None


def declared() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Reason, file, and the names of the tests; none for the whole file."""
    for part in LEFT_OUT:
        for reason, files in part.items():
            yield from ((reason, file, names) for file, names in files.items())
