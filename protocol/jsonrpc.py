"""The JSON-RPC envelope without I/O: one line in, one message out, and the other way round.

The dialect is the reference's (wire.md section 2): no ``jsonrpc`` member, one JSON object a line, ids are strings
or integers, and every notification of the server carries ``emittedAtMs`` beside ``params``. What a method's params
mean is not known here; see ``method.py``. The repr of a message leaves out what it carries, which can be a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from protocol.errors import InvalidRequest, ParseError, WireError
from protocol.json_codec import dumps, loads

RequestId = str | int

ABSENT: Final = object()
"""Stands for ``params`` that were not sent, which differs from params that are null."""

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Request:
    """A request that expects exactly one answer.

    :param trace: W3C trace context, as it was sent: whatever it holds, it is no reason to refuse a request.
    """

    id: RequestId
    method: str
    params: Any = field(default=ABSENT, repr=False)
    trace: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Notification:
    """A message that expects no answer."""

    method: str
    params: Any = field(default=ABSENT, repr=False)


@dataclass(slots=True)
class ErrorObject:
    """The error with which the peer answered a request of ours (JSON-RPC 2.0 section 5.1)."""

    code: int
    message: str
    data: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Response:
    """The peer's answer to a request of ours: a result, or an error. An id that no request of ours can
    have had (null, a fraction) is kept as it came; nobody waits for it."""

    id: Any
    result: Any = field(default=None, repr=False)
    error: ErrorObject | None = None


Message = Request | Notification | Response


class MalformedRequest(InvalidRequest):
    """An object with a usable id that is no request all the same; the answer can carry that id."""

    def __init__(self, message: str, request_id: RequestId) -> None:
        super().__init__(message)
        self.request_id = request_id


def decode(line: bytes) -> Message:
    """Decode one line.

    :raises ParseError: the line is not JSON or not UTF-8.
    :raises MalformedRequest: the line has a usable id, but no method that could be called.
    :raises InvalidRequest: the line is JSON, but no message: a batch, a scalar, a bad id.
    """
    value = _parse(line)
    if not isinstance(value, dict):
        raise InvalidRequest(f"Invalid request: {_not_an_object(value)}")
    if "method" in value:
        return _decode_call(value)
    if "id" in value and ("result" in value or "error" in value):
        return _decode_response(value)
    raise InvalidRequest("Invalid request: an object with neither a method nor a result or an error")


def _parse(line: bytes) -> Any:
    try:
        return loads(line.removeprefix(_BOM))
    except ValueError:
        pass
    # Raised out here, so that the decoder's error is not chained: it holds the line, and the line can hold a secret.
    raise ParseError("Parse error: the line is not valid JSON in UTF-8")


def _decode_call(value: dict[str, Any]) -> Request | Notification:
    method = value["method"]
    params = value.get("params", ABSENT)
    if "id" not in value:
        if not isinstance(method, str):
            raise InvalidRequest("Invalid request: the method must be a string")
        return Notification(method, params)
    request_id = value["id"]
    if not is_request_id(request_id):
        raise InvalidRequest("Invalid request: the id must be a string or an integer")
    if not isinstance(method, str):
        raise MalformedRequest("Invalid request: the method must be a string", request_id)
    return Request(request_id, method, params, value.get("trace"))


def _decode_response(value: dict[str, Any]) -> Response:
    error = value.get("error")
    if error is None:
        return Response(value["id"], value.get("result"))
    if isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
        if isinstance(code, int) and isinstance(message, str):
            return Response(value["id"], error=ErrorObject(code, message, error.get("data")))
    return Response(value["id"], error=ErrorObject(InvalidRequest.code, "malformed error object", error))


def is_request_id(value: object) -> bool:
    """Whether an id can be answered: a string or an integer (``true`` is neither)."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def encode_result(request_id: RequestId, result: bytes) -> bytes:
    """One line: the answer to ``request_id``; ``result`` is JSON."""
    return _line(b'{"id":%b,"result":%b}' % (_encode_id(request_id), result))


def encode_error(request_id: RequestId | None, error: WireError) -> bytes:
    """One line: an error; ``request_id`` is None where the request's id is unknown."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return _line(b'{"error":%b,"id":%b}' % (dumps(body), _encode_id(request_id)))


def encode_notification(method: str, params: bytes, emitted_at_ms: int) -> bytes:
    """One line: a notification; ``params`` is JSON, ``emitted_at_ms`` Unix time in milliseconds."""
    return _line(b'{"method":"%b","params":%b,"emittedAtMs":%d}' % (method.encode(), params, emitted_at_ms))


def encode_request(request_id: int, method: str, params: bytes, trace: Mapping[str, str] | None = None) -> bytes:
    """One line: a request; ``params`` is JSON, ``trace`` the W3C trace context of a client's."""
    more = b',"trace":%b' % dumps(dict(trace)) if trace else b""
    return _line(b'{"method":"%b","id":%d,"params":%b%b}' % (method.encode(), request_id, params, more))


def _line(message: bytes) -> bytes:
    """A message as a line to everybody: Node's ``readline`` ends one at U+2028 and U+2029 too, which JSON allows in
    strings as they are."""
    if b"\xe2\x80" in message:
        message = message.replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")
    return message + b"\n"


def _encode_id(request_id: RequestId | None) -> bytes:
    if isinstance(request_id, int):
        return b"%d" % request_id
    return b"null" if request_id is None else dumps(request_id)


def _not_an_object(value: object) -> str:
    return "batches are not supported" if isinstance(value, list) else "a message must be a JSON object"
