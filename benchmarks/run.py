"""Measure this server and, beside it, any other command that speaks the same wire; print medians and ratios.

    python benchmarks/run.py [--peer 'COMMAND …'] [--peer-size BYTES] [--only ROW…] [--runs N] [--json]
    python benchmarks/run.py --imports [--runs N] [--json]

What a row means and how it is measured stands in ``rows`` and, for people, in README.md; this file reads the
arguments and takes turns between the two programs.
"""

import argparse
import contextlib
import functools
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import imports
import report
from experiment import Bench, Figures, Row
from processes import MeasurementFailed, Subject, warm_up
from rows import ROWS
from upstream import StreamingUpstream, Upstream


def main() -> int:
    """Run the command line; returns the exit status."""
    arguments = _parse()
    if arguments.imports:
        table = imports.measure((sys.executable, "-m", "app_server"), arguments.runs or 5)
        print(imports.as_json(table) if arguments.json else imports.as_text(table))
        return 0
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    with _prepared(arguments) as bench:
        print_progress = not arguments.json and sys.stderr.isatty()
        results = [report.Result(row, _take_turns(bench, row, arguments.runs, print_progress)) for row in rows]
        versions = {subject.name: bench.user_agents[subject.name] for subject in bench.subjects}
    print(report.as_json(results, versions) if arguments.json else report.as_text(results, versions))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Measure this server, and a peer beside it.")
    parser.add_argument("--peer", metavar="COMMAND", help="the other server's command line, such as 'codex app-server'")
    parser.add_argument("--peer-size", metavar="BYTES", type=int, help="its installed size, if that is not one file's")
    parser.add_argument("--only", metavar="ROW", nargs="+", choices=[row.name for row in ROWS], help="these rows only")
    parser.add_argument("--runs", metavar="N", type=_positive, help="how often each row is measured")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--imports", action="store_true", help="print what each import of a start costs, instead")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


@contextlib.contextmanager
def _prepared(arguments: argparse.Namespace) -> Iterator[Bench]:
    """The programs to measure, each with a home of its own that it has been started in before."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, contextlib.ExitStack() as stack:
        commands: dict[str, tuple[str, ...]] = {"ours": (sys.executable, "-m", "app_server")}
        if arguments.peer:
            commands["peer"] = tuple(shlex.split(arguments.peer))
        subjects = []
        for name, command in commands.items():
            subjects.append(Subject(name, command, home=Path(directory, name)))
            for needed in (subjects[-1].home, subjects[-1].workspace):
                needed.mkdir()
        yield Bench(
            subjects=subjects,
            upstream=lambda: stack.enter_context(Upstream.running()),
            streaming_upstream=lambda: stack.enter_context(StreamingUpstream.running()),
            user_agents={subject.name: warm_up(subject) for subject in subjects},
            peer_size=arguments.peer_size,
        )


def _take_turns(bench: Bench, row: Row, runs: int | None, print_progress: bool) -> report.Samples:
    """A B, B A, A B, …: what else the machine does then falls on both, and so does being second."""
    subjects = bench.subjects if row.has_peer else bench.subjects[:1]
    measures: dict[str, Callable[[], Figures]] = {
        subject.name: functools.partial(row.measure, bench, subject) for subject in subjects
    }
    if row.ceiling is not None:
        measures["ceiling"] = functools.partial(row.ceiling, bench)
    samples: report.Samples = {name: [] for name in measures}
    rounds = min(runs or row.runs, row.most_runs or sys.maxsize)
    for turn in range(rounds):
        if print_progress:
            sys.stderr.write(f"\r{row.name} {turn + 1}/{rounds}\033[K")
        for name in measures if turn % 2 == 0 else reversed(measures):
            samples[name].append(measures[name]())
    if print_progress:
        sys.stderr.write("\r\033[K")
    return samples


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MeasurementFailed as failure:
        sys.exit(f"not measured: {failure}")
