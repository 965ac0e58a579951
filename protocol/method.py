"""What a method is: declared once, and everything else follows from the declaration.

A declaration names a method and its types, and says where it may run. Decoding, dispatch (``app_server.router``),
JSON Schema and TypeScript (``protocol.export``) read it. The declarations themselves stand at the bottom of
``account.py``, ``lifecycle.py`` and their like; ``catalogue.py`` gathers them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from protocol.base import WireModel, WireUnion, WireValue
from protocol.errors import InvalidRequest, WireError
from protocol.jsonrpc import ABSENT
from protocol.serde_text import describe, invalid_type, missing_field

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)


class Scope(Enum):
    """Which requests wait for each other (wire.md section 2, "Ordering")."""

    HANDSHAKE = "handshake"
    """Carried out while reading, before the next line is looked at."""

    ACCOUNT = "account"
    """One first-in, first-out queue for everything that reads or changes who is logged in."""

    CONCURRENT = "concurrent"
    """Runs beside everything else and may overtake."""


class Empty(WireModel):
    """No params, or a result without members."""


class ParamsPresence(Enum):
    """Whether a request may leave its params out."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    """Absent or null means a value of defaults."""
    UNIT = "unit"
    """The method has no params: absent, null or ``{}``."""


@dataclass(frozen=True, slots=True)
class ClientRequest(Generic[P, R]):
    """A request that the client sends and the server answers."""

    method: str
    params: type[P]
    result: type[R]
    presence: ParamsPresence = ParamsPresence.REQUIRED
    scope: Scope = Scope.CONCURRENT
    errors: tuple[type[WireError], ...] = ()
    experimental: bool = False

    def decode(self, params: Any) -> P:
        """Decode the params of a request.

        :raises InvalidRequest: with the reference's text (wire.md section 2).
        """
        if params is ABSENT or params is None:
            if self.presence is ParamsPresence.REQUIRED:
                raise InvalidRequest(f"Invalid request: {missing_field('params')}")
            params = {}
        elif self.presence is ParamsPresence.UNIT and params != {}:
            raise InvalidRequest(f"Invalid request: {invalid_type(params, 'unit')}")
        elif params == []:
            # serde reads an empty sequence as a struct whose members are all absent.
            params = {}
        return decode(self.params, params)

    def experimental_use(self, params: P) -> str | None:
        """What of this request needs the ``experimentalApi`` capability: ``<method>[.<field or variant>]``."""
        if self.experimental:
            return self.method
        value = params.root if isinstance(params, WireUnion) else params
        if value.experimental_variant:
            return f"{self.method}.{value.experimental_variant}"
        for name in value.experimental_fields & value.model_fields_set:
            if getattr(value, name) is not None:
                return f"{self.method}.{type(value).model_fields[name].alias}"
        return None


@dataclass(frozen=True, slots=True)
class ServerRequest(Generic[P, R]):
    """A request that the server sends and the client answers."""

    method: str
    params: type[P]
    result: type[R]
    experimental: bool = False


@dataclass(frozen=True, slots=True)
class ServerNotification(Generic[P]):
    """A notification that the server sends."""

    method: str
    params: type[P]
    experimental: bool = False


@dataclass(frozen=True, slots=True)
class ClientNotification:
    """A notification that the client sends; none of this surface has params."""

    method: str


def decode(model: type[P], value: Any, *, quote: bool = True) -> P:
    """Decode a JSON value into a wire model.

    :param quote: whether the error may repeat strings and numbers of the value; false where they can be secrets
        that whoever sees the error does not know.
    :raises InvalidRequest: with the reference's text.
    """
    try:
        decoded: P = model.model_validate(value, by_alias=True, by_name=False)  # type: ignore[assignment] # each of the bound's classes returns itself
    except ValidationError as error:
        # The pydantic error is not chained: its repr quotes what was sent, and that can be a secret.
        text = describe(error, value, model, quote=quote)
    else:
        return decoded
    raise InvalidRequest(f"Invalid request: {text}")
