"""Pages with counting cursors, as the reference has them."""

import pytest

from app_server.handlers.paging import page
from protocol.errors import InvalidRequest

NINE = range(9)


@pytest.mark.parametrize(
    ("cursor", "limit", "expected"),
    [
        (None, None, (list(NINE), None)),
        (None, 9, (list(NINE), None)),
        (None, 8, (list(range(8)), "8")),
        ("1", 2, ([1, 2], "3")),
        ("01", 2, ([1, 2], "3")),
        ("+1", 1, ([1], "2")),
        ("7", 2**32 - 1, ([7, 8], None)),
        ("0", 0, ([0], "1")),
        ("9", None, ([], None)),
    ],
)
def test_a_page_begins_at_the_cursor_and_says_where_the_next_one_does(
    cursor: str | None, limit: int | None, expected: tuple[list[int], str | None]
) -> None:
    assert page(NINE, cursor, limit, "models") == expected


@pytest.mark.parametrize(
    "cursor", ["x", "", " 1", "1 ", "-1", "1_0", "+", "++1", "1.0", "٣", "²", "9" * 23, "9" * 5000]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        page(NINE, cursor, None, "models")
    assert error.value.message == f"invalid cursor: {cursor}"


def test_a_cursor_beyond_the_end_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        page(NINE, "010", None, "models")
    assert error.value.message == "cursor 10 exceeds total models 9"
