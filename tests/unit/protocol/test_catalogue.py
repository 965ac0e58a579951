"""The complete surface (wire.md section 2, "Ordering", and section 15)."""

import pytest

from protocol.catalogue import CLIENT_NOTIFICATIONS, CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS
from protocol.errors import WireError
from protocol.method import ParamsPresence, Scope

REFERENCE_ORDER = (
    "initialize",
    "server/diagnostics",
    "account/login/start",
    "account/login/cancel",
    "account/logout",
    "account/rateLimits/read",
    "account/read",
    "getAuthStatus",
)
"""As the reference lists them when it is asked for an unknown method (observed)."""

CONVERSATIONS = frozenset(
    {
        "collaborationMode/list",
        "config/read",
        "experimentalFeature/list",
        "mcpServerStatus/list",
        "model/list",
        "modelProvider/capabilities/read",
        "modelProvider/list",
        "permissionProfile/list",
        "skills/list",
        "thread/archive",
        "thread/compact/start",
        "thread/delete",
        "thread/fork",
        "thread/goal/get",
        "thread/inject_items",
        "thread/items/list",
        "thread/list",
        "thread/loaded/list",
        "thread/name/set",
        "thread/read",
        "thread/resume",
        "thread/start",
        "thread/turns/list",
        "thread/unarchive",
        "thread/unsubscribe",
        "turn/interrupt",
        "turn/start",
        "turn/steer",
    }
)
"""Those of threads and turns, and what clients look at beside them; all of them are the reference's."""

BY_NAME = {declaration.method: declaration for declaration in CLIENT_REQUESTS}


def test_methods_are_listed_in_the_order_of_the_reference() -> None:
    assert [method for method in BY_NAME if method in REFERENCE_ORDER] == list(REFERENCE_ORDER)


def test_all_methods_of_conversations_are_there() -> None:
    assert BY_NAME.keys() >= CONVERSATIONS


def test_what_the_reference_does_not_have_is_experimental() -> None:
    for method, declaration in BY_NAME.items():
        assert declaration.experimental or method in CONVERSATIONS.union(REFERENCE_ORDER), method


@pytest.mark.parametrize(
    "names",
    [
        [declaration.method for declaration in CLIENT_REQUESTS],
        [declaration.method for declaration in SERVER_REQUESTS],
        [declaration.method for declaration in SERVER_NOTIFICATIONS],
        [declaration.method for declaration in CLIENT_NOTIFICATIONS],
    ],
)
def test_every_name_is_declared_once(names: list[str]) -> None:
    assert names
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "method", ["account/login/start", "account/login/cancel", "account/logout", "account/read", "getAuthStatus"]
)
def test_account_methods_form_one_queue(method: str) -> None:
    assert BY_NAME[method].scope is Scope.ACCOUNT


def test_rate_limits_may_overtake_and_the_handshake_is_carried_out_while_reading() -> None:
    assert BY_NAME["account/rateLimits/read"].scope is Scope.CONCURRENT
    assert [method for method, declaration in BY_NAME.items() if declaration.scope is Scope.HANDSHAKE] == ["initialize"]


def test_only_logout_and_rate_limits_may_leave_their_params_out() -> None:
    assert BY_NAME["account/logout"].presence is ParamsPresence.UNIT
    assert BY_NAME["account/rateLimits/read"].presence is ParamsPresence.OPTIONAL
    for method in CONVERSATIONS.union(REFERENCE_ORDER) - {"account/logout", "account/rateLimits/read"}:
        assert BY_NAME[method].presence is ParamsPresence.REQUIRED


def test_the_client_is_asked_and_told_by_the_names_of_the_reference() -> None:
    assert {declaration.method for declaration in SERVER_REQUESTS} == {
        "account/chatgptAuthTokens/refresh",
        "item/tool/call",
        "item/tool/requestUserInput",
    }
    assert {declaration.method for declaration in SERVER_NOTIFICATIONS} >= {
        "account/updated",
        "account/rateLimits/updated",
        "account/login/completed",
        "configWarning",
    }
    assert [declaration.method for declaration in CLIENT_NOTIFICATIONS] == ["initialized"]


def test_the_errors_of_every_declaration_are_errors_of_the_wire() -> None:
    for declaration in CLIENT_REQUESTS:
        assert all(issubclass(error, WireError) for error in declaration.errors)


def test_every_notification_has_a_class_of_its_own_for_its_params() -> None:
    """The Python client's users tell notifications apart by it."""
    assert len({declaration.params for declaration in SERVER_NOTIFICATIONS}) == len(SERVER_NOTIFICATIONS)
