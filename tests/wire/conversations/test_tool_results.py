"""What a tool of the parent may give back, and what the model reads of it.

Answers that are no results stand in ``test_dynamic_tool_failures``.
"""

from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import LOOKUP, PNG_URL, answer, call, called, completed_items, last_body, told
from tests.wire.turns.support import begin, course, start_thread


async def what_the_model_reads(
    fake: FakeOpenAI, server: ServerProcess, content: list[Json], *, success: bool = True
) -> tuple[Any, Json]:
    """The output upstream and the completed item, for a tool that gives this back."""
    fake.script(tool_calls=[call("call_1")])
    fake.script(text="Done.")
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread)
    await answer(server, await called(server), {"contentItems": content, "success": success})
    done = await course(server, thread, turn)
    assert done.spoken == ["Done."]
    return told(await last_body(fake, 2))[-1][1], completed_items(done, "dynamicToolCall")[0]


async def test_a_tool_that_reports_a_failure_has_failed_and_its_words_are_told(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    content = [{"type": "inputText", "text": "no such file"}]
    output, item = await what_the_model_reads(fake, server, content, success=False)
    assert output == "no such file"
    assert (item["status"], item["success"], item["contentItems"]) == ("failed", False, content)


async def test_several_texts_and_images_are_parts(fake: FakeOpenAI, server: ServerProcess) -> None:
    content = [
        {"type": "inputText", "text": "T1"},
        {"type": "inputImage", "imageUrl": PNG_URL},
        {"type": "inputText", "text": "T2"},
    ]
    output, item = await what_the_model_reads(fake, server, content)
    assert output == [
        {"type": "input_text", "text": "T1"},
        {"type": "input_image", "image_url": PNG_URL, "detail": "high"},
        {"type": "input_text", "text": "T2"},
    ]
    assert (item["status"], item["contentItems"]) == ("completed", content)


async def test_a_tool_may_have_nothing_to_say(fake: FakeOpenAI, server: ServerProcess) -> None:
    output, item = await what_the_model_reads(fake, server, [])
    assert output == []
    assert (item["status"], item["contentItems"]) == ("completed", [])


async def test_an_image_that_would_have_to_be_fetched_fails_the_call(fake: FakeOpenAI, server: ServerProcess) -> None:
    text = "remote image URLs are not supported; use an inline data URL instead"
    output, item = await what_the_model_reads(
        fake, server, [{"type": "inputImage", "imageUrl": "https://example.test/a.png"}]
    )
    assert output == text
    assert (item["status"], item["success"]) == ("failed", False)
    assert item["contentItems"] == [{"type": "inputText", "text": text}]


async def test_a_long_text_is_cut_for_the_model_and_whole_in_the_item(fake: FakeOpenAI, server: ServerProcess) -> None:
    text = "".join(f"{number:07}," for number in range(25_000))
    output, item = await what_the_model_reads(fake, server, [{"type": "inputText", "text": text}])
    assert item["contentItems"][0]["text"] == text
    assert len(output) == 12_024
    assert "…47000 tokens truncated…" in output
    assert (output[:5_000], output[-5_000:]) == (text[:5_000], text[-5_000:])
