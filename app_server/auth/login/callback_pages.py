"""What the browser is shown at the end of a login: the pages, and the headers that every answer carries.

One file each, no script, no font, no picture from anywhere. Whatever is not written here is escaped. Which page is due
when is ``browser``'s business; routes and their guards are in ``callback_server``.
"""

import base64
import hashlib
from html import escape
from typing import Final, Literal
from urllib.parse import urlencode

from app_server.auth.errors import LoginFailed
from app_server.http_server import Response

Brand = Literal["codex", "chatgpt"]

_HOSTED_SUCCESS: Final = "https://chatgpt.com/codex/open-app"

_STYLE: Final = """
:root { color-scheme: light dark; --page: #f3f3f1; --card: #ffffff; --text: #1b1b1a; --soft: #5a5a57; --line: #dededa;
  --good: #0a7a45; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #151515; --card: #212120; --text: #f2f2f0; --soft: #b4b4af;
  --line: #3b3b39; --good: #5fd39a; --bad: #ff9a90; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 2.5rem 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 1rem; overflow-wrap: anywhere; }
svg { display: block; margin-bottom: 1.25rem; }
.good svg { color: var(--good); }
.bad svg { color: var(--bad); }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 .75rem; }
p:last-child { margin-bottom: 0; }
.soft, dt { color: var(--soft); }
dl { margin: 1.5rem 0; padding: 1rem 0; border: solid var(--line); border-width: 1px 0; font-size: .9375rem; }
dd { margin: 0 0 .5rem; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
dd:last-child { margin-bottom: 0; }
"""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main class="{mood}">
<svg width="48" height="48" viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="3"
 stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"><circle cx="24" cy="24" r="21"/>
<path d="{symbol}"/></svg>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""

_CHECK: Final = "M15 25l6.5 6.5L34 18"
_CROSS: Final = "M17 17l14 14M31 17L17 31"

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = (
    ("content-security-policy", _POLICY),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("connection", "close"),
)


def text_answer(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """A plain text answer, guarded like a page."""
    return Response.text(status, text, *_HEADERS, *headers)


def success_answer(hosted: Brand | None) -> Response:
    """The login is complete.

    :param hosted: show the success page of ChatGPT under this brand instead of our own.
    """
    if hosted is not None:
        query = urlencode({"source": "login", "app_brand": hosted})
        return text_answer(302, "You are signed in.", ("location", f"{_HOSTED_SUCCESS}?{query}"))
    return _page(
        "You are signed in",
        "good",
        '<p>Your sign-in is complete.</p>\n<p class="soft">You can close this page and return to the application.</p>',
    )


def failure_answer(failure: LoginFailed, reason: str) -> Response:
    """The login has ended without credentials. Status 200, as browsers may replace the pages of errors.

    :param reason: what to tell the person.
    """
    rows = [("Error code", failure.code), ("Details", failure.details)]
    listed = "".join(f"<dt>{name}</dt>\n<dd>{escape(value)}</dd>\n" for name, value in rows if value)
    return _page(
        failure.headline or "Sign-in could not be completed",
        "bad",
        f"<p>{escape(reason)}</p>\n"
        + (f"<dl>\n{listed}</dl>\n" if listed else "")
        + '<p class="soft">Return to the application and try again. If access is restricted, switch accounts or ask '
        "the administrator of your workspace.</p>",
    )


def _page(title: str, mood: Literal["good", "bad"], content: str) -> Response:
    html = _PAGE.format(
        title=escape(title), style=_STYLE, mood=mood, symbol=_CHECK if mood == "good" else _CROSS, content=content
    )
    return Response(200, (("content-type", "text/html; charset=utf-8"), *_HEADERS), html.encode())
