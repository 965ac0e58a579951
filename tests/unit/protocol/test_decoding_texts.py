"""What is wrong with params is told in the reference's words, because clients match on them (wire.md section 2)."""

from typing import Any

import pytest

from protocol.account import AccountLoginCompletedNotification
from protocol.base import Int32, Int64, UInt, WireModel
from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import InvalidRequest
from protocol.json_codec import loads
from protocol.method import decode
from protocol.rate_limits import RateLimitResetCreditsSummary
from tests.unit.protocol import reference_texts


class Numbers(WireModel):
    """Integers as the reference has them; no request of this surface holds one yet."""

    small: Int32 = 0
    large: Int64 = 0
    unsigned: UInt = 0


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


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("small", 2**31, "invalid value: integer `2147483648`, expected i32"),
        ("small", -(2**31) - 1, "invalid value: integer `-2147483649`, expected i32"),
        ("large", 2**63, "invalid value: integer `9223372036854775808`, expected i64"),
        ("unsigned", 2**64, "invalid value: integer `18446744073709551616`, expected u64"),
        ("unsigned", -1, "invalid value: integer `-1`, expected u64"),
        ("large", 1.5, "invalid type: floating point `1.5`, expected i64"),
    ],
)
def test_integers_are_told_by_their_range(member: str, value: Any, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(Numbers, {member: value})

    assert refusal.value.message == f"Invalid request: {text}"


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
