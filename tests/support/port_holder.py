"""A process that listens on a port, under a command line of the test's choice. It ends with the test, at the latest.

As a program, ``python port_holder.py [stubborn] …``: it says its port and answers nobody; the rest of its command line
is there to be seen.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PortHolder:
    """The process and its port."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether nobody has ended it."""
        return self.process.poll() is None

    def ended_by(self) -> int:
        """Wait for its end; the signal that has ended it."""
        return -self.process.wait(timeout=10)


@contextmanager
def holding_a_port(directory: Path, *words: str, name: str = "holder.py") -> Iterator[PortHolder]:
    """A process that runs a copy of this file, with these words behind its name.

    :param directory: where the copy is made. Neither it nor the name of the interpreter tells where the tests run, so
        that a command line names a program only where the test says so.
    :param name: of the copy, below the directory.
    """
    script = directory / name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(Path(__file__).read_bytes())
    command = ["python", str(script), *words]
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield PortHolder(process, int(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(120)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            signal.pause()
