"""What the user puts into a turn, made into parts for the model."""

import base64
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.threads.inputs import MAX_SKILL_BYTES, PreparedInput, check, prepare
from protocol.errors import MAX_INPUT_CHARACTERS, InputTooLarge, InvalidRequest
from protocol.user_input import UserInput

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
OMITTED = {"type": "input_text", "text": "image content omitted because it could not be processed"}


def inputs(*raw: dict[str, Any]) -> list[UserInput]:
    return [UserInput.model_validate(each) for each in raw]


async def prepared(cwd: Path, *raw: dict[str, Any], max_image_bytes: int = 1_000_000) -> PreparedInput:
    with anyio.fail_after(5):
        return await prepare(inputs(*raw), cwd=str(cwd), max_image_bytes=max_image_bytes)


async def parts(cwd: Path, *raw: dict[str, Any], max_image_bytes: int = 1_000_000) -> list[dict[str, Any]]:
    return (await prepared(cwd, *raw, max_image_bytes=max_image_bytes)).parts


def shown(detail: str = "high", url: str = DATA_URL) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, "detail": detail}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def said(parts: Sequence[dict[str, Any]]) -> list[str]:
    return [part["text"] for part in parts]


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_each_text_is_a_part_and_the_item_echoes_what_was_sent(tmp_path: Path) -> None:
    raw = {**text("a"), "text_elements": [{"byteRange": {"start": 0, "end": 1}, "placeholder": "A"}]}
    result = await prepared(tmp_path, raw, text(""))
    assert result.parts == [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": ""}]
    assert result.content == inputs(raw, text(""))


async def test_no_input_has_no_parts(tmp_path: Path) -> None:
    assert await prepared(tmp_path) == PreparedInput([], [])


async def test_the_texts_together_may_have_a_million_code_points(tmp_path: Path) -> None:
    half = "😀" * (MAX_INPUT_CHARACTERS // 2)
    check(inputs(text(half), text(half)))
    with pytest.raises(InputTooLarge) as caught:
        await prepared(tmp_path, text(half), text(half + "x"))
    assert caught.value.code == -32602
    assert caught.value.message == "Input exceeds the maximum length of 1048576 characters."
    assert caught.value.data == {
        "input_error_code": "input_too_large",
        "max_chars": 1_048_576,
        "actual_chars": 1_048_577,
    }


@pytest.mark.parametrize("url", ["http://example.test/x.png", "HTTPS://example.test/x.png"])
async def test_an_image_that_would_have_to_be_fetched_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await prepared(tmp_path, {"type": "image", "url": url})
    assert caught.value.message == "remote image URLs are not supported; use an inline data URL instead"


async def test_an_image_of_the_upstream_goes_by_its_id(tmp_path: Path) -> None:
    assert await parts(tmp_path, {"type": "image", "fileId": "file_1"}) == [
        {"type": "input_image", "file_id": "file_1", "detail": "high"}
    ]


@pytest.mark.parametrize(
    ("asked", "sent"), [(None, "high"), ("low", "low"), ("auto", "auto"), ("high", "high"), ("original", "high")]
)
async def test_the_detail_is_high_unless_asked_otherwise(tmp_path: Path, asked: str | None, sent: str) -> None:
    assert await parts(tmp_path, {"type": "image", "url": DATA_URL, "detail": asked}) == [shown(sent)]


async def test_a_data_url_that_is_named_rightly_is_not_copied(tmp_path: Path) -> None:
    [part] = await parts(tmp_path, {"type": "image", "url": DATA_URL})
    assert part["image_url"] is DATA_URL


@pytest.mark.parametrize("prefix", ["data:image/jpeg;base64,", "data:;base64,", "DATA:text/plain;charset=x;BASE64,"])
async def test_a_data_url_is_named_by_what_it_holds(tmp_path: Path, prefix: str) -> None:
    url = prefix + base64.b64encode(PNG).decode()
    assert await parts(tmp_path, {"type": "image", "url": url}) == [shown()]


@pytest.mark.parametrize(
    "url",
    [
        "data:,x",
        "data:",
        "data:image/png",
        "data:image/png;base64,",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,é",
        DATA_URL[:-1],
        DATA_URL[:-8] + "!" + DATA_URL[-7:],
        DATA_URL.replace(";base64", ""),
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
    ],
)
async def test_a_data_url_that_is_no_image_is_left_out_and_the_model_told(tmp_path: Path, url: str) -> None:
    assert await parts(tmp_path, {"type": "image", "url": url}) == [OMITTED]


async def test_a_url_of_another_kind_is_for_the_upstream_to_judge(tmp_path: Path) -> None:
    assert await parts(tmp_path, {"type": "image", "url": "zzz"}) == [shown(url="zzz")]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0rest", "jpeg"),
        (b"GIF87arest", "gif"),
        (b"GIF89arest", "gif"),
        (b"RIFF\0\0\0\0WEBPrest", "webp"),
    ],
)
async def test_an_image_file_is_sent_as_a_data_url_between_texts(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(data)
    assert await parts(tmp_path, {"type": "localImage", "path": str(path)}) == [
        {"type": "input_text", "text": f'<image name=[Image #1] path="{path}">'},
        shown(url=f"data:image/{kind};base64,{base64.b64encode(data).decode()}"),
        {"type": "input_text", "text": "</image>"},
    ]


async def test_a_relative_path_starts_from_the_threads_folder_and_is_shown_as_given(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    found = await parts(tmp_path, {"type": "localImage", "path": "a.png", "detail": "low"})
    assert found[0]["text"] == '<image name=[Image #1] path="a.png">'
    assert found[1] == shown("low")


async def test_images_are_numbered_through_also_those_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    found = await parts(
        tmp_path,
        {"type": "image", "url": DATA_URL},
        {"type": "localImage", "path": "none.png"},
        {"type": "image", "fileId": "f"},
        {"type": "localImage", "path": "a.png"},
    )
    assert found[3]["text"] == '<image name=[Image #4] path="a.png">'


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none.png", "No such file or directory (os error 2)"),
        ("", "No such file or directory (os error 2)"),
        ("folder", "Is a directory (os error 21)"),
        ("a.png/b.png", "Not a directory (os error 20)"),
        ("a\0b", "its name is not one that a file can have"),
        ("\ud800", "its name is not one that a file can have"),
    ],
)
async def test_a_file_that_cannot_be_read_does_not_stop_the_turn(tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.png").write_bytes(PNG)
    assert said(await parts(tmp_path, {"type": "localImage", "path": path})) == [
        f"Codex could not read the local image at `{path}`: {why}"
    ]


async def test_a_file_without_permission_does_not_stop_the_turn(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "a.png").chmod(0)
    assert "Permission denied (os error 13)" in said(await parts(tmp_path, {"type": "localImage", "path": "a.png"}))[0]


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    yield path
    with contextlib.suppress(OSError):  # lets go of a reader that does wait
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


async def test_a_fifo_is_never_waited_for(tmp_path: Path, fifo: Path) -> None:
    [told] = said(await parts(tmp_path, {"type": "localImage", "path": fifo.name}))
    assert told == "Codex could not read the local image at `pipe`: it is not a regular file"


async def test_a_device_is_not_read(tmp_path: Path) -> None:
    [told] = said(await parts(tmp_path, {"type": "localImage", "path": "/dev/zero"}))
    assert told.endswith("it is not a regular file")


async def test_no_file_stays_open(tmp_path: Path, fifo: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    raw = [{"type": "localImage", "path": path} for path in (".", fifo.name, "a.png", "/dev/zero", "none")]
    await prepared(tmp_path, *raw)
    before = open_files()
    await prepared(tmp_path, *raw)
    assert open_files() == before


async def test_an_image_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    raw = {"type": "localImage", "path": "a.png"}
    assert len(await parts(tmp_path, raw, max_image_bytes=len(PNG))) == 3
    assert said(await parts(tmp_path, raw, max_image_bytes=len(PNG) - 1)) == [
        f"Codex could not read the local image at `a.png`: it is larger than {len(PNG) - 1} bytes"
    ]


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"just text", b"RIFF\0\0\0\0WAVE"])
async def test_a_file_that_is_no_image_is_left_out_and_the_model_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    found = await parts(tmp_path, {"type": "localImage", "path": "x"})
    assert found[1] == OMITTED
    assert len(found) == 3


