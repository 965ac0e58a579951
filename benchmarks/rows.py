"""The rows of the table: what each figure is, how it is measured once, and what it is hoped to be.

One measurement is one call of a row's ``measure`` with one program; ``run`` calls it in turns, ``report`` makes
medians and ratios of what it returns. The rows about conversations stand in ``turns``.
"""

import statistics
import time
from typing import Final

import installed_size
import procfs
import turns
from experiment import Bench, Figure, Figures, Row
from processes import ACCOUNT_READ, INITIALIZE, Json, Server, Subject, request_line, running
from signing_in import log_in, refresh_result

IN_FLIGHT: Final = 64
"""Requests without an answer at any moment of ``throughput``."""

LOGINS: Final = 12
"""Logins of each kind in one measurement of ``recovery``."""

SIMULTANEOUS: Final = 50
"""Requests of ``single-refresh`` that get a 401 at the same time."""


def measure_start(_: Bench, subject: Subject) -> Figures:
    """From before the process exists to its answers; both requests are in its standard input by then."""
    with running(subject, first=INITIALIZE + ACCOUNT_READ) as server:
        server.answer(0)
        first = server.seconds()
        server.answer(1)
        second = server.seconds()
    return {"first_answer": first * 1000, "second_answer": second * 1000}


def measure_memory(_: Bench, subject: Subject) -> Figures:
    """What is resident half a second after the second answer."""
    with running(subject, first=INITIALIZE + ACCOUNT_READ) as server:
        server.answer(1)
        time.sleep(0.5)
        return {name: size / 2**20 for name, size in (procfs.memory(server.pid) or {}).items()}


def measure_throughput(_: Bench, subject: Subject) -> Figures:
    """``account/read`` for two seconds, logged in with an API key."""
    with running(subject) as server:
        _log_in_with_api_key(server)
        _pump(server, 0.3)
        before = procfs.cpu_seconds(server.pid)
        answers, seconds = _pump(server, 2.0)
        after = procfs.cpu_seconds(server.pid)
    figures = {"requests": answers / seconds}
    if before is not None and after is not None:
        figures["cpu"] = (after - before) / answers * 1e6
    return figures


def measure_idle(_: Bench, subject: Subject) -> Figures:
    """Context switches of all threads over 3 s, beginning 2 s after the second answer."""
    with running(subject, first=INITIALIZE + ACCOUNT_READ) as server:
        server.answer(1)
        time.sleep(2)
        before = procfs.context_switches(server.pid)
        time.sleep(3)
        after = procfs.context_switches(server.pid)
    return {} if before is None or after is None else {"wake_ups": after - before}


def measure_recovery(bench: Bench, subject: Subject) -> Figures:
    """What a 401 adds to a login with the parent's tokens, whose routing lookup is what meets the 401."""
    fake = bench.fake()
    with running(subject, fake.options) as server:
        server.answer(0)
        plain, recovered = [], []
        for turn in range(LOGINS + 1):
            usual = log_in(server, fake.mint(), None)
            unusual = log_in(server, fake.mint(expired=True), fake.mint())
            if turn:  # the first pays for what is imported, connected and built on first use
                plain.append(usual)
                recovered.append(unusual)
    added = statistics.median(with_401 - without for with_401, without in zip(recovered, plain, strict=True))
    return {"login": statistics.median(plain) * 1000, "added": added * 1000}


def measure_single_refresh(bench: Bench, subject: Subject) -> Figures:
    """How often the parent is asked when many requests get a 401 on one token at the same time."""
    fake = bench.fake()
    tokens, fresh = fake.mint(), fake.mint()
    asked = 0

    def refresh(_: Json) -> Json:
        nonlocal asked
        asked += 1
        return refresh_result(fresh)

    with running(subject, fake.options) as server:
        server.answer(0)
        log_in(server, tokens, None)
        fake.expire(tokens)
        ids = range(100, 100 + SIMULTANEOUS)
        server.send(b"".join(request_line(request_id, "account/rateLimits/read", {}) for request_id in ids))
        answers = [server.wait_for(lambda message: message.get("id") in ids, refresh) for _ in ids]
    return {"refreshes": asked, "successes": sum("result" in answer for answer in answers)}


def measure_size(bench: Bench, subject: Subject) -> Figures:
    """Bytes on disk."""
    if subject.name == "ours":
        size: int | None = installed_size.of_distribution()
    else:
        size = bench.peer_size or installed_size.of_command(subject.command[0])
    return {} if size is None else {"size": size / 2**20}


def _log_in_with_api_key(server: Server) -> None:
    server.answer(0)
    server.request(1, "account/login/start", {"type": "apiKey", "apiKey": "benchmark"})
    server.wait_for(lambda message: message.get("method") == "account/updated")


def _pump(server: Server, seconds: float) -> tuple[int, float]:
    """Keep ``IN_FLIGHT`` requests unanswered for so long; how many were answered, and in what time."""
    asked = answered = 0
    rest = b""
    started = time.perf_counter()
    until = started + seconds
    while True:
        if time.perf_counter() < until:
            missing = IN_FLIGHT - (asked - answered)
            server.send(
                b"".join(
                    b'{"id":%d,"method":"account/read","params":{}}\n' % request_id
                    for request_id in range(asked + 1, asked + missing + 1)
                )
            )
            asked += missing
        elif answered == asked:
            return answered, time.perf_counter() - started
        # Only whole lines are looked at: a chunk may end inside of what is counted.
        lines, _, rest = (rest + server.read()).rpartition(b"\n")
        answered += lines.count(b'"workspaceRouting"')


ROWS: Final = (
    Row(
        "start",
        (
            Figure("first_answer", "start to the answer to initialize", "ms", "≤ 1"),
            Figure("second_answer", "start to the answer to account/read behind it", "ms"),
        ),
        measure_start,
        runs=15,
    ),
    Row(
        "memory",
        (
            Figure("rss", "resident memory, idle", "MiB", "≤ 0.5"),
            Figure("pss", "the same, shared pages by share", "MiB"),
        ),
        measure_memory,
        runs=5,
    ),
    Row(
        "throughput",
        (
            Figure("requests", f"account/read, {IN_FLIGHT} in flight", "1/s", "≥ 25"),
            Figure("cpu", "CPU for one account/read", "µs", "≤ 0.05"),
        ),
        measure_throughput,
        runs=5,
    ),
    Row("idle", (Figure("wake_ups", "context switches in 3 idle seconds", "", "0"),), measure_idle, runs=3),
    Row(
        "recovery",
        (
            Figure("login", "login with the parent's tokens", "ms"),
            Figure("added", "what a recovered 401 adds to it", "ms", "≤ 0.1"),
        ),
        measure_recovery,
        runs=5,
    ),
    Row(
        "single-refresh",
        (
            Figure("refreshes", f"refresh requests for {SIMULTANEOUS} simultaneous 401s", "", "1"),
            Figure("successes", "of those requests succeeded", "", str(SIMULTANEOUS)),
        ),
        measure_single_refresh,
        runs=3,
        has_peer=False,
    ),
    *turns.ROWS,
    Row("size", (Figure("size", "installed, without an interpreter", "MiB", "≤ 0.067"),), measure_size, 1, most_runs=1),
)
"""All rows, in the order of the table."""
