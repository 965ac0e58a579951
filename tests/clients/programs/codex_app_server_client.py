"""What programs do with ``codex-app-server-client``, a client of another author: both of its forms.

Each takes a ``Task`` and returns, as JSON, what it has seen; what that has to be stands in
``test_codex_app_server_client``. Left out is what fails in the client itself: its list of models, and a failed turn.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from codex_app_server_client import CodexAppServer
from codex_app_server_client.client import SyncCodexAppServer
from codex_app_server_client.thread import EventAction
from codex_app_server_client.types.common import DynamicToolSpec
from codex_app_server_client.types.events import AgentMessageDeltaEvent
from codex_app_server_client.types.threads import (
    ThreadForkParams,
    ThreadListParams,
    ThreadReadParams,
    ThreadStartParams,
)

from tests.clients.worker import Task

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
KEY = {"type": "apiKey", "apiKey": "sk-1"}


def _program(work: Callable[[Task, CodexAppServer], Awaitable[Any]]) -> Callable[[Task], Any]:
    def run(task: Task) -> Any:
        async def main() -> Any:
            binary, *arguments = task.arguments
            async with CodexAppServer(codex_bin=binary, extra_args=arguments, env=task.env) as client:
                await client.low_level.request("account/login/start", KEY)
                return await work(task, client)

        return asyncio.run(main())

    return run


@_program
async def run_and_stream(task: Task, client: CodexAppServer) -> Any:
    account = (await client.low_level.account_read()).account
    thread = await client.start_thread(ThreadStartParams(cwd=task.home))
    methods: list[str] = []
    result = await thread.run("First", on_event=lambda method, _: methods.append(method))
    usage: Any = result.usage
    events = [event async for event in thread.run_streamed("Second")]
    return {
        "account": account is not None,
        "result": [result.status, result.final_response, usage.total.total_tokens],
        "methods": methods,
        "streamed": "".join(event.delta for event in events if isinstance(event, AgentMessageDeltaEvent)),
        "last": type(events[-1]).__name__,
    }


@_program
async def interrupt(task: Task, client: CodexAppServer) -> Any:
    thread = await client.start_thread(ThreadStartParams(cwd=task.home))

    def stop(_: str, event: Any) -> EventAction | None:
        return EventAction.INTERRUPT if isinstance(event, AgentMessageDeltaEvent) else None

    stopped = await thread.run("First", on_event=stop)
    return {"stopped": stopped.status, "next": (await thread.run("Second")).final_response}


@_program
async def call_tool(task: Task, client: CodexAppServer) -> Any:
    asked: list[Any] = []

    async def lookup(method: str, params: Any) -> Any:
        asked.append([method, params["tool"], params["arguments"]])
        return {"contentItems": [{"type": "inputText", "text": "forty-two"}], "success": True}

    client.low_level.on_server_request("item/tool/call", lookup)
    tool = DynamicToolSpec(name="lookup", description="Look up", input_schema=SCHEMA)
    thread = await client.start_thread(ThreadStartParams(cwd=task.home, dynamic_tools=[tool]))
    return {"answer": (await thread.run("Look it up")).final_response, "asked": asked}


@_program
async def keep_threads(task: Task, client: CodexAppServer) -> Any:
    low = client.low_level
    thread = await client.start_thread(ThreadStartParams(cwd=task.home))
    await thread.run("Hello")
    await low.thread_set_name(thread.id, "The first")
    read = (await low.thread_read(ThreadReadParams(thread_id=thread.id, include_turns=True))).thread
    fork = (await low.thread_fork(ThreadForkParams(thread_id=thread.id))).thread
    listed = {entry.id: entry.name for entry in (await low.thread_list(ThreadListParams(limit=10))).data}
    await low.thread_archive(fork.id)
    left = [entry.id for entry in (await low.thread_list()).data]
    models = await low.request("model/list", {})
    return {
        "read": [read.name, len(read.turns)],
        "fork": fork.id != thread.id,
        "listed": [set(listed) == {thread.id, fork.id}, listed[thread.id]],
        "archived": left == [thread.id],
        "models": len(models["data"]) > 0,
    }


def resume(task: Task) -> Any:
    """The conversation goes on in another server process; in this form of the client, without asyncio."""
    binary, *arguments = task.arguments

    def client() -> SyncCodexAppServer:
        return SyncCodexAppServer(codex_bin=binary, extra_args=arguments, env=task.env)

    with client() as first:
        first.low_level.request("account/login/start", KEY)
        thread = first.start_thread(ThreadStartParams(cwd=task.home))
        before = thread.run("First").final_response
    with client() as second:
        after = second.resume_thread(thread.id).run("Second").final_response
        listed = [entry.id for entry in second.low_level.thread_list().data]
    return {"before": before, "after": after, "listed": listed == [thread.id]}
