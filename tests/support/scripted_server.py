"""Servers of a few lines, for what a client has to bear with."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from app_server.client import Client, spawn
from protocol.account import (
    ACCOUNT_READ,
    GetAccountParams,
)
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput

DEADLINE = 10

SCRIPT = """
import json, os, sys, time

def read():
    line = sys.stdin.readline()
    if not line: sys.exit(0)
    return json.loads(line)

def write(*values):
    for value in values:
        print(value if isinstance(value, str) else json.dumps(value), flush=True)

def answer(result):
    write({"id": read()["id"], "result": result})

TURN = {"id": "t", "items": [], "itemsView": "full", "status": "inProgress"}
"""
"""What the scripted servers have in common."""

READY = '\nanswer({"userAgent": "s/1", "codexHome": "/", "platformFamily": "unix", "platformOs": "linux"})\n'
"""A handshake."""

LOGGED_OUT = {"account": None, "requiresOpenaiAuth": True}


def server(script: str) -> list[str]:
    """The command of a server that does this, and ends with its input."""
    return [sys.executable, "-SE", "-c", SCRIPT + script]


def children() -> set[int]:
    """Processes that this one has started and not buried."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def expect_no_process_left() -> Iterator[None]:
    """What the fixture of a module does around each of its tests: no process outlives it."""
    before = children()
    yield
    assert children() <= before


@asynccontextmanager
async def serving(script: str, **options: Any) -> AsyncIterator[Client]:
    """A client of a server that does this; nothing hangs."""
    with anyio.fail_after(DEADLINE):
        async with spawn(server(script), **options) as client:
            yield client


async def read_account(client: Client, timeout: float = DEADLINE) -> None:
    assert (await client.request(ACCOUNT_READ, GetAccountParams(), timeout=timeout)).account is None


def says(words: str) -> TurnStartParams:
    return TurnStartParams(thread_id="thread", input=[UserInput(TextUserInput(text=words))])
