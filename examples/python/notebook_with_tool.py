"""A notebook that lends the model a tool. Cells begin with ``# %%``, as editors and Jupyter (jupytext) read them.

    app-server fake-openai --home "$(mktemp -d)"     # in one terminal; paste what it exports into another one
    python examples/python/notebook_with_tool.py

Nothing here is asynchronous but the tool: a portal (anyio) runs the client in a thread of its own, so that the cells
can be run one by one, and again.
"""

# %% What the notebook knows, and the model cannot
from contextlib import ExitStack
from typing import Any

from anyio.from_thread import start_blocking_portal
from offline import tell
from pydantic import SecretStr

from app_server.client import spawn
from protocol.account import LOGIN_START, ApiKeyLogin, LoginAccountParams
from protocol.items import (
    AgentMessageThreadItem,
    DynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)
from protocol.thread import THREAD_START, ThreadStartParams
from protocol.tools import (
    TOOL_CALL,
    DynamicToolCallParams,
    DynamicToolCallResponse,
    DynamicToolSpec,
    FunctionDynamicToolSpec,
)
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput

SALES = {"apples": [3, 5, 8], "pears": [2, 2, 1]}

# %% A tool that tells it
COLUMN = {"type": "object", "properties": {"column": {"enum": list(SALES)}}, "required": ["column"]}
TOTAL = FunctionDynamicToolSpec(name="total", description="Adds up a column of the sales.", input_schema=COLUMN)


async def total(params: DynamicToolCallParams) -> DynamicToolCallResponse:
    """Whatever is raised here, the model is told that the tool failed, and goes on."""
    arguments: Any = params.arguments
    answer = InputTextDynamicToolCallOutputContentItem(text=str(sum(SALES[arguments["column"]])))
    return DynamicToolCallResponse(content_items=[DynamicToolCallOutputContentItem(answer)], success=True)


# %% A server, logged in, with a thread that has the tool
notebook = ExitStack()
portal = notebook.enter_context(start_blocking_portal())
client = notebook.enter_context(portal.wrap_async_context_manager(spawn(handlers={TOOL_CALL: total})))
portal.call(client.initialize, "notebook", "1.0")

portal.call(lambda: tell("/settings", accept_any_token=True))  # the offline upstream: any key will do
key = ApiKeyLogin(type="apiKey", api_key=SecretStr("sk-demo"))
portal.call(client.request, LOGIN_START, LoginAccountParams(key))
begun = portal.call(client.request, THREAD_START, ThreadStartParams(dynamic_tools=[DynamicToolSpec(TOTAL)]))


# %% Ask, as often as you like
def ask(text: str) -> str:
    """The model's answer."""
    question = UserInput(TextUserInput(text=text))
    turn = portal.call(client.start_turn, TurnStartParams(thread_id=begun.thread.id, input=[question]))
    items = [item.root for item in portal.call(turn.completed).items]
    return "\n".join(item.text for item in items if isinstance(item, AgentMessageThreadItem))


# The offline upstream: the model will call the tool, and then say what the tool said.
portal.call(lambda: tell("/script", tool_calls=[{"name": "total", "arguments": {"column": "apples"}}]))
print(ask("How many apples did we sell?"))

# %% The end: the server ends with the notebook
notebook.close()
