"""What the handshake settles about the client, for those who need to know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app_server.user_agent import originator, user_agent


@dataclass(slots=True)
class Session:
    """The client of this connection; one value for the connection and the handlers.

    :param identity: the headers with which the upstream is asked in the name of this client.
    """

    initialized: bool = False
    client_name: str = ""
    experimental_api: bool = False
    user_agent: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)

    def begin(self, client_name: str, client_version: str, *, experimental_api: bool) -> None:
        """The client has said who it is and what it can do."""
        self.client_name = client_name
        self.experimental_api = experimental_api
        self.user_agent = user_agent(client_name, client_version)
        self.identity = {"User-Agent": self.user_agent, "originator": originator(client_name)}
        self.initialized = True
