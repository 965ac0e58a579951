"""The rows about conversations: what a turn costs by itself, long streams, many at once, and an expired token.

A turn is timed from writing ``turn/start`` to reading ``turn/completed``, by a client that only counts lines. The
upstream of the rows about speed is ``streaming_upstream``; of those about tokens, our fake.
"""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import bare_client
import procfs
from experiment import Bench, Figure, Figures, Row
from processes import DEADLINE, Json, MeasurementFailed, Server, Subject, request_line, running
from signing_in import REFRESH, log_in, refresh_result

DELTAS: Final = 20_000
"""Of the long turn."""

SHORT_TURNS: Final = 25
"""Turns of one delta in one measurement, all in one thread."""

THREADS: Final = 100
DELTAS_EACH: Final = 200

RECOVERIES: Final = 10
"""Turns of each kind in one measurement of ``turn-recovery``."""

_DELTA: Final = b'"method":"item/agentMessage/delta"'
_COMPLETED: Final = b'"method":"turn/completed"'
_LEFT_OUT: Final = ("shell_snapshot", "apps", "plugins", "enable_request_compression")
_OPTIONS: Final = tuple(word for feature in _LEFT_OUT for word in ("-c", f"features.{feature}=false"))
"""Without what this server does not do at all. Left on, the reference would run the user's login shell for every
thread, look for connectors with every login, and send ChatGPT compressed bodies, which the fake does not read."""

_SETTLED: Final = 0.3
"""Seconds after which a server has done what it does after a turn."""


class Streamed(NamedTuple):
    """What came of some turns, in seconds since they were started."""

    seconds: float
    to_first_delta: float


def measure_short_turn(bench: Bench, subject: Subject) -> Figures:
    """Turns of one delta, and the same request by a bare client on its own warm connection."""
    upstream = bench.streaming()
    with _ready(bench, subject) as server:
        thread = _start_thread(server, 1)
        first, *rest = (_run_turns(server, [thread], 1).seconds for _ in range(SHORT_TURNS + 1))
    bare = bare_client.exchanges(upstream.port, upstream.last_body(), SHORT_TURNS)
    turn, exchange = statistics.median(rest), statistics.median(exchange.total for exchange in bare)
    return {"overhead": (turn - exchange) * 1000, "exchange": exchange * 1000, "first": first * 1000}


def measure_long_turn(bench: Bench, subject: Subject) -> Figures:
    """One turn of many deltas in a process that has had a short one."""
    with _ready(bench, subject) as server:
        _run_turns(server, [_start_thread(server, 1)], 1)
        thread = _start_thread(server, DELTAS)
        time.sleep(_SETTLED)
        cpu, memory = procfs.cpu_seconds(server.pid), procfs.memory(server.pid)
        streamed = _run_turns(server, [thread], DELTAS)
        time.sleep(_SETTLED)
        cpu_after, memory_after = procfs.cpu_seconds(server.pid), procfs.memory(server.pid)
    figures = {"deltas": DELTAS / streamed.seconds, "first": streamed.to_first_delta * 1000}
    if cpu is not None and cpu_after is not None and memory is not None and memory_after is not None:
        figures["cpu"] = (cpu_after - cpu) / DELTAS * 1e6
        figures["growth"] = (memory_after["rss"] - memory["rss"]) / 2**20
    return figures


def read_long_stream(bench: Bench) -> Figures:
    """The same stream, read by the bare client."""
    cpu = time.process_time()
    (exchange,) = bare_client.exchanges(bench.streaming().port, _smallest_body(DELTAS), 1)
    cpu = (time.process_time() - cpu) / 2  # with the exchange that does not count
    if exchange.deltas != DELTAS:
        raise MeasurementFailed(f"the bare client read {exchange.deltas} deltas of {DELTAS}")
    return {
        "deltas": DELTAS / exchange.total,
        "first": exchange.to_first_delta * 1000,
        "cpu": cpu / DELTAS * 1e6,
    }


def measure_simultaneous_turns(bench: Bench, subject: Subject) -> Figures:
    """A turn in each of many threads, all started with one write."""
    with _ready(bench, subject) as server:
        _run_turns(server, [_start_thread(server, 1)], 1)
        threads = [_start_thread(server, DELTAS_EACH) for _ in range(THREADS)]
        time.sleep(_SETTLED)
        return {"wall": _run_turns(server, threads, DELTAS_EACH * THREADS).seconds * 1000}


def read_simultaneous_streams(bench: Bench) -> Figures:
    """The same streams, read by the bare client."""
    return {"wall": bare_client.simultaneous(bench.streaming().port, _smallest_body(DELTAS_EACH), THREADS) * 1000}


