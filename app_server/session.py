"""What the handshake settles about the client, for those who need to know it."""

from collections.abc import Callable
from dataclasses import dataclass, field


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Session:
    """The client of this connection; one value for the connection and the handlers.

    :param closing: called once the client has closed its side, before the last answers are waited for.
    """

    initialized: bool = False
    client_name: str = ""
    client_version: str = ""
    experimental_api: bool = False
    closing: Callable[[], None] = field(default=_nothing)
