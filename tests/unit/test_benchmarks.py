"""The benchmarks run and say what they promise to say; how fast anything is, is not asserted."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks poll pipes")
def test_a_row_is_measured_for_both_programs_and_their_ratio_is_told() -> None:
    peer = shlex.join([sys.executable, "-m", "app_server"])
    command = [sys.executable, str(RUN), "--only", "size", "--peer", peer, "--peer-size", str(4 * 2**20), "--json"]

    finished = subprocess.run(command, cwd=RUN.parents[1], capture_output=True, text=True, timeout=60, check=False)

    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert all(report["programs"][name].startswith("bench/0.169.0 ") for name in ("ours", "peer"))
    assert list(report["rows"]) == ["size"]
    size = report["rows"]["size"]["size"]
    assert size["peer"] == {"median": 4, "min": 4, "max": 4, "runs": 1}
    assert size["ours"]["median"] > 1
    assert size["ratio"] == pytest.approx(size["ours"]["median"] / 4)


TURNS = ["turn", "long-turn", "simultaneous-turns", "turn-recovery"]


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks poll pipes")
@pytest.mark.parametrize(
    "names", [TURNS[:1], pytest.param(TURNS, marks=pytest.mark.soak)], ids=["the quickest row", "all rows"]
)
def test_turns_are_measured_beside_a_bare_client_that_reads_the_same_streams(names: list[str]) -> None:
    command = [sys.executable, str(RUN), "--only", *names, "--runs", "1", "--json"]

    finished = subprocess.run(command, cwd=RUN.parents[1], capture_output=True, text=True, timeout=120, check=False)

    assert finished.returncode == 0, finished.stderr
    rows = json.loads(finished.stdout)["rows"]
    assert list(rows) == names
    assert all("ours" in rows["turn"][figure] for figure in ("overhead", "exchange", "first"))
    if names == TURNS:
        assert all({"ours", "ceiling"} <= set(rows["long-turn"][figure]) for figure in ("deltas", "first"))
        assert {"ours", "ceiling"} <= set(rows["simultaneous-turns"]["wall"])
        assert "ours" in rows["turn-recovery"]["added"]
