"""The tree of errors: codes, and texts that clients match on (wire.md section 2)."""

import pytest

from protocol.errors import (
    AlreadyInitialized,
    ExperimentalApiRequired,
    InputTooLarge,
    InternalError,
    InvalidRequest,
    NotInitialized,
    ParseError,
    WireError,
)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ParseError("p"), -32700, "p"),
        (InvalidRequest("i"), -32600, "i"),
        (NotInitialized(), -32600, "Not initialized"),
        (AlreadyInitialized(), -32600, "Already initialized"),
        (ExperimentalApiRequired("m.f"), -32600, "m.f requires experimentalApi capability"),
        (InternalError("x"), -32603, "x"),
    ],
)
def test_every_error_has_its_code_and_its_text(error: WireError, code: int, message: str) -> None:
    assert (error.code, error.message, error.data) == (code, message, None)
    assert str(error) == message


def test_the_branches_say_whose_fault_it_is() -> None:
    assert issubclass(NotInitialized, InvalidRequest)
    assert issubclass(AlreadyInitialized, InvalidRequest)
    assert issubclass(ExperimentalApiRequired, InvalidRequest)
    assert not issubclass(InternalError, InvalidRequest)
    assert not issubclass(ParseError, InvalidRequest)


def test_input_that_is_too_large_is_told_in_numbers() -> None:
    error = InputTooLarge(1_048_577)

    assert error.code == -32602
    assert error.message == "Input exceeds the maximum length of 1048576 characters."
    assert error.data == {"input_error_code": "input_too_large", "max_chars": 1048576, "actual_chars": 1048577}


def test_data_is_kept_beside_the_text_and_out_of_it() -> None:
    error = InternalError("m", {"reason": "port", "retryable": True})

    assert error.data == {"reason": "port", "retryable": True}
    assert "port" not in str(error)
    assert "port" not in repr(error)
