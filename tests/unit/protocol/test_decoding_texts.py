"""What is wrong with params is told in the reference's words, because clients match on them (wire.md section 2)."""

import pytest

from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import InvalidRequest
from protocol.json_codec import loads
from tests.unit.protocol import reference_texts

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
