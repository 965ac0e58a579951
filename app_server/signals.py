"""SIGTERM as a wish to end in order. Until the event loop runs, ``__main__`` has the signal end the process at once."""

import signal
import socket
from collections.abc import Callable

import anyio


async def end_on_sigterm(end: Callable[[], None]) -> None:
    """Call ``end`` whenever the signal comes, until cancelled; afterwards the signal has no effect any more.

    That is why this is no ``anyio.open_signal_receiver``: leaving one gives the signal back to the system for a moment.
    Parents close our input and send the signal right behind it, so it would meet that moment and kill.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        # The number of every signal is written there, whichever thread the system interrupts for it.
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            while True:
                await anyio.wait_readable(reader)
                if signal.SIGTERM in reader.recv(4096):
                    end()
        finally:
            signal.set_wakeup_fd(-1)
