"""What the user says, on its way from ``turn/start`` to the request to the model.

Every kind of image and path has its unit test (``tests/unit/threads/test_inputs.py``); here it goes all the way.
"""

import base64
import os
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import PNG, PNG_URL, completed_items, items_of, last_body, requests, told
from tests.wire.turns.support import Course, course, start_thread, talk

JPEG = base64.b64decode("/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//2Q==")
OMITTED = {"type": "input_text", "text": "image content omitted because it could not be processed"}
TOO_MANY = 1_048_577


async def say(server: ServerProcess, thread: str, *content: Json, **params: object) -> Course:
    """One whole turn with this input."""
    begun = await server.result("turn/start", {"threadId": thread, "input": list(content), **params})
    return await course(server, thread, begun["turn"]["id"])


async def parts_of(fake: FakeOpenAI, server: ServerProcess, *content: Json, **params: object) -> list[Json]:
    """The parts of the message that the model gets for this input."""
    thread = await start_thread(server, "once", **params)
    assert (await say(server, thread, *content)).status == "completed"
    (message,) = items_of(await last_body(fake))
    parts: list[Json] = message["content"]
    return parts


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def part(said: str) -> Json:
    return {"type": "input_text", "text": said}


def shown(url: str = PNG_URL) -> Json:
    return {"type": "input_image", "image_url": url, "detail": "high"}


def local(path: Path | str) -> Json:
    return {"type": "localImage", "path": str(path)}


async def test_texts_are_parts_of_one_message_and_the_item_echoes_them(fake: FakeOpenAI, server: ServerProcess) -> None:
    element = {"byteRange": {"start": 0, "end": 1}, "placeholder": "A"}
    thread = await start_thread(server, "once")
    done = await say(server, thread, {**text("a"), "text_elements": [element]}, text("b"))

    (message,) = items_of(await last_body(fake))
    assert (message["role"], message["content"]) == ("user", [part("a"), part("b")])
    (item,) = completed_items(done, "userMessage")
    assert item["clientId"] is None
    assert item["content"] == [
        {"type": "text", "text": "a", "text_elements": [element]},
        {"type": "text", "text": "b", "text_elements": []},
    ]


