"""A program that holds a lock, as another server would: ``python holder.py FILE``.

It says "held", and lets go when its input ends, or after a minute if everybody has forgotten it.
"""

import fcntl
import signal
import sys
from pathlib import Path

signal.alarm(60)
with Path(sys.argv[1]).open("w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()
