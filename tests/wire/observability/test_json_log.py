"""The log of a server whose ``LOG_FORMAT`` is ``json``; formats are tested in ``tests/unit/test_logs``."""

import json
from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turns.conftest import with_providers
from tests.wire.turns.support import start_thread, text_input


async def test_each_line_is_an_object_that_says_which_request_it_is_about(fake: FakeOpenAI, home: Path) -> None:
    async with with_providers(fake, home, env={"LOG_FORMAT": "json"}) as server:
        thread = await start_thread(server, "once")
        params = {"threadId": thread, "input": text_input("Hello")}
        await server.send({"id": "begin", "method": "turn/start", "params": params, "trace": "none"}, b"no JSON\n")
        assert "result" in await server.answer("begin")
        await server.notification("turn/completed")
        await server.close_input()
        assert await server.exit_status() == 0
    told = [json.loads(line) for line in server.log.read_text().splitlines()]
    (ignored,) = [each for each in told if "trace" in each["message"]]
    assert (ignored["level"], ignored["logger"]) == ("DEBUG", "app_server.tracing")
    assert (ignored["method"], ignored["request_id"], ignored["thread_id"]) == ("turn/start", "begin", thread)
    (refused,) = [each for each in told if "a line was refused" in each["message"]]
    assert not {"method", "request_id"} & refused.keys()
