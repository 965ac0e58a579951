"""The single file unpacks itself once, whole or not at all, and says so when it cannot run here.

What it holds in these tests is a program of one line; ``make zipapp`` runs the real one.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from shipping.zipapp import bootstrap
from shipping.zipapp.build import build

PROGRAM = "import sys\ndef main() -> int:\n    print(__file__, *sys.argv[1:])\n    return 3\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    package = tmp_path / "contents" / "app_server"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    build(tmp_path / "contents", "1.2.3", tmp_path / "app.pyz")
    return tmp_path / "app.pyz"


def start(file: Path, cache: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, bootstrap.CACHE_VARIABLE: str(cache)}
    return subprocess.Popen(
        [sys.executable, str(file), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_it_runs_what_it_holds_from_a_directory_named_after_it(file: Path, tmp_path: Path) -> None:
    status, out, err = finish(start(file, tmp_path / "cache", "-c", "x=1"))
    [unpacked] = (tmp_path / "cache").iterdir()
    assert unpacked.name.startswith("1.2.3-")
    assert (status, out, err) == (3, f"{unpacked / 'app_server' / '__main__.py'} -c x=1\n", "")


def test_several_that_start_at_once_unpack_it_once_and_leave_nothing_else(file: Path, tmp_path: Path) -> None:
    processes = [start(file, tmp_path / "cache") for _ in range(8)]
    assert {finish(process)[0] for process in processes} == {3}
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_what_was_unpacked_is_not_written_again(file: Path, tmp_path: Path) -> None:
    finish(start(file, tmp_path / "cache"))
    [unpacked] = (tmp_path / "cache").iterdir()
    (unpacked / "app_server" / "__main__.py").write_text("def main() -> int:\n    return 4\n")
    assert finish(start(file, tmp_path / "cache"))[0] == 4


def test_a_cache_that_cannot_be_written_is_told_in_one_line(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.touch()
    status, out, err = finish(start(file, cache))
    assert (status, out) == (1, "")
    assert err.startswith(f"app-server: cannot unpack into {cache}")
    assert bootstrap.CACHE_VARIABLE in err
    assert len(err.splitlines()) == 1


def test_another_interpreter_is_refused_in_one_line(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "amiga")
    build(tmp_path / "contents", "1.2.3", file)
    monkeypatch.undo()
    status, out, err = finish(start(file, tmp_path / "cache"))
    assert (status, out) == (1, "")
    assert "amiga" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "cache").exists()


def test_the_same_contents_make_the_same_file(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    build(tmp_path / "contents", "1.2.3", again)
    assert again.read_bytes() == file.read_bytes()
