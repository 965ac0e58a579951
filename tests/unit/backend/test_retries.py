"""When it is tried again: counts, delays and notices (wire.md section 14)."""

from typing import Any

import orjson
import pytest

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.retries import MAX_DELAY, Attempts, Pause, Resends, backoff
from app_server.config.settings import ModelProvider
from protocol.turn_error import CodexErrorInfo


def failure(**members: Any) -> UpstreamFailure:
    return UpstreamFailure("it broke", CodexErrorInfo("other"), **members)


def attempts(limit: int) -> Attempts:
    return Attempts(ModelProvider("Mine", stream_max_retries=limit), lambda low, high: 1.0)


def pauses(attempts: Attempts, failure: UpstreamFailure, count: int) -> list[Pause]:
    found = [attempts.after(failure) for _ in range(count)]
    return [pause for pause in found if pause is not None]


def test_a_stream_is_begun_again_as_often_as_the_provider_allows_and_each_time_later() -> None:
    found = pauses(attempts(4), failure(retry="stream"), 6)
    assert [pause.seconds for pause in found] == [0.2, 0.4, 0.8, 1.6]
    assert [pause.notice for pause in found] == [f"Reconnecting... {number}/4" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("status", [None, 403])
def test_the_notice_says_what_went_wrong(status: int | None) -> None:
    (pause,) = pauses(attempts(1), failure(retry="stream", http_status=status), 1)
    assert orjson.loads(pause.info.to_json()) == {"responseStreamDisconnected": {"httpStatusCode": status}}
    assert pause.details == "it broke"


def test_what_is_not_to_be_tried_again_is_not() -> None:
    assert attempts(5).after(failure()) is None


def test_the_upstream_says_how_long_to_wait() -> None:
    assert [pause.seconds for pause in pauses(attempts(3), failure(retry="stream", retry_after=0.0), 3)] == [0, 0, 0]
    assert pauses(attempts(3), failure(retry="stream", retry_after=7.5), 1)[0].seconds == 7.5


def test_the_network_is_waited_for_without_limit_and_whatever_the_provider_allows() -> None:
    found = pauses(attempts(0), failure(retry="network"), 50)
    assert len(found) == 50
    # Attempts at 0, 5, 15, 35, 75 and 135 seconds.
    assert [pause.seconds for pause in found[:6]] == [5, 10, 20, 40, 60, 60]
    assert {pause.notice for pause in found} == {"Reconnecting... waiting for network"}


def test_waiting_for_the_network_costs_no_attempts_and_begins_anew_each_time() -> None:
    a = attempts(2)
    kinds = [failure(retry=kind) for kind in ("network", "network", "stream", "network", "stream", "stream")]
    found = [a.after(kind) for kind in kinds]
    assert [pause and pause.seconds for pause in found] == [5, 10, 0.2, 5, 0.4, None]


def test_delays_vary_by_a_tenth_and_have_an_end() -> None:
    drawn = {backoff(1) for _ in range(200)}
    assert len(drawn) > 100
    assert 0.18 <= min(drawn) < 0.19
    assert 0.21 < max(drawn) <= 0.22
    assert backoff(100, lambda low, high: high) == pytest.approx(MAX_DELAY * 1.1)


def test_a_request_is_sent_again_in_silence_only_where_that_makes_sense() -> None:
    resends = Resends(ModelProvider("Mine", request_max_retries=2), lambda low, high: 1.0)
    assert resends.after(failure(retry="stream")) is None
    found = [resends.after(failure(resend=True)) for _ in range(3)]
    assert found == [0.2, 0.4, None]


def test_a_request_is_sent_again_when_the_upstream_says() -> None:
    resends = Resends(ModelProvider("Mine", request_max_retries=2))
    assert resends.after(failure(resend=True, retry_after=3.0)) == 3
