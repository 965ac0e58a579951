"""What a callback says, wherever it comes from."""

import pytest
from pydantic import SecretStr

from app_server.auth.errors import LoginFailed
from app_server.auth.login.callback_query import WrongState, authorization_code, missing_code

STATE = SecretStr("the-right-state")
RIGHT = ("state", "the-right-state")


def test_the_code_of_the_right_state_is_taken() -> None:
    code = authorization_code([("code", "ac_1"), RIGHT, ("scope", "openid")], STATE)
    assert code == SecretStr("ac_1")


@pytest.mark.parametrize(
    "query",
    [
        [],
        [("code", "c")],
        [("state", ""), ("code", "c")],
        [("state", "the-right-stat"), ("code", "c")],
        [("state", "the-right-state "), ("code", "c")],
        [("state", "wrong"), RIGHT, ("code", "c")],
        [("state", "wröng\ud800"), ("code", "c")],
        [("state", "wrong"), ("error", "access_denied")],
    ],
)
def test_any_other_state_counts_before_all_else(query: list[tuple[str, str]]) -> None:
    with pytest.raises(WrongState):
        authorization_code(query, STATE)


@pytest.mark.parametrize("query", [[RIGHT], [RIGHT, ("code", "")], [RIGHT, ("code", " ")]])
def test_a_callback_can_be_without_a_code(query: list[tuple[str, str]]) -> None:
    assert authorization_code(query, STATE) is None
    assert missing_code().message == ("Login server error: Missing authorization code. Sign-in could not be completed.")
    assert missing_code().code == "missing_authorization_code"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ([("error", "bad")], "bad"),
        ([("error", "bad"), ("error_description", "")], "bad"),
        ([("error", "bad"), ("error_description", " ")], "bad"),
        ([("error", "bad"), ("error_description", "what went <b>wrong</b>")], "what went <b>wrong</b>"),
        ([("error", "bad"), ("code", "c")], "bad"),
        ([("error", "")], ""),
        ([("error", "access_denied"), ("error_description", "no")], "no"),
        ([("error", "other"), ("error_description", "missing_codex_entitlement")], "missing_codex_entitlement"),
    ],
)
def test_an_error_wins_over_a_code_and_is_told_by_its_description(query: list[tuple[str, str]], text: str) -> None:
    with pytest.raises(LoginFailed) as failure:
        authorization_code([RIGHT, *query], STATE)
    assert failure.value.message == f"Login server error: Sign-in failed: {text}"
    assert failure.value.code == dict(query)["error"]


@pytest.mark.parametrize("word", ["missing_codex_entitlement", "Missing_Codex_ENTITLEMENT"])
def test_a_workspace_without_the_product_is_told_whom_to_ask(word: str) -> None:
    with pytest.raises(LoginFailed) as failure:
        authorization_code([RIGHT, ("error", "access_denied"), ("error_description", f"x {word}")], STATE)
    assert failure.value.message == (
        "Login server error: Codex is not enabled for your workspace. "
        "Contact your workspace administrator to request access to Codex."
    )
    assert failure.value.headline == "You do not have access to Codex"


def test_a_description_that_echoes_the_state_does_not_show_it() -> None:
    with pytest.raises(LoginFailed) as failure:
        authorization_code([RIGHT, ("error", "e"), ("error_description", f"for {STATE.get_secret_value()}")], STATE)
    assert STATE.get_secret_value() not in failure.value.message
