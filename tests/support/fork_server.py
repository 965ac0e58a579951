"""A process that has imported the server and forks one on request; the end of it that tests use is ``forked``.

A server that is started this way runs its own ``main`` as a process of its own, with its own arguments, environment
and standard streams. All it is spared are the imports, which take nearly all of a start.
"""

import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

_NOT_WANTED = ("app_server.fake_openai", "app_server.testing", "app_server.cli.demo", "app_server.auth.stores.keyring")
_LAZILY = ("h11", "httpx2", "ssl", "tomllib", "sqlite3")
_MAX_REQUEST = 1 << 20


def preload() -> None:
    """Import what a server may come to need."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    import app_server
    import app_server.__main__
    import protocol

    for package in (app_server, protocol):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_NOT_WANTED):
                import_module(module.name)
    for name in _LAZILY:
        with suppress(ImportError):
            import_module(name)
    import anyio
    from pydantic import BaseModel

    anyio.run(anyio.sleep, 0)  # imports its backend
    for model in _all_below(BaseModel):
        if model.__module__.startswith(("app_server.", "protocol.")):
            model.model_rebuild()  # which is put off until it is used
    gc.collect()
    gc.freeze()


def _all_below(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        yield child
        yield from _all_below(child)


def serve(control: socket.socket) -> bool:
    """Fork until nobody can ask for it any more; whether this is what was forked.

    A request is one packet: a JSON object with ``arguments``, ``environment`` and ``at_terminal``, and with it the
    descriptors for stdin, stdout, stderr and the status. To that last one the process id is written, and at the end
    what ``waitpid`` said, a line each.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    statuses: dict[int, int] = {}
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(woken, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if woken in ready:
            os.read(woken, 4096)
            _reap(statuses)
        if control.fileno() not in ready:
            continue
        data, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST, 4)
        if not data:
            return False
        pid = os.fork()
        if pid == 0:
            control.detach()
            _become_server(json.loads(data), descriptors)
            return True
        *streams, status = descriptors
        for fd in streams:
            os.close(fd)
        statuses[pid] = status
        _tell(status, pid)


def _reap(statuses: dict[int, int]) -> None:
    for pid in list(statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _tell(statuses[pid], status)
            os.close(statuses.pop(pid))


def _tell(fd: int, number: int) -> None:
    with suppress(BrokenPipeError):
        os.write(fd, b"%d\n" % number)


def _become_server(request: dict[str, Any], descriptors: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, fd in enumerate(descriptors[:3]):
        os.dup2(fd, number)
    os.closerange(3, 256)
    if request["at_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv[1:] = request["arguments"]


if __name__ == "__main__":
    preload()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        from app_server.__main__ import main

        sys.exit(main())
