"""Bad servers and bad handlers: the Python client says clearly what happened, does not hang, and leaves no process.

The servers are scripts of a few lines. What the client does with a good one is tested in ``test_in_process``.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

import anyio
import pytest

from app_server.client import Client, InvalidAnswer, ServerError, ServerGone, spawn
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    GetAccountParams,
)
from protocol.items import (
    AGENT_MESSAGE_DELTA,
)
from protocol.lifecycle import CONFIG_WARNING
from tests.support.scripted_server import (
    DEADLINE,
    LOGGED_OUT,
    READY,
    expect_no_process_left,
    read_account,
    says,
    server,
    serving,
)

no_process_is_left = pytest.fixture(autouse=True)(expect_no_process_left)

# Commands that cannot be started


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-program"], "No such file"),
        ("no such program", "no such program"),
        ([], "the command is empty"),
        (["nul\0byte"], "null byte"),
    ],
)
async def test_a_wrong_command_is_gone_with_the_reason(command: list[str], why: str) -> None:
    with pytest.raises(ServerGone, match=why) as gone:
        async with spawn(command):
            pytest.fail("there is nothing to talk to")
    assert (gone.value.status, gone.value.stderr) == (None, "")


async def test_a_command_that_is_no_program_is_gone_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Hello")
    for path in (tmp_path, tmp_path / "text"):
        with pytest.raises(ServerGone, match="Permission denied"):
            async with spawn([str(path)]):
                pytest.fail("there is nothing to talk to")


# Servers that die


async def test_a_server_that_dies_at_once_is_gone_with_its_last_words_without_secrets() -> None:
    script = "print('Traceback\\nBearer hush-hush\\n  KeyError: 7', file=sys.stderr); sys.exit(3)"
    async with serving(script, stderr=subprocess.PIPE) as client:
        with pytest.raises(ServerGone, match="status 3; the end of its stderr:") as gone:
            await client.initialize("x", "1")
    assert gone.value.status == 3
    assert gone.value.stderr == "Traceback\nBearer <redacted>\n  KeyError: 7"
    assert str(gone.value).endswith(gone.value.stderr)


async def test_only_the_end_of_what_it_wrote_is_kept() -> None:
    script = (
        "sys.stderr.write('x' * 3_000_000 + '\\n' + 'line\\n' * 100_000 + 'y' * 100_000 + '\\nthe end'); sys.exit(1)"
    )
    async with serving(script, stderr=subprocess.PIPE) as client:
        with pytest.raises(ServerGone) as gone:
            await client.initialize("x", "1")
    lines = gone.value.stderr.splitlines()
    assert lines[-3:] == ["line", "y" * 500, "the end"]
    assert len(lines) <= 21


async def test_a_server_that_dies_by_a_signal_is_gone_with_its_name() -> None:
    async with serving("os.kill(os.getpid(), 9)") as client:
        with pytest.raises(ServerGone, match=r"status -9 \(SIGKILL\)$") as gone:
            await client.initialize("x", "1")
    assert gone.value.status == -signal.SIGKILL
    assert gone.value.stderr == ""


async def test_a_server_that_dies_amid_requests_fails_all_of_them_and_those_that_follow() -> None:
    failed: list[ServerGone] = []

    async def ask(client: Client) -> None:
        with pytest.raises(ServerGone, match="status 4") as gone:
            await read_account(client)
        failed.append(gone.value)

    async with spawn(
        server(READY + 'read(); read(); read(); sys.stdout.write(\'{"id":1,"res\'); sys.exit(4)')
    ) as client:
        await client.initialize("x", "1")
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask, client)
        await ask(client)
        with pytest.raises(ServerGone):
            await client.notification(CONFIG_WARNING)
        assert [arrived async for arrived in client.notifications()] == []
    assert len(failed) == 4


async def test_a_server_that_dies_in_a_turn_ends_it_with_what_had_come() -> None:
    script = """
answer({"turn": TURN})
write({"method": "item/agentMessage/delta",
       "params": {"threadId": "thread", "turnId": "t", "itemId": "i", "delta": "Hel"}})
sys.exit(5)
"""
    seen = []
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        turn = await client.start_turn(says("Hi"))

        async def read() -> None:
            async for declaration, params in turn:
                seen.append((declaration, params.delta))

        for again in (read, turn.completed, turn.interrupt):
            with pytest.raises(ServerGone, match="status 5"):
                await again()
    assert seen == [(AGENT_MESSAGE_DELTA, "Hel")]


async def test_a_server_whose_own_child_keeps_the_output_open_is_gone_all_the_same(tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    script = f"import subprocess; subprocess.Popen(['cat', {str(held)!r}]); print('bye', file=sys.stderr); os._exit(6)"
    try:
        async with serving(script, stderr=subprocess.PIPE) as client:
            with pytest.raises(ServerGone, match="status 6") as gone:
                await client.initialize("x", "1")
        assert gone.value.stderr == "bye"
    finally:
        await anyio.to_thread.run_sync(held.write_text, "")  # which ends the child


async def test_a_server_that_closes_its_output_and_goes_on_is_gone_without_a_status() -> None:
    async with serving("os.close(1); read(); read()") as client:
        with pytest.raises(ServerGone, match="the server is gone") as gone:
            await client.initialize("x", "1")
    assert gone.value.status is None


# Servers that talk nonsense


async def test_garbage_is_passed_over_and_what_is_meant_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    script = """
write("Welcome!", "", "null", "7", "[]", "[{}]", "{}", '{"id":1}', '{"id":null,"method":"x"}', '{"id":[],"result":1}',
      '{"method":7}', '{"method":"no/such/notification","params":{}}', '{"method":"account/updated"}',
      '{"method":"account/updated","params":{"authMode":"nonsense"}}', '{"method":"turn/completed","params":{}}',
      '{"id":"1","result":{}}', '{"id":true,"result":{}}', '{"id":1.0,"result":{}}', '{"id":99,"result":{}}',
      '{"id":-1,"error":7}', "[" * 100_000, '{"' * 100_000, "\\ud800".encode("utf-8", "replace").decode())
sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\n" + b"\\r\\n" + b'{"method":"account/updated","par')
sys.stdout.buffer.flush()
sys.stdout.buffer.write(b'ams":{"authMode":"apikey"}}\\r\\n')
sys.stdout.buffer.flush()
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        await read_account(client)
        assert (await client.notification(ACCOUNT_UPDATED)).auth_mode == "apikey"
    assert caplog.text.count("no message") > 10


async def test_a_line_without_end_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    script = """
for _ in range(65):
    sys.stdout.write("x" * 1024 * 1024)
write("")
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        await read_account(client)
    assert "too long" in caplog.text


async def test_a_result_of_the_wrong_shape_is_a_clear_error_that_does_not_quote_it() -> None:
    async with serving(READY + 'answer({"account": "sk-hush-hush", "requiresOpenaiAuth": 7}); read()') as client:
        await client.initialize("x", "1")
        with pytest.raises(InvalidAnswer) as told:
            await read_account(client)
    assert "hush" not in str(told.value)


async def test_an_error_of_the_wrong_shape_is_an_error() -> None:
    script = 'write({"id": read()["id"], "error": "no"}); write({"id": read()["id"], "error": {"code": "x"}}); read()'
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        for _ in range(2):
            with pytest.raises(ServerError, match="malformed error object"):
                await read_account(client)


async def test_a_server_that_never_answers_costs_the_timeout_and_is_killed_when_it_does_not_end() -> None:
    script = 'write(\'{"method":"account/updated","params":{}}\')\nwhile True: time.sleep(60)'
    async with serving(script, stop_timeout=0.1) as client:
        await client.notification(ACCOUNT_UPDATED)
        with pytest.raises(TimeoutError, match=r"account/read: no answer within 0\.05 s"):
            await read_account(client, timeout=0.05)
        with pytest.raises(TimeoutError, match="turn/start"):
            await client.start_turn(says("Hi"), timeout=0.05)


async def test_an_answer_that_comes_too_late_or_twice_disturbs_nobody() -> None:
    script = """
late = read()["id"]
read_again = read()["id"]
write({"id": late, "result": {"account": None, "requiresOpenaiAuth": True}})
for _ in range(2): write({"id": read_again, "result": {"account": None, "requiresOpenaiAuth": False}})
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        with pytest.raises(TimeoutError):
            await read_account(client, timeout=0.05)
        seen = [(await client.request(ACCOUNT_READ, GetAccountParams())).requires_openai_auth for _ in range(2)]
    assert seen == [False, True]


async def test_a_notification_that_does_not_come_is_named() -> None:
    async with serving("read()") as client:
        with pytest.raises(TimeoutError, match=r"configWarning: none came within 0\.05 s"):
            await client.notification(CONFIG_WARNING, timeout=0.05)


async def test_a_trace_that_raises_is_logged_once_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    for direction in ("sent", "received"):

        def fail(seen: str, line: bytes, direction: str = direction) -> None:
            if seen == direction:
                raise LookupError(f"a bug where it was {direction}")

        async with serving(READY + f"answer({LOGGED_OUT}); read()", trace=fail) as client:
            await client.initialize("x", "1")
            await read_account(client)
        assert caplog.text.count(f"a bug where it was {direction}") == 1


# What a request says of the trace that it belongs to

TRACED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "congo=t61rcWkgMzE"}


@pytest.mark.parametrize(
    ("carrier", "sent"),
    [
        (None, None),
        ({}, None),  # OpenTelemetry's, where no span is active
        (TRACED, TRACED),
        ({**TRACED, "baggage": "user=hush-hush"}, TRACED),
        ({"traceparent": TRACED["traceparent"]}, {"traceparent": TRACED["traceparent"]}),
    ],
)
async def test_a_request_says_the_trace_that_it_is_given(
    carrier: dict[str, str] | None, sent: dict[str, str] | None
) -> None:
    script = """
for result in ({"account": None, "requiresOpenaiAuth": True}, {"turn": TURN}):
    asked = read()
    write({"method": "configWarning", "params": {"summary": json.dumps(asked.get("trace"))}},
          {"id": asked["id"], "result": result})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        await client.request(ACCOUNT_READ, GetAccountParams(), trace_context=carrier)
        await client.start_turn(says("Hi"), trace_context=carrier)
        for _ in range(2):
            assert json.loads((await client.notification(CONFIG_WARNING)).summary) == sent


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_request_that_is_given_up_while_it_is_written_does_not_run_into_the_next(tmp_path: Path) -> None:
    """The server reads nothing before it is told to; the pipe to it holds less than the first request."""
    os.mkfifo(tmp_path / "go")
    waiting = f"open({str(tmp_path / 'go')!r}).close(); read(); answer({LOGGED_OUT})"
    async with spawn(server(waiting)) as client:
        with pytest.raises(TimeoutError):
            await client.log_in_with_api_key("k" * 300_000, timeout=0.2)
        (tmp_path / "go").write_text("")
        assert (await client.request(ACCOUNT_READ, GetAccountParams(), timeout=DEADLINE)).account is None
