"""A notebook that lends the model a tool. Cells begin with ``# %%``, as editors and Jupyter (jupytext) read them.

    app-server fake-openai --home "$(mktemp -d)"     # in one terminal; paste what it exports into another one
    python examples/python/notebook_with_tool.py

Nothing here is asynchronous: the client runs in a thread of its own, and the cells can be run one by one, and again.
"""

# %% What the notebook knows, and the model cannot
from contextlib import ExitStack
from typing import Any

from offline import tell_now

from app_server.client import spawn_sync
from protocol.items import DynamicToolCallOutputContentItem, InputTextDynamicToolCallOutputContentItem
from protocol.thread import ThreadStartParams
from protocol.tools import DynamicToolCallParams, DynamicToolCallResponse, DynamicToolSpec, FunctionDynamicToolSpec

SALES = {"apples": [3, 5, 8], "pears": [2, 2, 1]}

# %% A tool that tells it
COLUMN = {"type": "object", "properties": {"column": {"enum": list(SALES)}}, "required": ["column"]}
TOTAL = FunctionDynamicToolSpec(name="total", description="Adds up a column of the sales.", input_schema=COLUMN)


def total(params: DynamicToolCallParams) -> DynamicToolCallResponse:
    """Whatever is raised here, the model is told that the tool failed, and goes on."""
    arguments: Any = params.arguments
    answer = InputTextDynamicToolCallOutputContentItem(text=str(sum(SALES[arguments["column"]])))
    return DynamicToolCallResponse(content_items=[DynamicToolCallOutputContentItem(answer)], success=True)


# %% A server, logged in, with a thread that has the tool
notebook = ExitStack()
client = notebook.enter_context(spawn_sync(tool_call=total))
client.initialize("notebook", "1.0")
tell_now("/settings", accept_any_token=True)  # the offline upstream: any key will do
client.log_in_with_api_key("sk-demo")
thread = client.start_thread(ThreadStartParams(dynamic_tools=[DynamicToolSpec(TOTAL)]))

# %% Ask, as often as you like
# The offline upstream: the model will call the tool, and then say what the tool said.
tell_now("/script", tool_calls=[{"name": "total", "arguments": {"column": "apples"}}])
print(thread.ask("How many apples did we sell?").answer())

# %% The end: the server ends with the notebook
notebook.close()