def measure_recovery(bench: Bench, subject: Subject) -> Figures:
    """What a 401 adds to a turn, logged in with the parent's tokens. Each turn has its own thread."""
    fake = bench.fake()
    with running(subject, (*fake.options, *_OPTIONS)) as server:
        server.answer(0)
        tokens = fake.mint()
        log_in(server, tokens)
        plain, recovered = [], []
        for pair in range(RECOVERIES + 1):
            usual, _ = _authorised_turn(server, _start_thread(server, None), None)
            thread = _start_thread(server, None)
            fake.expire(tokens)
            tokens = fake.mint()
            unusual, asked = _authorised_turn(server, thread, refresh_result(tokens))
            if asked != 1:
                raise MeasurementFailed(f"the parent was asked {asked} times for fresh tokens during one turn")
            if pair:  # the first pays for what is imported, connected and built on first use
                plain.append(usual)
                recovered.append(unusual)
    added = statistics.median(with_401 - without for with_401, without in zip(recovered, plain, strict=True))
    return {"added": added * 1000}


@contextmanager
def _ready(bench: Bench, subject: Subject) -> Iterator[Server]:
    """A server that has the streaming upstream for its provider."""
    with running(subject, (*bench.streaming().options, *_OPTIONS)) as server:
        server.answer(0)
        yield server


def _start_thread(server: Server, deltas: int | None) -> str:
    """A new thread, stored as usual.

    :param deltas: how many an answer in it has; None where the upstream is the fake.
    """
    params: Json = {"cwd": str(server.workspace)}
    if deltas is not None:
        params["model"] = f"deltas-{deltas}"
    return str(server.request(10, "thread/start", params)["thread"]["id"])


def _turn_lines(threads: list[str]) -> bytes:
    return b"".join(
        request_line(
            100 + number, "turn/start", {"threadId": thread, "input": [{"type": "text", "text": "Speak, please."}]}
        )
        for number, thread in enumerate(threads)
    )


def _run_turns(server: Server, threads: list[str], deltas: int) -> Streamed:
    """Run one turn in each of these threads, all at once.

    :param deltas: how many have to come in all.
    :raises MeasurementFailed: a turn failed, or deltas are missing.
    """
    came = completed = 0
    rest, first = b"", None
    lines = _turn_lines(threads)
    started = time.perf_counter()
    server.send(lines)
    while completed < len(threads):
        chunk, _, rest = (rest + server.read()).rpartition(b"\n")
        now = time.perf_counter()
        came += chunk.count(_DELTA)
        if came and first is None:
            first = now
        if _COMPLETED in chunk:
            ends = [line for line in chunk.split(b"\n") if _COMPLETED in line]
            completed += len(ends)
            for line in ends:
                _check(json.loads(line))
        if now - started > DEADLINE:
            raise MeasurementFailed(f"{completed} of {len(threads)} turns in {DEADLINE:.0f} s")
    elapsed = time.perf_counter() - started
    if came != deltas or first is None:
        raise MeasurementFailed(f"{came} deltas came of {deltas}")
    return Streamed(elapsed, first - started)


def _check(ended: Json) -> None:
    turn = ended["params"]["turn"]
    if turn["status"] != "completed":
        raise MeasurementFailed(f"a turn failed: {turn['error']}")


def _authorised_turn(server: Server, thread: str, fresh: Json | None) -> tuple[float, int]:
    """Run one turn: how many seconds it took, and how often the parent was asked for tokens.

    :param fresh: what the parent answers; None if it must not be asked.
    """
    asked = 0

    def refresh(request: Json) -> Json:
        nonlocal asked
        if request["method"] != REFRESH or fresh is None:
            raise MeasurementFailed(f"the server asked its parent for {request['method']}")
        asked += 1
        return fresh

    lines = _turn_lines([thread])
    started = time.perf_counter()
    server.send(lines)
    ended = server.wait_for(lambda message: message.get("method") == "turn/completed", refresh)
    elapsed = time.perf_counter() - started
    _check(ended)
    return elapsed, asked


def _smallest_body(deltas: int) -> bytes:
    return json.dumps({"model": f"deltas-{deltas}", "stream": True, "input": "Speak, please."}).encode()


ROWS: Final = (
    Row(
        "turn",
        (
            Figure("overhead", "one-delta turn, without its request", "ms", "≤ 0.06"),
            Figure("exchange", "its request, by a bare client", "ms"),
            Figure("first", "first such turn of a process", "ms"),
        ),
        measure_short_turn,
        runs=5,
    ),
    Row(
        "long-turn",
        (
            Figure("deltas", f"turn of {DELTAS:,} deltas, deltas", "1/s", "≥ 3"),
            Figure("cpu", "CPU for 1,000 deltas", "ms", "≤ 0.25"),
            Figure("first", "turn/start to the first delta", "ms", "≤ 0.2"),
            Figure("growth", "growth of resident memory", "MiB"),
        ),
        measure_long_turn,
        runs=5,
        ceiling=read_long_stream,
    ),
    Row(
        "simultaneous-turns",
        (Figure("wall", f"{THREADS} threads, {DELTAS_EACH} deltas each, at once", "ms", "≤ 0.15"),),
        measure_simultaneous_turns,
        runs=3,
        ceiling=read_simultaneous_streams,
    ),
    Row(
        "turn-recovery",
        (Figure("added", "what a recovered 401 adds to a turn", "ms", "≤ 0.1"),),
        measure_recovery,
        runs=3,
    ),
)
"""In the order of the table."""
