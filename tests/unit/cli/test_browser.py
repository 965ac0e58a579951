"""Whether there is a browser to open."""

import pytest

from app_server.cli.browser import can_open


@pytest.mark.parametrize(
    ("environ", "platform"),
    [
        ({"BROWSER": "w3m"}, "linux"),
        ({"DISPLAY": ":0"}, "linux"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "freebsd14"),
        ({}, "darwin"),
        ({}, "win32"),
    ],
)
def test_a_browser_that_was_named_or_a_display_is_enough(environ: dict[str, str], platform: str) -> None:
    assert can_open(environ, platform)


@pytest.mark.parametrize("environ", [{}, {"BROWSER": ""}, {"DISPLAY": "", "TERM": "xterm"}])
def test_no_browser_is_started_within_the_terminal(environ: dict[str, str]) -> None:
    assert not can_open(environ, "linux")
