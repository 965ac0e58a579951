"""What follows from a declaration: whether params may be left out, and what needs ``experimentalApi``."""

import contextlib
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from protocol.account import LOGIN_START
from protocol.base import WireModel, WireUnion, experimental_field
from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import InvalidRequest
from protocol.jsonrpc import ABSENT
from protocol.method import ClientRequest, Empty, ParamsPresence, decode


class Options(WireModel):
    """Params of the test's own."""

    name: str = "none"
    trial: str | None = experimental_field()
    trial_flag: bool = experimental_field(default=False)


class PlainVariant(WireModel):
    """A variant that everybody may use."""

    type: Literal["plain"] = Field()
    trial: int | None = experimental_field()


class TrialVariant(WireModel):
    """A variant that needs the capability."""

    experimental_variant = "trial"

    type: Literal["trial"] = Field()


class Choice(WireUnion[Annotated[PlainVariant | TrialVariant, Field(discriminator="type")]]):
    """Either."""


def declared(presence: ParamsPresence, *, experimental: bool = False) -> ClientRequest[Options, Empty]:
    return ClientRequest("test/method", Options, Empty, presence=presence, experimental=experimental)


CHOICE = ClientRequest("test/choose", Choice, Empty)


# Presence


@pytest.mark.parametrize("params", [ABSENT, None], ids=["absent", "null"])
def test_required_params_cannot_be_left_out(params: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        declared(ParamsPresence.REQUIRED).decode(params)

    assert refusal.value.message == "Invalid request: missing field `params`"


@pytest.mark.parametrize("params", [ABSENT, None, {}, []], ids=["absent", "null", "{}", "[]"])
def test_optional_params_that_are_left_out_are_defaults(params: Any) -> None:
    assert declared(ParamsPresence.OPTIONAL).decode(params) == Options()


@pytest.mark.parametrize("params", [{}, []], ids=["{}", "[]"])
def test_required_params_may_be_empty(params: Any) -> None:
    assert declared(ParamsPresence.REQUIRED).decode(params) == Options()


@pytest.mark.parametrize("params", [ABSENT, None, {}], ids=["absent", "null", "{}"])
def test_a_method_without_params_takes_none(params: Any) -> None:
    assert ClientRequest("m", Empty, Empty, presence=ParamsPresence.UNIT).decode(params) == Empty()


@pytest.mark.parametrize("params", [[], {"a": 1}, 0, 0.0, False, "", "x"])
def test_a_method_without_params_takes_nothing_else(params: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"expected unit$"):
        ClientRequest("m", Empty, Empty, presence=ParamsPresence.UNIT).decode(params)


@pytest.mark.parametrize("declaration", CLIENT_REQUESTS, ids=lambda declaration: declaration.method)
def test_no_method_takes_params_that_are_no_object(declaration: ClientRequest[Any, Any]) -> None:
    no_objects: list[Any] = [5, "s", True, 1.5, 2**70, [[]], ["x"]]
    for params in no_objects:
        with pytest.raises(InvalidRequest, match=r"^Invalid request: "):
            declaration.decode(params)


@pytest.mark.parametrize("declaration", CLIENT_REQUESTS, ids=lambda declaration: declaration.method)
@pytest.mark.parametrize("levels", [500, 1020])
def test_deeply_nested_params_are_decoded_or_refused_like_any_others(
    declaration: ClientRequest[Any, Any], levels: int
) -> None:
    deep: Any = []
    for _ in range(levels):
        deep = [deep]
    for params in (deep, {"zzz": deep}, {"type": "apiKey", "apiKey": deep}, {"clientInfo": deep}):
        with contextlib.suppress(InvalidRequest):
            assert isinstance(declaration.decode(params), declaration.params)


@pytest.mark.parametrize(
    "params",
    [
        {"type": "chatgptAuthTokens", "chatgptAuthTokens": 5},
        {"type": "chatgptAuthTokens", "chatgptAuthTokens": [], "accessToken": 5, "chatgptAccountId": 5},
        {"type": "apiKey", "apiKey": {"apiKey": 1}},
        {"type": "\ud800"},
        {"type": "chatgpt", "appBrand": "\ud800"},
        {"type": "chatgpt", "chatgpt": 1, "appBrand": 5},
    ],
)
def test_members_named_like_a_variant_or_like_nothing_confuse_nobody(params: Any) -> None:
    with pytest.raises(InvalidRequest):
        LOGIN_START.decode(params)


# Experimental


def test_plain_params_need_no_capability() -> None:
    assert declared(ParamsPresence.REQUIRED).experimental_use(Options(name="n")) is None


@pytest.mark.parametrize(
    ("params", "use"),
    [
        ({"trial": "x"}, "test/method.trial"),
        ({"trialFlag": True}, "test/method.trialFlag"),
        ({"trialFlag": False}, "test/method.trialFlag"),
        ({"trial": None}, None),
        ({}, None),
    ],
)
def test_an_experimental_field_counts_when_it_is_sent_and_not_null(params: Any, use: str | None) -> None:
    declaration = declared(ParamsPresence.REQUIRED)

    assert declaration.experimental_use(declaration.decode(params)) == use


def test_an_experimental_method_is_named_alone() -> None:
    declaration = declared(ParamsPresence.REQUIRED, experimental=True)

    assert declaration.experimental_use(Options(trial="x")) == "test/method"


@pytest.mark.parametrize(
    ("params", "use"),
    [
        ({"type": "plain"}, None),
        ({"type": "plain", "trial": 1}, "test/choose.trial"),
        ({"type": "trial"}, "test/choose.trial"),
    ],
)
def test_variants_and_their_fields_may_be_experimental(params: Any, use: str | None) -> None:
    assert CHOICE.experimental_use(CHOICE.decode(params)) == use


@pytest.mark.parametrize(
    ("params", "use"),
    [
        ({"type": "apiKey", "apiKey": "k"}, None),
        ({"type": "chatgpt"}, None),
        ({"type": "chatgptDeviceCode"}, None),
        (
            {"type": "chatgptAuthTokens", "accessToken": "a", "chatgptAccountId": "c"},
            "account/login/start.chatgptAuthTokens",
        ),
        ({"type": "chatgptAuthTokens", "accessToken": "a", "idToken": "i"}, "account/login/start.chatgptAuthTokens"),
    ],
)
def test_logging_in_with_the_clients_own_tokens_is_experimental(params: Any, use: str | None) -> None:
    assert LOGIN_START.experimental_use(LOGIN_START.decode(params)) == use


# The bare decoder


def test_the_decoder_can_be_told_not_to_repeat_what_was_sent() -> None:
    for value, text in (
        ("SECRET", "invalid type: string, expected struct Options"),
        ({"name": ["SECRET"]}, "invalid type: sequence, expected a string"),
        ({"trialFlag": "SECRET"}, "invalid type: string, expected a boolean"),
        ({"trialFlag": 12345}, "invalid type: integer, expected a boolean"),
        ({"trialFlag": 1.2345}, "invalid type: floating, expected a boolean"),
        (None, "invalid type: null, expected struct Options"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            decode(Options, value, quote=False)
        assert refusal.value.message == f"Invalid request: {text}"

    with pytest.raises(InvalidRequest) as refusal:
        decode(Choice, {"type": "SECRET"}, quote=False)
    assert refusal.value.message == "Invalid request: unknown variant `…`, expected `plain` or `trial`"