async def test_the_file_of_a_skill_is_handed_to_the_model_after_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "SKILL.md"
    path.write_text("Do it well: é\n")
    found = await parts(tmp_path, {"type": "skill", "name": "demo", "path": str(path)}, text("go"))
    assert said(found) == [
        "go",
        f"<skill>\n<name>demo</name>\n<path>{path}</path>\nDo it well: é\n\n</skill>",
    ]


async def test_a_long_skill_is_cut_between_characters_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text("x" + "é" * MAX_SKILL_BYTES)
    [told] = said(await parts(tmp_path, {"type": "skill", "name": "demo", "path": "SKILL.md"}))
    assert told.count("é") == MAX_SKILL_BYTES // 2 - 1
    assert f"[The file is longer; these are its first {MAX_SKILL_BYTES} bytes.]" in told


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none", "No such file or directory (os error 2)"),
        ("binary", "it is not text in UTF-8"),
        (".", "Is a directory (os error 21)"),
    ],
)
async def test_a_skill_that_cannot_be_read_is_told_to_the_model(tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 300_000)
    assert said(await parts(tmp_path, {"type": "skill", "name": "demo", "path": path})) == [
        f"The skill demo could not be read from `{path}`: {why}"
    ]


async def test_a_mention_is_told_to_the_model(tmp_path: Path) -> None:
    mention = {"type": "mention", "name": "main.py", "path": "/src/main.py"}
    assert said(await parts(tmp_path, text("look at @main.py"), mention)) == [
        "look at @main.py",
        "The user mentions main.py: /src/main.py",
    ]


async def test_a_mention_whose_path_is_in_the_text_needs_no_more_words(tmp_path: Path) -> None:
    mention = {"type": "mention", "name": "main.py", "path": "/src/main.py"}
    assert said(await parts(tmp_path, mention, text("look at [@main.py](/src/main.py)"))) == [
        "look at [@main.py](/src/main.py)"
    ]
