"""What is wrong with params is told in the reference's words, because clients match on them (wire.md section 2)."""

from typing import Any, Final

import pytest
from pydantic import ValidationError

from protocol.account import AccountLoginCompletedNotification
from protocol.base import Int32, Int64, UInt, UInt32, UInt64, WireModel
from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import InvalidRequest
from protocol.json_codec import loads
from protocol.method import ParamsPresence, decode
from protocol.rate_limits import RateLimitResetCreditsSummary
from protocol.serde_text import describe
from protocol.user_input import UserInput
from tests.unit.protocol import reference_texts, reference_texts_threads, reference_texts_turns


class Numbers(WireModel):
    """Integers as the reference has them."""

    small: Int32 = 0
    large: Int64 = 0
    limit: UInt32 = 0
    unsigned: UInt64 = 0
    size: UInt = 0


DECLARATIONS = {declaration.method: declaration for declaration in CLIENT_REQUESTS}


def told(method: str, params: str) -> str | None:
    """The message with which the params are refused, if they are."""
    try:
        DECLARATIONS[method].decode(loads(params.encode()))
    except InvalidRequest as refusal:
        return refusal.message
    return None


@pytest.mark.parametrize(("method", "params", "text"), reference_texts.ROWS)
def test_params_are_refused_in_the_words_of_the_reference(method: str, params: str, text: str | None) -> None:
    assert told(method, params) == (None if text is None else f"Invalid request: {text}")


def told_of(method: str, params: str) -> str | None:
    """What is wrong with the params, told with the types at hand, if anything is."""
    model, value = DECLARATIONS[method].params, loads(params.encode())
    try:
        model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        return describe(error, value, model)
    return None


CONVERSATIONS: Final = reference_texts_turns.ROWS + reference_texts_threads.ROWS


@pytest.mark.parametrize("method", sorted({method for method, _, _ in CONVERSATIONS}))
def test_the_words_are_those_of_the_reference_inside_of_unions_and_lists(method: str) -> None:
    expected = {params: text for about, params, text in CONVERSATIONS if about == method}
    assert {params: told_of(method, params) for params in expected} == expected
    assert [params for params, text in expected.items() if (told(method, params) is None) is not (text is None)] == []


@pytest.mark.parametrize(
    ("method", "params", "theirs", "ours"), reference_texts_turns.OTHERWISE + reference_texts_threads.OTHERWISE
)
def test_other_words_are_chosen_on_purpose(method: str, params: str, theirs: str | None, ours: str | None) -> None:
    assert told_of(method, params) == ours
    assert ours != theirs


@pytest.mark.parametrize("method", sorted(DECLARATIONS.keys() - {"account/logout", "account/rateLimits/read"}))
def test_params_that_are_no_object_are_told_by_the_name_of_their_type(method: str) -> None:
    name = DECLARATIONS[method].params.__name__
    kind = "internally tagged enum" if name == "LoginAccountParams" else "struct"
    if DECLARATIONS[method].presence is ParamsPresence.REQUIRED:
        assert told(method, "null") == "Invalid request: missing field `params`"
    assert told(method, "5") == f"Invalid request: invalid type: integer `5`, expected {kind} {name}"


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("small", 2**31, "invalid value: integer `2147483648`, expected i32"),
        ("small", -(2**31) - 1, "invalid value: integer `-2147483649`, expected i32"),
        ("large", 2**63, "invalid value: integer `9223372036854775808`, expected i64"),
        ("limit", 2**32, "invalid value: integer `4294967296`, expected u32"),
        ("limit", "5", 'invalid type: string "5", expected u32'),
        ("unsigned", 2**64, "invalid value: integer `18446744073709551616`, expected u64"),
        ("unsigned", -1, "invalid value: integer `-1`, expected u64"),
        ("size", -1, "invalid value: integer `-1`, expected usize"),
        ("large", 1.5, "invalid type: floating point `1.5`, expected i64"),
    ],
)
def test_integers_are_told_by_their_range(member: str, value: Any, text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Numbers.model_validate({member: value})

    assert describe(refusal.value, {member: value}, Numbers) == text


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ('{"type":"secret"}', "unknown variant `…`, expected one of `text`, `image`, `localImage`, `skill`, `mention`"),
        ('{"type":"text","text":5}', "invalid type: integer, expected a string"),
        (
            '{"type":"image","url":"u","detail":"secret"}',
            "unknown variant `…`, expected one of `auto`, `low`, `high`, `original`",
        ),
        (
            '{"type":"text","text":"a","text_elements":[{"byteRange":{"start":-1,"end":0}}]}',
            "invalid value: integer, expected usize",
        ),
        ('"secret"', "invalid type: string, expected internally tagged enum UserInput"),
    ],
)
def test_what_was_sent_is_not_repeated_where_it_may_be_secret(params: str, text: str) -> None:
    value = loads(params.encode())
    with pytest.raises(ValidationError) as refusal:
        UserInput.model_validate(value, by_alias=True, by_name=False)

    assert describe(refusal.value, value, UserInput, quote=False) == text


def test_the_first_fault_in_a_list_is_that_of_its_first_bad_member() -> None:
    good = {"id": "a", "resetType": "unknown", "status": "unknown", "grantedAt": 1}
    for sent, text in (
        ([{**good, "grantedAt": "x"}, {"id": 5}], 'invalid type: string "x", expected i64'),
        ([good, {"status": 5, "id": None}], "invalid type: integer `5`, expected string or map"),
        ([good, {"id": "b"}, 7], "missing field `resetType`"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            decode(RateLimitResetCreditsSummary, {"availableCount": 1, "credits": sent})
        assert refusal.value.message == f"Invalid request: {text}"


def test_a_single_option_is_named_alone() -> None:
    with pytest.raises(InvalidRequest, match=r"unknown variant `x`, expected `life_sciences`$"):
        decode(AccountLoginCompletedNotification, {"success": True, "onboardingEntrypoint": "x"})


def test_a_name_that_is_no_unicode_is_no_variant() -> None:
    assert told("account/login/start", '{"type":"chatgpt","appBrand":"\\ud800"}') == (
        "Invalid request: data did not match any variant of LoginAccountParams"
    )
