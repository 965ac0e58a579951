"""What the handshake settles about the client, for those who need to know it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """The client of this connection; one value for the connection and the handlers."""

    initialized: bool = False
    client_name: str = ""
    client_version: str = ""
    experimental_api: bool = False
