"""From samples to what is printed: medians, their spread, and ratios ours/peer, as a table or as JSON."""

import json
import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from experiment import Figure, Figures, Row

Samples = dict[str, list[Figures]]
"""By the program's name, or ``ceiling``: what each measurement returned."""

_COLUMNS: Final = ("ours", "peer", "ceiling")

_LIBRARIES: Final = ("app-server", "pydantic", "anyio", "orjson", "httpx2")


class Result(NamedTuple):
    """One row, measured."""

    row: Row
    samples: Samples


def as_json(results: list[Result], versions: dict[str, str]) -> str:
    """Everything, for programs."""
    rows = {row.name: {figure.name: _summary(figure, samples) for figure in row.figures} for row, samples in results}
    return json.dumps({"machine": _machine(), "programs": versions, "rows": rows}, indent=2)


def as_text(results: list[Result], versions: dict[str, str]) -> str:
    """A table for people."""
    lines = [f"{name}: {value}" for name, value in _machine().items()]
    lines += [f"{name}: {user_agent}" for name, user_agent in versions.items()]
    lines += ["", f"{'':48}" + "".join(f"{name:>27}" for name in _COLUMNS) + f"{'ratio':>8}   aim"]
    for row, samples in results:
        lines.append(row.name)
        for figure in row.figures:
            summary = _summary(figure, samples)
            label = f"  {figure.label}" + (f", {figure.unit}" if figure.unit else "")
            columns = "".join(f"{_cell(summary.get(name)):>27}" for name in _COLUMNS)
            ratio = "" if summary["ratio"] is None else f"{summary['ratio']:.3g}"
            lines.append(f"{label:48}{columns}{ratio:>8}   {figure.aim}".rstrip())
    lines += ["", "Medians, with the least and the most of all measurements in brackets. Ratios are ours/peer."]
    return "\n".join(lines)


def _summary(figure: Figure, samples: Samples) -> dict[str, Any]:
    summary: dict[str, Any] = {"label": figure.label, "unit": figure.unit, "aim": figure.aim, "ratio": None}
    for name, measurements in samples.items():
        values = [figures[figure.name] for figures in measurements if figure.name in figures]
        if values:
            summary[name] = {
                "median": statistics.median(values),
                "min": min(values),
                "max": max(values),
                "runs": len(values),
            }
    if "ours" in summary and summary.get("peer", {}).get("median"):
        summary["ratio"] = summary["ours"]["median"] / summary["peer"]["median"]
    return summary


def _cell(numbers: dict[str, float] | None) -> str:
    if numbers is None:
        return "-"
    if numbers["min"] == numbers["max"]:
        return _short(numbers["median"])
    return f"{_short(numbers['median'])} ({_short(numbers['min'])} to {_short(numbers['max'])})"


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"


def _machine() -> dict[str, str]:
    load = os.getloadavg()[0]
    return {
        "machine": f"{platform.system()} {platform.release()}, {os.cpu_count()} x {_processor()}, load {load:.1f}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.machine()