async def test_a_turn_may_have_nothing_to_say(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    done = await say(server, thread)
    assert completed_items(done, "userMessage") == []
    assert told(await last_body(fake, 2)) == [("user", "First"), ("assistant", "First")]


async def test_a_text_may_be_empty(fake: FakeOpenAI, server: ServerProcess) -> None:
    assert await parts_of(fake, server, text("")) == [part("")]


async def test_characters_of_every_plane_arrive(fake: FakeOpenAI, server: ServerProcess) -> None:
    said = "a\0b \u2028 é 漢 😀 \u202e"
    assert await parts_of(fake, server, text(said)) == [part(said)]


async def test_an_image_comes_as_it_is(fake: FakeOpenAI, server: ServerProcess) -> None:
    image = {"type": "image", "url": PNG_URL}
    assert await parts_of(fake, server, text("See"), image, {"type": "image", "fileId": "file_1"}) == [
        part("See"),
        shown(),
        {"type": "input_image", "file_id": "file_1", "detail": "high"},
    ]


async def test_an_image_that_is_none_is_left_out(fake: FakeOpenAI, server: ServerProcess) -> None:
    assert await parts_of(fake, server, {"type": "image", "url": "data:image/png;base64,AAAA"}) == [OMITTED]


@pytest.mark.parametrize(("data", "kind"), [(PNG, "png"), (JPEG, "jpeg")])
async def test_an_image_file_is_sent_by_its_content(
    fake: FakeOpenAI, server: ServerProcess, tmp_path: Path, data: bytes, kind: str
) -> None:
    file = tmp_path / "picture.bin"
    file.write_bytes(data)
    thread = await start_thread(server, "once")
    done = await say(server, thread, text("See"), local(file))

    (message,) = items_of(await last_body(fake))
    assert message["content"] == [
        part("See"),
        part(f'<image name=[Image #1] path="{file}">'),
        shown(f"data:image/{kind};base64,{base64.b64encode(data).decode()}"),
        part("</image>"),
    ]
    (item,) = completed_items(done, "userMessage")
    assert item["content"][1] == {"type": "localImage", "detail": None, "path": str(file)}


async def test_a_relative_image_is_looked_for_in_the_turns_folder(
    fake: FakeOpenAI, server: ServerProcess, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.png").write_bytes(PNG)
    (tmp_path / "two" / "b.png").write_bytes(PNG)
    thread = await start_thread(server, "once", cwd=str(tmp_path / "one"))
    await say(server, thread, local("a.png"))
    await say(server, thread, local("b.png"), cwd=str(tmp_path / "two"))
    sent = [item for item in items_of(await last_body(fake, 2)) if item["role"] == "user"]
    assert [message["content"][1] for message in sent] == [shown(), shown()]


async def test_images_are_numbered_whether_or_not_they_can_be_read(
    fake: FakeOpenAI, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    gone = tmp_path / "gone.png"
    parts = await parts_of(fake, server, {"type": "image", "url": PNG_URL}, local(gone), local(file))
    assert parts == [
        shown(),
        part(f"Codex could not read the local image at `{gone}`: No such file or directory (os error 2)"),
        part(f'<image name=[Image #3] path="{file}">'),
        shown(),
        part("</image>"),
    ]


async def test_a_directory_is_no_image(fake: FakeOpenAI, server: ServerProcess, tmp_path: Path) -> None:
    assert await parts_of(fake, server, local(tmp_path)) == [
        part(f"Codex could not read the local image at `{tmp_path}`: Is a directory (os error 21)")
    ]


async def test_a_file_that_is_no_image_is_left_out(fake: FakeOpenAI, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "secret.png"
    file.write_text("what the model must not read")
    assert await parts_of(fake, server, local(file)) == [
        part(f'<image name=[Image #1] path="{file}">'),
        OMITTED,
        part("</image>"),
    ]


async def test_a_fifo_holds_up_nobody(fake: FakeOpenAI, server: ServerProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    (refusal,) = await parts_of(fake, server, local(fifo))
    assert refusal["text"].startswith(f"Codex could not read the local image at `{fifo}`: ")


async def test_an_image_file_that_is_too_large_is_not_read(
    fake: FakeOpenAI, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PNG.ljust(1025, b"\0"))
    parts = await parts_of(fake, server, local(file), config={"app_server.max_image_bytes": 1024})
    assert parts == [part(f"Codex could not read the local image at `{file}`: it is larger than 1024 bytes")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "HTTPS://example.test/x.png"])
async def test_an_image_that_would_have_to_be_fetched_is_refused(
    fake: FakeOpenAI, server: ServerProcess, url: str
) -> None:
    thread = await start_thread(server, "once")
    wish = {"threadId": thread, "input": [text("See"), {"type": "image", "url": url}]}
    assert await server.error("turn/start", wish) == {
        "code": -32600,
        "message": "remote image URLs are not supported; use an inline data URL instead",
    }
    assert await server.barrier() == []
    assert len(fake.requests) == 0


async def test_a_mention_and_a_skill_are_told(fake: FakeOpenAI, server: ServerProcess, tmp_path: Path) -> None:
    skill = tmp_path / "SKILL.md"
    skill.write_text("Count to three.")
    parts = await parts_of(
        fake,
        server,
        {"type": "skill", "name": "counting", "path": str(skill)},
        {"type": "mention", "name": "notes", "path": "app://notes"},
        text("Go"),
    )
    assert parts == [
        part("The user mentions notes: app://notes"),
        part("Go"),
        part(f"<skill>\n<name>counting</name>\n<path>{skill}</path>\nCount to three.\n</skill>"),
    ]


async def test_a_million_characters_and_one_more_are_refused(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    half = "é" * (TOO_MANY // 2)
    wish = {"threadId": thread, "input": [text(half), text(half + "x")]}
    assert await server.error("turn/start", wish) == {
        "code": -32602,
        "message": "Input exceeds the maximum length of 1048576 characters.",
        "data": {"input_error_code": "input_too_large", "max_chars": 1_048_576, "actual_chars": TOO_MANY},
    }
    wish = {"threadId": thread, "expectedTurnId": "x", "input": [text("x" * TOO_MANY)]}
    assert (await server.error("turn/steer", wish))["code"] == -32602
    fake.script(text="Much.")
    assert (await say(server, thread, text(half), text(half))).spoken == ["Much."]


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({}, "missing field `input`"),
        (
            {"input": [{"type": "zz"}]},
            "unknown variant `zz`, expected one of `text`, `image`, `localImage`, `skill`, `mention`",
        ),
        ({"input": [{"type": "text"}]}, "missing field `text`"),
    ],
)
async def test_what_is_no_input_is_refused(server: ServerProcess, wish: Json, problem: str) -> None:
    thread = await start_thread(server, "once")
    assert await server.error("turn/start", {"threadId": thread, **wish}) == {
        "code": -32600,
        "message": f"Invalid request: {problem}",
    }


async def test_what_the_application_adds_comes_before_what_the_user_says(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once", developerInstructions="Be kind.")
    context = {
        "clipboard": {"value": "of no authority", "kind": "untrusted"},
        "policy": {"value": "of the application", "kind": "application"},
    }
    done = await say(server, thread, text("First"), additionalContext=context)
    await talk(server, thread, "Second")

    first, second = [request.json["input"] for request in await requests(fake, 2)]
    *_, untrusted, trusted, user = first
    assert (untrusted["type"], untrusted["name"], untrusted["namespace"], untrusted["output"]) == (
        "function_call_output",
        "clipboard",
        "agent",
        "of no authority",
    )
    assert (trusted["role"], trusted["content"][0]["text"]) == ("developer", "<policy>of the application</policy>")
    assert user["content"] == [part("First")]
    assert [item["content"][0]["text"] for item in completed_items(done, "userMessage")] == ["First"]
    # It is said once, and what the model knows of its surroundings is not said again because of it.
    assert second[: len(first)] == first
    assert [item["role"] for item in second[len(first) :]] == ["assistant", "user"]


async def test_the_same_request_is_not_longer_for_what_the_model_knows(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once", developerInstructions="Be kind.")
    for number in range(3):
        await talk(server, thread, f"Number {number}")
    inputs = [request.json["input"] for request in await requests(fake, 3)]
    assert [len(items) for items in inputs] == [3, 5, 7]
    # What was sent before is sent again to the letter, or the model's side could not reuse it.
    assert inputs[2][:5] == inputs[1]
    assert inputs[1][:3] == inputs[0]
