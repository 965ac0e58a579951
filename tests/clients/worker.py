"""The process in which a published client works: ``python -m tests.clients.worker MODULE``.

A line of JSON on stdin names a function of the module and says how the client starts its server; the line of JSON on
stdout is what the function returned, or the traceback that it ended with. The client's import is paid for once.
"""

import importlib
import json
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """What a program is given.

    :ivar command: what starts a server, without the word ``app-server`` and what follows it.
    :ivar overrides: ``key=value`` for ``-c`` or ``--config``.
    :ivar home: CODEX_HOME, and the directory of the threads.
    :ivar env: the whole environment of the server.
    :ivar given: the program's own arguments.
    """

    program: str
    command: list[str]
    overrides: list[str]
    home: str
    env: dict[str, str]
    given: dict[str, Any]

    @property
    def arguments(self) -> list[str]:
        """All that stands before the word ``app-server``."""
        return [*self.command, *(word for override in self.overrides for word in ("-c", override))]


def main() -> None:
    """Do what is asked for, until nobody asks any more."""
    answers, sys.stdout = sys.stdout, sys.stderr
    programs = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        task = Task(**json.loads(line))
        # The clients merge a server's environment into their own, or replace it: so both are the same.
        os.environ.clear()
        os.environ.update(task.env)
        try:
            answer = {"said": getattr(programs, task.program)(task)}
        except BaseException:  # the test is told of it
            answer = {"failed": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
