"""What programs do with the official SDK, ``openai-codex``, in its ordinary, synchronous form.

Each takes a ``Task`` and returns, as JSON, what it has seen; what that has to be stands in ``test_openai_codex``.
"""

from typing import Any

from openai_codex import Codex, CodexConfig, ExternalMessage, JsonRpcError, Thread, TurnHandle

from tests.clients.worker import Task


def config(task: Task) -> CodexConfig:
    """A client that is told the whole command."""
    return CodexConfig(launch_args_override=(*task.arguments, "app-server"), cwd=task.home)


def logged_in(codex: Codex) -> Thread:
    """A thread of somebody who has logged in with a key."""
    codex.login_api_key("sk-1")
    return codex.thread_start()


def text_of(notification: Any) -> str:
    """The piece of the answer in a notification, if there is one."""
    return str(notification.payload.delta) if notification.method == "item/agentMessage/delta" else ""


def spoken(notifications: list[Any]) -> list[str]:
    """The messages of the assistant among what was completed."""
    items = [seen.payload.item.root for seen in notifications if seen.method == "item/completed"]
    return [item.text for item in items if item.type == "agentMessage"]


def refusal(call: Any, *arguments: Any) -> list[str]:
    """Of what kind the error is that a call ends with, and what it says."""
    try:
        call(*arguments)
    except JsonRpcError as error:
        return [type(error).__name__, error.message]
    raise AssertionError("it was not refused")


def turns_of(thread: Thread) -> list[Any]:
    """What is kept of a thread: how each turn ended, and what was said in it."""
    turns = thread.read(include_turns=True).thread.turns
    return [[turn.status.value, [_short(item.root) for item in turn.items]] for turn in turns]


def _short(item: Any) -> str:
    text = item.text if item.type == "agentMessage" else item.content[0].root.text
    return f"{item.type}: {text}"


def login_and_run(task: Task) -> Any:
    with Codex(config(task)) as codex:
        before = codex.account()
        codex.login_api_key(task.given["key"])
        account: Any = codex.account().account
        result = codex.thread_start().run("Hello")
        codex.logout()
        after = codex.account().account
        server: Any = codex.metadata.serverInfo
    usage: Any = result.usage
    return {
        "before": [before.account, before.requires_openai_auth],
        "account": account.root.type,
        "result": [result.status.value, result.error, result.final_response],
        "items": [item.root.type for item in result.items],
        "usage": [usage.last.cached_input_tokens, usage.total.total_tokens],
        "timed": bool(result.started_at and result.completed_at and result.duration_ms is not None),
        "after": after,
        "version": server.version,
    }


def start_with_codex_bin(task: Task) -> Any:
    """As the documentation has it: the path of a program, and overrides of the configuration."""
    with Codex(CodexConfig(codex_bin=task.given["codex_bin"], config_overrides=tuple(task.overrides))) as codex:
        return logged_in(codex).run("Hello").final_response


def stream(task: Task) -> Any:
    with Codex(config(task)) as codex:
        seen: list[Any] = list(logged_in(codex).turn("Hello").stream())
    return {
        "methods": [notification.method for notification in seen],
        "unknown": [seen.method for seen in seen if type(seen.payload).__name__ == "UnknownNotification"],
        "text": "".join(map(text_of, seen)),
        "spoken": spoken(seen),
    }


def interrupt(task: Task) -> Any:
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        turn = thread.turn("First")
        seen: list[Any] = []
        for notification in turn.stream():
            seen.append(notification)
            if text_of(notification):
                turn.interrupt()
        ended = seen[-1].payload.turn
        late = [refusal(turn.interrupt), refusal(turn.steer, "Too late")]
        return {
            "ended": [ended.status.value, ended.error],
            "late": late,
            "next": thread.run("Second").final_response,
            "turns": turns_of(thread),
        }


def _streamed_with(turn: TurnHandle, act: Any) -> list[Any]:
    """A turn's notifications; when the first piece of its answer has come, something is done."""
    seen: list[Any] = []
    for notification in turn.stream():
        seen.append(notification)
        if text_of(notification) and act is not None:
            act()
            act = None
    return seen


