"""The shapes of the JSON-RPC envelope, which ``protocol/jsonrpc.py`` reads and writes without models.

Names and members are the reference's (wire.md section 2). One difference: an error has the id null when the
request's id could not be read, where the reference does not answer at all.
"""

from typing import Final

from protocol.export.shapes import Anything, Member, NamedType, Nullable, OneOf, Reference, Scalar, Struct

MODULE: Final = "jsonrpc"

_INT64: Final = Scalar({"type": "integer", "format": "int64"})
_STRING: Final = Scalar({"type": "string"})
ID: Final = Member("id", Reference("RequestId"))
_METHOD: Final = Member("method", _STRING)
_PARAMS: Final = Member("params", Anything(), required=False)

ENVELOPE: Final = (
    NamedType(
        "RequestId",
        MODULE,
        OneOf((_STRING, _INT64)),
        "Chosen by the sender of a request, repeated in its answer with the type preserved.",
    ),
    NamedType(
        "W3cTraceContext",
        MODULE,
        Struct(
            (
                Member("traceparent", Nullable(_STRING), required=False),
                Member("tracestate", Nullable(_STRING), required=False),
            )
        ),
        "A W3C trace context.",
    ),
    NamedType(
        "JSONRPCRequest",
        MODULE,
        Struct(
            (
                ID,
                _METHOD,
                _PARAMS,
                Member(
                    "trace",
                    Nullable(Reference("W3cTraceContext")),
                    required=False,
                    description="For distributed tracing: upstreams are told.",
                ),
            )
        ),
        "A message that expects exactly one answer.",
    ),
    NamedType("JSONRPCNotification", MODULE, Struct((_METHOD, _PARAMS)), "A message that expects no answer."),
    NamedType("JSONRPCResponse", MODULE, Struct((ID, Member("result", Anything()))), "The answer to a request."),
    NamedType(
        "JSONRPCErrorError",
        MODULE,
        Struct(
            (
                Member("code", _INT64),
                Member("message", _STRING),
                Member("data", Anything(), required=False, description="Machine-readable details."),
            )
        ),
        "What went wrong.",
    ),
    NamedType(
        "JSONRPCError",
        MODULE,
        Struct(
            (
                Member(
                    "id", Nullable(Reference("RequestId")), description="Null when the request's id could not be read."
                ),
                Member("error", Reference("JSONRPCErrorError")),
            )
        ),
        "The answer to a request that could not be carried out.",
    ),
    NamedType(
        "JSONRPCMessage",
        MODULE,
        OneOf(tuple(Reference(f"JSONRPC{kind}") for kind in ("Request", "Notification", "Response", "Error"))),
        "One line of the wire.",
    ),
)
