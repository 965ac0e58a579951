"""The command ``app-server``: decide what to run, and import no more than that needs.

Without a subcommand it serves its parent over stdio. That path answers a first ``initialize`` before the imports of
the real server (see ``cold_start``), so nothing heavy may be imported at the top of this file.
"""

import os
import sys

from app_server.cli.argv import ServeCommand, parse
from app_server.codex_home import codex_home


def main() -> int:
    """Run the command line; returns the exit status."""
    command = parse(sys.argv[1:])
    if isinstance(command, ServeCommand):
        return _serve(command)
    from app_server.cli.commands import run  # noqa: PLC0415 - only subcommands pay for it

    return run(command)


def _serve(command: ServeCommand) -> int:
    import signal  # noqa: PLC0415

    from app_server.transport.streams import claim_standard_streams  # noqa: PLC0415

    # Until the event loop takes the signal over there is nothing to finish.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # Ctrl-C in the parent's terminal reaches this process too, and would end it with a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    stdin, stdout = claim_standard_streams()
    from app_server.cold_start import answer_first  # noqa: PLC0415

    cold_start = answer_first(stdin, stdout, codex_home(os.environ))
    import gc  # noqa: PLC0415

    # Looking for plugins reads the metadata of every installed distribution; this program has no use for any.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # The imports make many objects and no garbage.
    gc.disable()
    from app_server.serve_stdio import serve_stdio  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    status = serve_stdio(command, stdin, stdout, cold_start)
    if sys.stderr is not None:  # a parent may have closed it
        sys.stderr.flush()
    # A thread may still be blocked in a read of stdin; nothing else is left to finish.
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
