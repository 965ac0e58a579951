"""From a request to its handler, and from what a handler raises to the wire."""

import logging
from typing import Any

import pytest

from app_server.router import Call, Deferred, Handler, Reply, Router, as_wire_error, require_experimental_api
from protocol.account import ACCOUNT_READ, LOGIN_START, GetAccountParams
from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import (
    ExperimentalApiRequired,
    InternalError,
    InvalidRequest,
    NotInitialized,
    ParseError,
    WireError,
)
from protocol.jsonrpc import Request
from protocol.method import ClientRequest, Empty

SECRET = "sk-this-must-not-be-seen"


async def unused(_params: Any) -> Reply[Any]:
    raise NotImplementedError


def table(**replaced: Handler[Any, Any]) -> dict[ClientRequest[Any, Any], Handler[Any, Any]]:
    """A complete table, with some handlers replaced by method name."""
    return {declaration: replaced.get(declaration.method, unused) for declaration in CLIENT_REQUESTS}


# The table


def test_a_complete_table_is_accepted() -> None:
    Router(table())


@pytest.mark.parametrize("declaration", CLIENT_REQUESTS, ids=lambda declaration: declaration.method)
def test_a_declaration_without_a_handler_is_refused_by_name(declaration: ClientRequest[Any, Any]) -> None:
    handlers = table()
    del handlers[declaration]

    with pytest.raises(ValueError, match=declaration.method):
        Router(handlers)


def test_a_handler_of_what_is_not_in_the_catalogue_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="account/typo"):
        Router({**table(), ClientRequest("account/typo", Empty, Empty): unused})


def test_the_rest_of_the_table_is_made_once_when_it_is_first_asked_for() -> None:
    made = []

    def rest() -> dict[ClientRequest[Any, Any], Handler[Any, Any]]:
        made.append("rest")
        return {declaration: handler for declaration, handler in table().items() if declaration is not ACCOUNT_READ}

    router = Router({ACCOUNT_READ: unused}, rest)
    router.resolve(Request(1, "account/read", {}), 1)
    assert made == []

    router.resolve(Request(2, "account/logout"), 1)
    router.resolve(Request(3, "account/logout"), 1)
    assert made == ["rest"]


def test_a_rest_that_leaves_something_out_is_refused_when_it_is_made() -> None:
    router = Router({ACCOUNT_READ: unused}, dict)

    with pytest.raises(ValueError, match="account/logout"):
        router.complete()


def test_no_table_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="initialize"):
        Router({})


# Resolving


def test_a_request_is_resolved_to_its_declaration_and_its_decoded_params() -> None:
    call = Router(table()).resolve(Request("a", "account/read", {"refreshToken": True}), 77)

    assert call.declaration is ACCOUNT_READ
    assert call.params == GetAccountParams(refresh_token=True)
    assert (call.id, call.size) == ("a", 77)


@pytest.mark.parametrize(
    "method", ["nope", "", "Initialize", "initialize ", "account", "b`q", "\ud800", "é", "initialized"]
)
def test_an_unknown_method_is_answered_with_all_that_there_are(method: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Router(table()).resolve(Request(1, method), 1)

    names = ", ".join(f"`{declaration.method}`" for declaration in CLIENT_REQUESTS)
    assert refusal.value.message == f"Invalid request: unknown variant `{method}`, expected one of {names}"


def test_bad_params_are_answered_in_the_words_of_the_reference() -> None:
    with pytest.raises(InvalidRequest, match=r"^Invalid request: missing field `loginId`$"):
        Router(table()).resolve(Request(1, "account/login/cancel", {}), 1)


async def test_a_call_is_carried_out_by_the_handler_of_its_method_with_its_params() -> None:
    seen: list[Any] = []

    async def read(params: Any) -> Reply[Any]:
        seen.append(params)
        return Reply(Empty())

    router = Router(table(**{"account/read": read}))
    outcome = await router.carry_out(router.resolve(Request(1, "account/read", {}), 1))

    assert isinstance(outcome, Reply)
    assert outcome.result == Empty()
    outcome.then()
    assert seen == [GetAccountParams()]


async def test_a_handler_may_defer_its_answer() -> None:
    async def later() -> Reply[Any]:
        return Reply(Empty())

    async def read(_params: Any) -> Deferred[Any]:
        return Deferred(later)

    router = Router(table(**{"account/read": read}))
    outcome = await router.carry_out(router.resolve(Request(1, "account/read", {}), 1))

    assert isinstance(outcome, Deferred)
    assert (await outcome.finish()).result == Empty()


async def test_what_a_handler_raises_is_raised() -> None:
    async def read(_params: Any) -> Reply[Any]:
        raise LookupError("x")

    router = Router(table(**{"account/read": read}))
    with pytest.raises(LookupError):
        await router.carry_out(router.resolve(Request(1, "account/read", {}), 1))


def test_two_calls_of_equal_content_are_two_calls() -> None:
    router = Router(table())
    calls = {router.resolve(Request(1, "account/read", {}), 1) for _ in range(3)}

    assert len(calls) == 3


def test_a_call_does_not_show_the_secrets_it_carries() -> None:
    call = Router(table()).resolve(Request(1, "account/login/start", {"type": "apiKey", "apiKey": SECRET}), 1)

    assert SECRET not in f"{call!r} {call}"


# Experimental


def resolved(params: Any) -> Call:
    return Router(table()).resolve(Request(1, LOGIN_START.method, params), 1)


def test_what_is_experimental_needs_the_capability() -> None:
    call = resolved({"type": "chatgptAuthTokens", "accessToken": "a", "chatgptAccountId": "c"})

    with pytest.raises(ExperimentalApiRequired) as refusal:
        require_experimental_api(call, capability=False)
    assert refusal.value.code == -32600
    assert refusal.value.message == "account/login/start.chatgptAuthTokens requires experimentalApi capability"
    require_experimental_api(call, capability=True)


@pytest.mark.parametrize("capability", [True, False])
def test_what_is_not_experimental_needs_none(capability: bool) -> None:
    require_experimental_api(resolved({"type": "apiKey", "apiKey": "k"}), capability)


# From exceptions to the wire


@pytest.mark.parametrize(
    "error", [ParseError("p"), InvalidRequest("i"), NotInitialized(), InternalError("x", {"reason": "r"})]
)
def test_an_error_of_the_wire_is_told_as_it_is(error: WireError, caplog: pytest.LogCaptureFixture) -> None:
    assert as_wire_error(error) is error
    assert not caplog.records


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), KeyError(SECRET), OSError(5, SECRET), ExceptionGroup(SECRET, [InvalidRequest(SECRET)])],
)
def test_any_other_error_is_a_fault_of_ours_which_the_log_learns_and_the_client_does_not(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told = as_wire_error(error)

    assert type(told) is InternalError
    assert (told.code, told.message, told.data) == (-32603, "internal error", None)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert SECRET not in record.getMessage()
