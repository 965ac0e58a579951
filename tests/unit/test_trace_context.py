"""W3C Trace Context: what is taken from a client, and what an upstream is told (the numbers are the recommendation's
sections)."""

from typing import Any

import pytest

from app_server.trace_context import MAX_MEMBERS, MAX_STATE, read

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "trace",
    [
        None,
        5,
        "x",
        [],
        {},
        {"tracestate": "a=b"},
        {"traceparent": None},
        {"traceparent": 5},
        *(
            {"traceparent": text}
            for text in (
                "",
                "junk",
                PARENT.upper(),
                f" {PARENT}",
                f"{PARENT}\n",
                f"{PARENT}-more",  # version 00 ends with the flags
                f"ff-{TRACE}-{SPAN}-01",
                f"01-{TRACE}-{SPAN}-01.more",
                f"01-{TRACE}-{SPAN}-01-\r\nx: y",
                f"00-{'0' * 32}-{SPAN}-01",
                f"00-{TRACE}-{'0' * 16}-01",
                f"00-{TRACE[:-1]}-{SPAN}-01",
                f"00-{TRACE}-{SPAN}-1",
                f"00-{TRACE}-{SPAN}-0g",
                f"00-{TRACE}-{SPAN}",
            )
        ),
    ],
)
def test_what_is_no_trace_context_is_none(trace: Any) -> None:
    assert read(trace) is None


@pytest.mark.parametrize(
    ("parent", "flags"),
    [
        (PARENT, "01"),
        (f"00-{TRACE}-{SPAN}-00", "00"),
        (f"00-{TRACE}-{SPAN}-ff", "03"),  # 3.2.2.5: flags that are not known are set to zero
        (f"01-{TRACE}-{SPAN}-01", "01"),  # 3.2.4: a later version is read as far as it is known
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", "01"),
    ],
)
def test_an_upstream_is_told_the_same_trace_and_another_span(parent: str, flags: str) -> None:
    trace = read({"traceparent": parent})
    assert trace is not None
    first, second = (trace.child_headers()["traceparent"] for _ in range(2))
    for told in (first, second):
        version, trace_id, span_id, told_flags = told.split("-")
        assert (version, trace_id, told_flags) == ("00", TRACE, flags)
        assert span_id != SPAN
        assert read({"traceparent": told}) is not None
    assert first != second


@pytest.mark.parametrize(
    "state",
    [
        "a=b",
        "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
        "tenant@vendor=x y",
        "a=b, c=d\t,,e=f",
        ",".join(f"k{number}=v" for number in range(MAX_MEMBERS)),
    ],
)
def test_a_conforming_state_is_handed_on_as_it_is(state: str) -> None:
    trace = read({"traceparent": PARENT, "tracestate": state})
    assert trace is not None
    assert trace.child_headers()["tracestate"] == state


@pytest.mark.parametrize(
    "state",
    [
        None,
        5,
        "",
        ",",
        "a",
        "A=b",
        "a=b=c",
        "a=",
        "a=b,a=c",
        "a=b\r\nx-evil: 1",
        "a=b\x00",
        "a=\u00e9",
        ",".join(f"k{number}=v" for number in range(MAX_MEMBERS + 1)),
        ",".join(f"{'k' * 100}{number}={'v' * 150}" for number in range(MAX_STATE // 250 + 1)),
    ],
)
def test_any_other_state_is_left_out_and_the_trace_goes_on(state: Any) -> None:
    trace = read({"traceparent": PARENT, "tracestate": state})
    assert trace is not None
    assert trace.child_headers().keys() == {"traceparent"}
