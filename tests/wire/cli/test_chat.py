"""``app-server demo --chat``: at the end of pipes, as scripts use it, and at a terminal, with Ctrl-C."""

import re

from tests.support.cli import Commands

CTRL_C = "\x03"
END_OF_INPUT = "\x04"
LONG = " ".join(["word"] * 40)
"""Said by the model in pieces, over more than a second."""

A_PIECE = "item/agentMessage/delta  word"


async def test_what_is_typed_is_repeated_piece_by_piece_until_the_input_ends(commands: Commands) -> None:
    outcome = await commands.run("demo", "--chat", stdin="hello there\nand again\n")
    assert (outcome.status, outcome.err) == (0, "")
    first, second = outcome.out.split("you> ")[1:3]
    assert first.startswith("hello there\n  -> turn/start ")
    assert "  <- item/agentMessage/delta  hello| there\n" in first
    assert first.endswith("  <- turn/completed  [turn=completed]\n\n")
    assert '  <- item/completed  [item=agentMessage "and again"]\n' in second
    assert outcome.out.endswith("\nyou> \n")
    assert "\x1b" not in outcome.out


async def test_an_expired_token_and_a_tool_call_can_be_watched(commands: Commands) -> None:
    outcome = await commands.run("demo", "--chat", stdin="/expire\n/tool abc\n/quit\nnot read any more\n")
    assert (outcome.status, outcome.err) == (0, "")
    asked, called = outcome.out.index("account/chatgptAuthTokens/refresh"), outcome.out.index("item/tool/call")
    assert asked < called
    assert 'contentItems="ABC"' in outcome.out
    assert '[item=agentMessage "The tool said: ABC"]' in outcome.out
    assert "eyJ" not in outcome.out
    assert "not read" not in outcome.out


async def test_help_and_what_makes_no_sense_are_answered_without_a_turn(commands: Commands) -> None:
    outcome = await commands.run("demo", "--chat", stdin="/help\n\n/nope\n/tool\n/interrupt\n/steer x\n/quit\n")
    assert outcome.status == 0
    for command in ("/tool TEXT", "/expire", "/steer TEXT", "/interrupt", "/help", "/quit"):
        assert f"  {command}" in outcome.out
    assert outcome.out.count("/help tells which commands there are") == 2
    assert outcome.out.count("No answer is under way.") == 2
    assert "turn/" not in outcome.out


async def test_an_answer_is_interrupted_by_the_command_and_the_chat_goes_on(commands: Commands) -> None:
    async with commands.running("demo", "--chat") as chat:
        await chat.type(f"{LONG}\n")
        await chat.until(A_PIECE)
        await chat.type("/interrupt\n")
        await chat.until("turn/completed  [turn=interrupted]")
        await chat.type("still there\n")
        await chat.until("turn/completed  [turn=completed]")
        await chat.type("/quit\n")
        outcome = await chat.outcome()
    assert (outcome.status, outcome.err) == (0, "")


async def test_an_answer_under_way_takes_more_input(commands: Commands) -> None:
    async with commands.running("demo", "--chat") as chat:
        await chat.type(f"{LONG}\n")
        await chat.until(A_PIECE)
        await chat.type("/steer shorter\n")
        out = await chat.until("turn/completed  [turn=completed]")
        await chat.type("/quit\n")
        assert (await chat.outcome()).status == 0
    assert out.count("turn/started") == 1
    assert '[item=userMessage "shorter"]' in out
    assert '[item=agentMessage "shorter"]' in out


async def test_what_is_typed_ahead_waits_for_the_end_of_the_answer(commands: Commands) -> None:
    outcome = await commands.run("demo", "--chat", stdin="one\ntwo\n/quit\n")
    assert re.findall(r"turn/(started|completed)", outcome.out) == ["started", "completed"] * 2


async def test_ctrl_c_interrupts_the_answer_first_and_leaves_second(commands: Commands) -> None:
    async with commands.at_terminal("demo", "--chat") as terminal:
        await terminal.until("you> ")
        terminal.type(f"{LONG}\n")
        await terminal.until(A_PIECE)
        terminal.type(CTRL_C)
        await terminal.until("turn/completed  [turn=interrupted]")
        await terminal.until("\r\n\r\nyou> ")
        terminal.type(CTRL_C)
        assert await terminal.status() == 130
    assert "Traceback" not in terminal.screen


async def test_the_end_of_the_input_leaves(commands: Commands) -> None:
    async with commands.at_terminal("demo", "--chat") as terminal:
        await terminal.until("you> ")
        terminal.type(END_OF_INPUT)
        assert await terminal.status() == 0
    assert "Traceback" not in terminal.screen