def steer(task: Task) -> Any:
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        ids: list[str] = []
        turn = thread.turn("First")
        seen = _streamed_with(turn, lambda: ids.append(turn.steer("Second").turn_id))
        return {
            "same": ids == [turn.id],
            "ended": seen[-1].payload.turn.status.value,
            "spoken": spoken(seen),
            "turns": turns_of(thread),
        }


def join(task: Task) -> Any:
    """A second turn while the first is running."""
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        joined: list[TurnHandle] = []
        turn = thread.turn("First")
        seen = _streamed_with(turn, lambda: joined.append(thread.turn("Second")))
        result = joined[0].run()
        return {
            "same": joined[0].id == turn.id,
            "first": [seen[-1].payload.turn.status.value, spoken(seen)],
            "second": [result.status.value, result.final_response],
            "turns": len(turns_of(thread)),
        }


def deliver(task: Task) -> Any:
    """Somebody else has something to say, in words and in pieces; then the user has a question."""
    pieces: list[Any] = [{"type": "input_text", "text": "It is raining."}]
    elsewhere: list[Any] = [{"type": "input_image", "image_url": task.given["url"]}]
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        said = [
            thread.run(ExternalMessage("mail", "You have mail.", namespace="post")),
            thread.run(ExternalMessage("weather", pieces)),
            thread.run("What is new?"),
        ]
        read = thread.read(include_turns=True).thread
        refused = refusal(thread.run, ExternalMessage("camera", elsewhere))
    shown: list[Any] = [turn.items[0].root for turn in read.turns]
    return {
        "results": [[result.status.value, result.final_response] for result in said],
        "items": [[item.root.type for item in result.items] for result in said],
        "read": [item.model_dump(mode="json", include={"name", "namespace", "output"}) for item in shown[:2]],
        "preview": read.preview,
        "refused": refused,
    }


def keep_threads(task: Task) -> Any:
    with Codex(config(task)) as codex:
        one = logged_in(codex)
        one.run("Hello")
        one.set_name("The first")
        two = codex.thread_start(model="gpt-5.4", developer_instructions="Be terse.", ephemeral=False)
        two.run("Good morning")
        first_page = codex.thread_list(limit=1)
        second_page = codex.thread_list(limit=1, cursor=first_page.next_cursor)
        read = one.read(include_turns=True).thread
        fork = codex.thread_fork(one.id)
        said = fork.run("After the fork").final_response
        forked = fork.read(include_turns=True).thread
        codex.thread_archive(two.id)
        archived = [thread.id for thread in codex.thread_list(archived=True).data]
        left = {thread.id for thread in codex.thread_list().data}
        codex.thread_unarchive(two.id)
        again = {thread.id for thread in codex.thread_list().data}
        found = codex.thread_list(search_term="first").data
    return {
        "pages": [
            [thread.id == two.id for thread in first_page.data],
            [thread.id == one.id for thread in second_page.data],
        ],
        "last_page": second_page.next_cursor is None,
        "read": [read.name, read.preview, len(read.turns)],
        "fork": [fork.id != one.id, forked.forked_from_id == one.id, said, len(forked.turns)],
        "archived": [archived == [two.id], left == {one.id, fork.id}],
        "unarchived": again == {one.id, two.id, fork.id},
        "found": one.id in [thread.id for thread in found] and two.id not in [thread.id for thread in found],
    }


def list_models(task: Task) -> Any:
    with Codex(config(task)) as codex:
        return [[model.id, model.is_default, model.hidden] for model in codex.models(include_hidden=True).data]


def resume(task: Task) -> Any:
    """The conversation goes on in another server process."""
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        thread.run("First")
    with Codex(config(task)) as codex:
        unknown = refusal(codex.thread_resume, task.given["unknown"])
        resumed = codex.thread_resume(thread.id, include_turns=True)
        result = resumed.run("Second")
        return {"unknown": unknown, "result": result.final_response, "turns": turns_of(resumed)}


def fail(task: Task) -> Any:
    with Codex(config(task)) as codex:
        thread = logged_in(codex)
        try:
            thread.run("Hello")
        except RuntimeError as error:
            raised = str(error)
        seen: list[Any] = list(thread.turn("Hello").stream())
        ended = seen[-1].payload.turn
        return {
            "raised": raised,
            "ended": [ended.status.value, ended.error.message],
            "errors": [
                [told.payload.error.message, told.payload.will_retry] for told in seen if told.method == "error"
            ],
            "next": thread.run("Again").final_response,
        }
