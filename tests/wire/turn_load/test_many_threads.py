"""100 threads with a turn each at once, 200 deltas each, also when the token expires in the middle (issue 4, section
"What must be seen", 3; wire.md section 15, items 3 and 29).

How often the token is asked for does not depend on how long the answers are: outside of ``make soak`` they are short
where it expires.
"""

from collections import Counter

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.support.upstream import REFRESH, UPDATED, fresh, log_in_with_tokens, managed_login, store
from tests.wire.refresh.support import presented
from tests.wire.turn_load.conftest import Start
from tests.wire.turn_load.support import FastServer, Listener, text_of_length
from tests.wire.turns.support import RESPONSES

THREADS = 100
DELTAS = 200

long_and_short = pytest.mark.parametrize("deltas", [DELTAS // 10, pytest.param(DELTAS, marks=pytest.mark.soak)])


def say(fake: FakeOpenAI, deltas: int) -> tuple[list[str], list[str]]:
    """What so many users say, and what the model is going to say to each."""
    questions = [f"What is number {number}?" for number in range(THREADS)]
    answers = [text_of_length(deltas, f"{number}: ") for number in range(THREADS)]
    for question, answer in zip(questions, answers, strict=True):
        fake.script(contains=question, text=answer, deltas=deltas)
    return questions, answers


def check(listener: Listener, threads: list[str], turns: list[str], answers: list[str], deltas: int) -> None:
    """Every turn was announced, streamed, completed and ended, each once; every text is what was sent."""
    for thread, turn, answer in zip(threads, turns, answers, strict=True):
        heard = listener.threads[thread]
        assert heard.statuses == ["completed"], heard.turns
        assert heard.begun == [turn] == [ended["id"] for ended in heard.turns]
        assert heard.streamed == answer
        assert heard.texts == [answer]
        assert len(heard.pieces) == deltas
    assert Counter(turn["id"] for turn in listener.turns) == Counter(turns)


async def test_100_turns_at_once_are_complete_and_in_order(fake: FakeOpenAI, server: FastServer) -> None:
    listener = Listener(server)
    questions, answers = say(fake, DELTAS)
    threads = await listener.start_threads(THREADS)

    turns = await listener.begin(threads, questions)
    await listener.until_ended(THREADS)
    await listener.nothing_more()

    check(listener, threads, turns, answers, DELTAS)
    assert len(fake.requests.of(RESPONSES)) == THREADS


@long_and_short
async def test_when_the_parents_token_expires_after_half_of_the_requests_it_is_asked_once(
    fake: FakeOpenAI, server: FastServer, deltas: int
) -> None:
    asked: list[Json] = []

    async def refresh(request: Json) -> Json:
        assert request["method"] == REFRESH
        asked.append(request)
        return fresh(fake.mint())

    await log_in_with_tokens(server, fake.mint())
    listener = Listener(server, refresh)
    questions, answers = say(fake, deltas)
    threads = await listener.start_threads(THREADS, modelProvider="login")
    fake.expire_tokens(after_requests=THREADS // 2)

    turns = await listener.begin(threads, questions)
    await listener.until_ended(THREADS)
    await listener.nothing_more()

    check(listener, threads, turns, answers, deltas)
    assert len(asked) == 1
    assert len({request.bearer for request in fake.requests.of(RESPONSES)}) == 2


@long_and_short
async def test_when_it_expires_in_the_middle_of_the_streams_they_go_on_and_the_next_ask_once(
    fake: FakeOpenAI, server: FastServer, deltas: int
) -> None:
    asked: list[Json] = []

    async def refresh(request: Json) -> Json:
        asked.append(request)
        return fresh(fake.mint())

    await log_in_with_tokens(server, fake.mint())
    listener = Listener(server, refresh)
    questions, answers = say(fake, deltas)
    threads, half = await listener.start_threads(THREADS, modelProvider="login"), THREADS // 2
    fake.expire_tokens(after_requests=half - 1, after_events=deltas // 2)

    turns = await listener.begin(threads[:half], questions[:half])
    await listener.until_ended(half)
    assert asked == []
    turns += await listener.begin(threads[half:], questions[half:])
    await listener.until_ended(THREADS)
    await listener.nothing_more()

    check(listener, threads, turns, answers, deltas)
    assert len(asked) == 1


@long_and_short
async def test_when_a_managed_token_expires_in_the_middle_it_is_refreshed_once(
    fake: FakeOpenAI, start: Start, deltas: int
) -> None:
    login = fake.mint()
    async with start(forked=True) as server:
        store(server.home, managed_login(login))
        await server.result("account/read", {})
        await server.notification(UPDATED)
        listener = Listener(server)
        questions, answers = say(fake, deltas)
        threads = await listener.start_threads(THREADS, modelProvider="login")
        fake.expire_tokens(after_requests=THREADS // 2)

        turns = await listener.begin(threads, questions)
        await listener.until_ended(THREADS)
        await listener.nothing_more()

        check(listener, threads, turns, answers, deltas)
        assert presented(fake) == [login.refresh_token]
