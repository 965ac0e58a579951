"""How a secret is shown to whom it belongs: enough to tell one from another, and of no use to anybody else."""

from typing import Final

from pydantic import SecretStr

_PREFIXES: Final = ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-", "at-", "eyJ")
_TAIL: Final = 4
_LONG_ENOUGH: Final = 24
"""Characters beside the prefix, of which a tail gives nothing away."""


def masked(secret: SecretStr) -> str:
    """The kind of the secret by its prefix, and its last characters where it is long enough: ``sk-proj-…3kQz``."""
    text = secret.get_secret_value()
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), "")
    tail = text[-_TAIL:] if len(text) - len(prefix) >= _LONG_ENOUGH else ""
    return f"{prefix}…{tail}"
