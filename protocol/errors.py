"""What can go wrong on the wire, as one tree whose branches say whose fault it is.

    WireError                     anything that becomes ``{"error": {"code", "message", "data"?}}``
    ├── ParseError        -32700  the line is not JSON, or not UTF-8: the peer's fault, its id is unknown
    ├── InvalidRequest    -32600  the request, or the state it meets: the peer's fault
    │   ├── NotInitialized
    │   ├── AlreadyInitialized
    │   └── ExperimentalApiRequired
    ├── InvalidParams     -32602  a filter of ``thread/list`` makes no sense: the peer's fault
    │   └── InputTooLarge         a turn's input is too long
    └── InternalError     -32603  ours, or an upstream's

The reference uses -32600 for unknown methods and bad params as well, never -32601, and -32602 for these few things only
(wire.md section 2).
Errors that a *client* answers to our requests are values (``jsonrpc.ErrorObject``), not exceptions of this tree.
"""

from typing import Any, ClassVar, Final

MAX_INPUT_CHARACTERS: Final = 1_048_576
"""How long the texts of one turn's input may be together."""


class WireError(Exception):
    """Base of every error that is answered as a JSON-RPC error object (JSON-RPC 2.0 section 5.1).

    :param message: what the client reads; never holds a secret.
    :param data: optional machine-readable details, any JSON value.
    """

    code: ClassVar[int]

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ParseError(WireError):
    """The line is not JSON, or not UTF-8."""

    code = -32700


class InvalidRequest(WireError):
    """The request cannot be carried out as it stands."""

    code = -32600


class NotInitialized(InvalidRequest):
    """A request came before ``initialize``."""

    def __init__(self) -> None:
        super().__init__("Not initialized")


class AlreadyInitialized(InvalidRequest):
    """``initialize`` came twice."""

    def __init__(self) -> None:
        super().__init__("Already initialized")


class ExperimentalApiRequired(InvalidRequest):
    """A method, field or variant was used that needs the ``experimentalApi`` capability.

    :param what: ``<method>`` or ``<method>.<field or variant>``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} requires experimentalApi capability")


class InvalidParams(WireError):
    """The params of a few requests make no sense, for which the reference has this code instead of -32600."""

    code = -32602


class InputTooLarge(InvalidParams):
    """The texts of a turn's input are too long.

    :param actual: their length in characters (Unicode code points), all texts together.
    :param limit: how long they may be.
    """

    def __init__(self, actual: int, limit: int = MAX_INPUT_CHARACTERS) -> None:
        super().__init__(
            f"Input exceeds the maximum length of {limit} characters.",
            {"input_error_code": "input_too_large", "max_chars": limit, "actual_chars": actual},
        )


class InternalError(WireError):
    """A fault of this server, or of an upstream it depends on."""

    code = -32603
