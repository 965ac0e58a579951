"""What programs do with the asynchronous form of the official SDK, ``openai-codex``.

Each takes a ``Task`` and returns, as JSON, what it has seen; what that has to be stands in
``test_openai_codex_async``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from openai_codex import AsyncCodex, CodexConfig, CodexError

from tests.clients.worker import Task


def _program(work: Callable[[Task, CodexConfig], Awaitable[Any]]) -> Callable[[Task], Any]:
    def run(task: Task) -> Any:
        async def main() -> Any:
            return await work(task, CodexConfig(launch_args_override=(*task.arguments, "app-server"), cwd=task.home))

        return asyncio.run(main())

    return run


@_program
async def threads_at_once(_: Task, config: CodexConfig) -> Any:
    async with AsyncCodex(config) as codex:
        await codex.login_api_key("sk-1")
        threads = await asyncio.gather(*(codex.thread_start() for _ in range(4)))
        results = await asyncio.gather(*(thread.run(f"Hello {n}") for n, thread in enumerate(threads)))
        return [result.final_response for result in results]


@_program
async def interrupt_and_steer(_: Task, config: CodexConfig) -> Any:
    async with AsyncCodex(config) as codex:
        await codex.login_api_key("sk-1")
        thread = await codex.thread_start()
        ended, texts = [], []
        for act in ("interrupt", "steer"):
            turn = await thread.turn("First")
            text, status = "", ""
            async for notification in turn.stream():
                payload: Any = notification.payload
                if notification.method == "item/agentMessage/delta":
                    if not text:
                        await (turn.interrupt() if act == "interrupt" else turn.steer("Second"))
                    text += payload.delta
                elif notification.method == "turn/completed":
                    status = payload.turn.status.value
            ended.append(status)
            texts.append(text)
        return {"ended": ended, "texts": texts}


@_program
async def keep_threads(_: Task, config: CodexConfig) -> Any:
    async with AsyncCodex(config) as codex:
        await codex.login_api_key("sk-1")
        account: Any = (await codex.account()).account
        thread = await codex.thread_start()
        await thread.run("First")
        await thread.set_name("The first")
        fork = await codex.thread_fork(thread.id)
        said = (await fork.run("After the fork")).final_response
        await codex.thread_archive(fork.id)
        listed = [listed.id for listed in (await codex.thread_list()).data]
        await codex.thread_unarchive(fork.id)
        both = {listed.id for listed in (await codex.thread_list()).data}
        models = (await codex.models()).data
    async with AsyncCodex(config) as codex:
        resumed = await codex.thread_resume(thread.id)
        answer = (await resumed.run("Second")).final_response
        read = (await resumed.read(include_turns=True)).thread
        await codex.logout()
        nobody = (await codex.account()).account
    return {
        "account": account.root.type,
        "fork": [said, fork.id != thread.id],
        "archived": listed == [thread.id],
        "unarchived": both == {thread.id, fork.id},
        "models": any(model.is_default for model in models),
        "resumed": [answer, read.name, [turn.status.value for turn in read.turns]],
        "nobody": nobody,
    }


@_program
async def fail(_: Task, config: CodexConfig) -> Any:
    async with AsyncCodex(config) as codex:
        await codex.login_api_key("sk-1")
        thread = await codex.thread_start()
        try:
            await thread.run("Hello")
        except (CodexError, RuntimeError) as error:
            return {"raised": str(error), "next": (await thread.run("Again")).final_response}
        raise AssertionError("the turn did not fail")
