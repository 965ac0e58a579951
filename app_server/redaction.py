"""Masking secrets in text that people get to read: log records, tracebacks, messages of upstreams.

This is the second line of defence; the first is that secrets are ``SecretStr`` and are not put into text at all. It
masks too much rather than too little. What is logged, and where to, stands in ``logs``.

Every expression takes time linear in the text, whatever the text: what repeats is possessive (``++``), and a scan that
failed cannot begin again within the same word, because each begins with a boundary.
"""

import functools
import logging
import re
from typing import Final

MASK: Final = "<redacted>"

# Where a secret can begin: not within a word, unless what looks like one is an escape (``\n``, ``%22``, ``\u0022``).
_BOUNDARY: Final = (
    r"(?:(?<![A-Za-z0-9_-])|(?<=\\[abfnrtv])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
)

# The last word of names such as accessToken, refresh_token, client_secret, OPENAI_API_KEY.
_SENSITIVE: Final = (
    r"[A-Za-z0-9_-]{0,40}?(?:token|secret|password|passwd|verifier|api_?key|authorization_code|device_code|user_code"
    r"|device_auth_id)"
)
_EQUALS: Final = r"(?:=|%3D)(?:b(?=[\"']))?+\\*+[\"']?+"
_VALUE: Final = r"[^\s&\"'<>#;,(){}\[\]\\]++"

_EXPRESSIONS: Final = (
    # Members of JSON and of Python's repr of a dict; the third is JSON within a string of JSON.
    r"(?is)(\"(?:" + _SENSITIVE + r"|authorization)\"\s*+:\s*+\")(?:[^\"\\]++|\\.)*+()",
    r"(?is)('(?:" + _SENSITIVE + r"|authorization)'\s*+:\s*+b?')(?:[^'\\]++|\\.)*+()",
    r"(?i)((?<!\\)\\++\"(?:"
    + _SENSITIVE
    + r"|authorization)\\++\"\s*+:\s*+\\++\")[^\"\\]*+(?:\\++(?!\")[^\"\\]*+)*+()",
    # The user and password in a URL, which is where proxies have theirs.
    r"(://)[^\s/@?#\"'<>]++(@)",
    # The header, and what goes into it.
    r"(?i)(" + _BOUNDARY + r"Bearer(?:\s|%20|\+)++)" + _VALUE + "()",
    r"(?i)("
    + _BOUNDARY
    + r"authorization[\"']?+\s*+[:=]\s*+(?:b(?=[\"']))?+[\"']?+(?:Basic|Bearer)\s++)"
    + _VALUE
    + "()",
    # Parameters of URLs and forms, percent-encoded too, and of Python's repr of a call.
    r"(?i)(" + _BOUNDARY + _SENSITIVE + _EQUALS + ")" + _VALUE + "()",
    # A short number is an error's code and nobody's secret.
    r"(?i)(" + _BOUNDARY + r"(?:code|state)" + _EQUALS + r")(?!-?\d{1,6}(?![\w-]))" + _VALUE + "()",
    # What is a secret by its own looks: JSON Web Tokens, API keys, personal access tokens, refresh tokens.
    r"(" + _BOUNDARY + r")eyJ[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)++()",
    r"(" + _BOUNDARY + r"(?:sk-|at-|rt_))[A-Za-z0-9_.-]{6,}+()",
)


def redact(text: str) -> str:
    """The text with whatever looks like a credential masked; never raises.

    Masked are JSON Web Tokens, ``sk-…`` and ``at-…`` keys, what follows ``Bearer``, passwords in URLs, and the values
    of parameters and of JSON members whose names say that they hold a secret.
    """
    try:
        for expression in _compiled():
            text = expression.sub(rf"\g<1>{MASK}\g<2>", text)
    except Exception:
        # An unmasked text must not get through, whatever went wrong.
        return MASK
    return text


@functools.cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    # On first use: a server that has nothing to log should not pay 10 ms for this when it starts.
    return tuple(map(re.compile, _EXPRESSIONS))


class RedactingFormatter(logging.Formatter):
    """Formats records as its base does and masks the result, exceptions and stack included.

    A record that cannot be formatted is named and not raised for: ``logging`` would print its arguments unmasked.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text without secrets; never raises."""
        try:
            return redact(super().format(record))
        except Exception as error:
            where = f"{record.filename}:{record.lineno}"
            return f"{record.levelname} {record.name}: a record of {where} has no text ({type(error).__name__})"
