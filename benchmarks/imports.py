"""What each import of a start costs, and whether it is paid before the first answer or after it.

The server runs under ``-X importtime`` with one pipe for its standard output and its standard error, so that its
answers stand among the lines about imports in the order in which things happened. What is imported through
``importlib.import_module`` gets no line of its own: its time is part of whoever asked (pydantic loads itself so).
"""

import json
import os
import re
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from processes import ACCOUNT_READ, INITIALIZE, MeasurementFailed, environment

_LINE: Final = re.compile(rb"import time:\s+(\d+) \|\s+\d+ \| ( *)(\S+)\n")
_BEFORE, _BETWEEN = "first answer", "second answer"
_LEAST_SHARE: Final = 0.01


class Import(NamedTuple):
    """One module of one start.

    :param paid_before: which answer had to wait for it.
    :param own: microseconds without the modules that it imports.
    """

    paid_before: str
    module: str
    own: int
    depth: int


class Cost(NamedTuple):
    """What a top-level package costs one answer.

    :param milliseconds: own time of its modules, the median over all starts.
    :param share: of the own time of all imports up to the second answer.
    :param because_of: the module of another package that first asked for it.
    """

    paid_before: str
    package: str
    modules: int
    milliseconds: float
    share: float
    because_of: str


def measure(command: Sequence[str], runs: int) -> list[Cost]:
    """The costs of a start, dearest first.

    :param command: begins with the interpreter.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        _start(command, Path(home))  # compiles byte code
        starts = [_start(command, Path(home)) for _ in range(runs)]
    costs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for start in starts:
        for key, own in _own_times(start).items():
            costs[key].append(own / 1000)
    medians = {key: statistics.median(values) for key, values in costs.items()}
    total = sum(medians.values())
    importers = _importers(starts[-1])
    table = [
        Cost(
            paid_before,
            package,
            sum(1 for entry in starts[-1] if _package(entry.module) == package and entry.paid_before == paid_before),
            milliseconds,
            milliseconds / total,
            importers.get((paid_before, package), ""),
        )
        for (paid_before, package), milliseconds in medians.items()
    ]
    return sorted(table, key=lambda cost: (cost.paid_before, -cost.milliseconds))


def as_json(table: list[Cost]) -> str:
    """Every package, for programs."""
    return json.dumps([cost._asdict() for cost in table], indent=2)


def as_text(table: list[Cost]) -> str:
    """The packages that matter, for people."""
    lines = ["Own time of imports, measured with -X importtime, which itself slows them down: compare shares."]
    for answer in (_BEFORE, _BETWEEN):
        costs = [cost for cost in table if cost.paid_before == answer]
        total, share = sum(cost.milliseconds for cost in costs), sum(cost.share for cost in costs)
        lines += ["", f"Paid before the {answer}: {total:.1f} ms, {share:.0%} of all", ""]
        lines.append(f"  {'ms':>7}  {'share':>5}  {'modules':>7}  {'package':24}because of")
        shown = [cost for cost in costs if cost.share >= _LEAST_SHARE]
        lines += [
            f"  {cost.milliseconds:7.1f}  {cost.share:5.1%}  {cost.modules:7}  {cost.package:24}{cost.because_of}"
            for cost in shown
        ]
        rest = [cost for cost in costs if cost.share < _LEAST_SHARE]
        if rest:
            milliseconds, share = sum(cost.milliseconds for cost in rest), sum(cost.share for cost in rest)
            modules = sum(cost.modules for cost in rest)
            lines.append(f"  {milliseconds:7.1f}  {share:5.1%}  {modules:7}  {len(rest)} other packages")
    return "\n".join(lines)


def _start(command: Sequence[str], home: Path) -> list[Import]:
    stdin, to_server = os.pipe()
    from_server, output = os.pipe()
    os.write(to_server, INITIALIZE + ACCOUNT_READ)
    traced = [command[0], "-X", "importtime", *command[1:]]
    with subprocess.Popen(traced, stdin=stdin, stdout=output, stderr=output, env=environment(home)):
        os.close(stdin)
        os.close(output)
        with os.fdopen(from_server, "rb") as lines:
            imports = []
            paid_before = _BEFORE
            for line in lines:
                if match := _LINE.fullmatch(line):
                    own, indent, module = match.groups()
                    imports.append(Import(paid_before, module.decode(), int(own), len(indent) // 2))
                elif line.startswith(b'{"id":0'):
                    paid_before = _BETWEEN
                elif line.startswith(b'{"id":1'):
                    break
            else:
                raise MeasurementFailed("the server ended without answering")
            os.close(to_server)
            lines.read()
    return imports


def _own_times(start: list[Import]) -> dict[tuple[str, str], int]:
    times: dict[tuple[str, str], int] = defaultdict(int)
    for entry in start:
        times[entry.paid_before, _package(entry.module)] += entry.own
    return times


def _importers(start: list[Import]) -> dict[tuple[str, str], str]:
    """For each package and each answer, the module of another package that asked for it first.

    A module's line comes after those of the modules that it imports, which are indented deeper.
    """
    importers: dict[tuple[str, str], str] = {}
    waiting: dict[int, list[str]] = defaultdict(list)
    for entry in start:
        for imported in waiting.pop(entry.depth + 1, ()):
            if _package(imported) != _package(entry.module):
                importers.setdefault((entry.paid_before, _package(imported)), entry.module)
        waiting[entry.depth].append(entry.module)
    return importers


def _package(module: str) -> str:
    return module.partition(".")[0]
