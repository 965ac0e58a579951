"""The command ``python -m protocol.export``: what it writes, and how it finds what is not fresh."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protocol import catalogue
from protocol.export import generate_json, generate_ts
from protocol.export.__main__ import main
from protocol.export.declarations import Declaration
from protocol.export.tree import GENERATED

CHECKOUT = Path(__file__).resolve().parents[3]


def contents(directory: Path) -> dict[str, bytes]:
    files = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes, once, because that takes a second; for tests that leave it as it is."""
    out = tmp_path_factory.mktemp("written")
    assert main(["--out", str(out)]) == 0
    return out


@pytest.fixture
def fresh(tmp_path: Path, written: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


def check(out: Path, *more: str) -> int:
    return main(["--check", "--out", str(out), *more])


def test_the_schema_of_this_checkout_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    code = check(CHECKOUT / "schema")
    assert (code, capsys.readouterr().out) == (0, "")


def test_what_was_just_written_is_fresh(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(fresh) == 0
    assert capsys.readouterr() == ("", "")


def by_file(shown: str) -> dict[str, list[str]]:
    """The lines of a diff, by the two lines that say which file it is about."""
    parts = re.split(r"^(?=--- )", shown, flags=re.MULTILINE)
    assert parts.pop(0) == ""
    return {part.partition("\n@@")[0]: part.splitlines()[2:] for part in parts}


def test_changed_files_are_shown_as_a_diff(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [fresh / "json/v2/GetAccountResponse.json", fresh / "ts/account.ts"]
    for path in paths:
        path.write_text(path.read_text(encoding="utf-8").replace("userId", "userName"), encoding="utf-8")
    before = contents(fresh)

    assert check(fresh) == 1
    shown = by_file(capsys.readouterr().out)
    assert list(shown) == [f"--- {path.as_posix()}\n+++ {path.as_posix()}" for path in paths]
    for lines in shown.values():
        assert any(line.startswith("-") and "userName" in line for line in lines)
        assert any(line.startswith("+") and "userId" in line for line in lines)
    assert contents(fresh) == before, "a check writes nothing"


def test_missing_files_are_shown_as_a_diff_from_nothing(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [fresh / "json/ClientRequest.json", fresh / "ts/index.ts"]
    missing = [path.read_text(encoding="utf-8").splitlines() for path in paths]
    for path in paths:
        path.unlink()

    assert check(fresh) == 1
    shown = by_file(capsys.readouterr().out)
    assert list(shown) == [f"--- /dev/null\n+++ {path.as_posix()}" for path in paths]
    assert [lines[1:] for lines in shown.values()] == [[f"+{line}" for line in lines] for lines in missing]


def test_superfluous_files_are_shown_as_a_diff_to_nothing(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [fresh / "json/v2/Former.json", fresh / "json/v3/Former.json", fresh / "ts/former.ts"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("former\n", encoding="utf-8")

    assert check(fresh) == 1
    assert by_file(capsys.readouterr().out) == {
        f"--- {path.as_posix()}\n+++ /dev/null": ["@@ -1 +0,0 @@", "-former"] for path in paths
    }


def test_a_directory_without_any_schema_is_not_fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "nowhere") == 1
    assert "+++ " in capsys.readouterr().out
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_newline_at_the_end_is_a_difference(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = fresh / "ts" / "index.ts"
    file.write_text(file.read_text(encoding="utf-8").removesuffix("\n"), encoding="utf-8")
    assert check(fresh) == 1
    assert "\\ No newline at end of file\n" in capsys.readouterr().out


def test_the_stable_schema_is_not_the_experimental_one(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(fresh, "--experimental") == 1
    assert "idToken" in capsys.readouterr().out
    assert main(["--out", str(fresh), "--experimental"]) == 0
    assert check(fresh, "--experimental") == 0


def test_the_stable_schema_has_no_experimental_member_but_keeps_the_variant(tmp_path: Path) -> None:
    generate_json(tmp_path, experimental=False)
    generate_ts(tmp_path, experimental=False)
    for file, content in contents(tmp_path).items():
        assert b"idToken?" not in content, file
        assert b'"idToken"' not in content, file
    login = json.loads((tmp_path / "v2/LoginAccountParams.json").read_text(encoding="utf-8"))
    variant = login["definitions"]["ChatgptAuthTokensLogin"]
    assert variant["description"].endswith("Experimental: needs the `experimentalApi` capability.")


def test_writing_removes_what_an_earlier_run_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    former = tmp_path / "v2" / "Former.json"
    former.write_text(json.dumps({"$comment": GENERATED}), encoding="utf-8")
    kept = [tmp_path / "v2" / "mine.json", tmp_path / "package.json", tmp_path / "other" / "Former.json"]
    (tmp_path / "other").mkdir()
    for file in kept:
        file.write_text("{}", encoding="utf-8")
    kept[-1].write_text(json.dumps({"$comment": GENERATED}), encoding="utf-8")

    generate_json(tmp_path)
    generate_ts(tmp_path)
    assert not former.exists()
    assert all(file.exists() for file in kept)
    assert (tmp_path / "ClientRequest.json").exists(), "TypeScript beside JSON Schema removes none of it"


def test_both_ways_to_generate_write_the_same_files(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("direct")
    generate_json(out / "json")
    generate_ts(out / "ts")
    assert contents(out) == contents(fresh)


def test_the_output_does_not_depend_on_the_hash_seed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """That of this process is random."""
    out = tmp_path_factory.mktemp("seed")
    subprocess.run(
        [sys.executable, "-m", "protocol.export", "--out", str(out)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(CHECKOUT)},
        check=True,
        timeout=60,
    )
    assert contents(out) == contents(fresh)


def test_every_file_says_that_it_is_generated_and_ends_with_one_newline(fresh: Path) -> None:
    for file, content in contents(fresh).items():
        lines = content.decode("utf-8").split("\n")
        assert any(GENERATED in line for line in lines[:3]), file
        assert lines[-1] == "", file
        assert lines[-2] != "", file
        assert b"\r" not in content, file


def test_every_declared_method_has_an_entry(fresh: Path) -> None:
    entries = json.loads((fresh / "json/methods.json").read_text(encoding="utf-8"))["methods"]
    declared: list[tuple[Declaration, str, str]] = [
        *((declaration, "clientToServer", "request") for declaration in catalogue.CLIENT_REQUESTS),
        *((declaration, "clientToServer", "notification") for declaration in catalogue.CLIENT_NOTIFICATIONS),
        *((declaration, "serverToClient", "request") for declaration in catalogue.SERVER_REQUESTS),
        *((declaration, "serverToClient", "notification") for declaration in catalogue.SERVER_NOTIFICATIONS),
    ]
    expected = [
        (declaration.method, direction, kind)
        for declaration, direction, kind in declared
        if not getattr(declaration, "experimental", False)
    ]
    assert [(entry["method"], entry["direction"], entry["kind"]) for entry in entries] == expected


def test_an_entry_says_all_that_the_declaration_says(fresh: Path) -> None:
    entries = json.loads((fresh / "json/methods.json").read_text(encoding="utf-8"))["methods"]
    by_method = {entry.pop("method"): entry for entry in entries}
    for entry in entries:
        del entry["description"]
    assert by_method["account/rateLimits/read"] == {
        "kind": "request",
        "direction": "clientToServer",
        "params": "GetAccountRateLimitsParams",
        "paramsPresence": "optional",
        "result": "GetAccountRateLimitsResponse",
        "scope": "concurrent",
        "experimental": False,
        "errorCodes": [-32603, -32600],
    }
    assert by_method["account/logout"]["params"] is None
    assert by_method["account/logout"]["paramsPresence"] == "unit"
    assert by_method["getAuthStatus"]["errorCodes"] == [-32600], "params can always be malformed"
    assert by_method["initialized"]["paramsPresence"] is None
    assert by_method["account/updated"]["result"] is None


def test_every_params_and_result_has_a_file_of_its_own(fresh: Path) -> None:
    files = {file.stem for file in (fresh / "json").rglob("*.json")}
    for entry in json.loads((fresh / "json/methods.json").read_text(encoding="utf-8"))["methods"]:
        if entry["params"]:
            assert ("Nullable" if entry["paramsPresence"] == "optional" else "") + entry["params"] in files
        if entry["result"]:
            assert entry["result"] in files


def test_the_layout_is_that_of_the_reference(fresh: Path) -> None:
    for path in (
        "ClientNotification.json",
        "ClientRequest.json",
        "ServerNotification.json",
        "ServerRequest.json",
        "JSONRPCError.json",
        "JSONRPCErrorError.json",
        "JSONRPCMessage.json",
        "JSONRPCNotification.json",
        "JSONRPCRequest.json",
        "JSONRPCResponse.json",
        "RequestId.json",
        "ChatgptAuthTokensRefreshParams.json",
        "ChatgptAuthTokensRefreshResponse.json",
        "GetAuthStatusParams.json",
        "v1/InitializeParams.json",
        "v1/InitializeResponse.json",
        "v2/LoginAccountParams.json",
        "v2/AccountUpdatedNotification.json",
        "app_server_protocol.schemas.json",
    ):
        assert (fresh / "json" / path).is_file(), path
