"""Where logins are kept: the kind of store, its files and their permissions, what crashes have left, who holds a lock.

What the store says stands in ``login``. Files are looked at, but never opened, locked or changed.
"""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from app_server.auth.stores import auth_file
from app_server.auth.stores.locks import holders
from app_server.auth.stores.store_errors import StoreUnavailable
from app_server.config import Settings
from app_server.transport.blocking import BlockingCalls
from protocol.diagnosis import DiagnosisFinding, FindingStatus

LOCK_PATIENCE: Final = 1.0
"""Seconds after which a lock is held for longer than a save takes."""

KEYRING_TIMEOUT: Final = 3.0
"""Seconds to find the keyring."""

_OLD_AGE: Final = 60.0
"""Seconds after which a temporary file is not that of a save under way."""

_TEMPORARY: Final = ".auth-??????"
_KEPT: Final = f"{auth_file.NAME}.corrupt-*"
"""Names that ``auth_file`` gives, as patterns of fnmatch."""

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


async def examine(settings: Settings) -> list[DiagnosisFinding]:
    """The store that the configuration names."""
    kind, home = settings.credentials_store, settings.codex_home
    if kind == "ephemeral":
        return [_finding("ok", "Logins are kept in memory only, and end with the program that they were made in.")]
    found = [] if kind == "file" else [await _examine_keyring(needed=kind == "keyring")]
    found += await anyio.to_thread.run_sync(lambda: [*_examine_home(home, has_file=kind != "keyring")])
    return found


async def _examine_keyring(*, needed: bool) -> DiagnosisFinding:
    """Whether there is a keyring. It is found and not opened, which could ask for a password."""
    keyring, problem = "", f"It was not found within {KEYRING_TIMEOUT:g} s."
    with anyio.move_on_after(KEYRING_TIMEOUT):
        try:
            keyring, problem = await BlockingCalls("keyring").call(_name_of_keyring), ""
        except Exception as error:  # whatever a keyring may come up with
            problem = str(error) if isinstance(error, StoreUnavailable) else type(error).__name__
    if not problem:
        return _finding("ok", f"Logins are kept in the keyring of the system ({keyring}).")
    if needed:
        return _finding("error", "The keyring of the system cannot be used.", problem)
    return _finding("warning", "The keyring of the system cannot be used; logins are kept in auth.json.", problem)


def _name_of_keyring() -> str:
    from app_server.auth.stores.keyring_backend import system_keyring  # noqa: PLC0415 - most homes have a file

    backend = system_keyring()
    return str(getattr(backend, "name", type(backend).__name__))


async def examine_locks(settings: Settings) -> list[DiagnosisFinding]:
    """Who holds a lock of the store for longer than it should."""
    if settings.credentials_store == "ephemeral":
        return []
    if sys.platform != "linux":
        return [DiagnosisFinding(name="locks", status="ok", summary="This system does not tell who holds a lock.")]
    deadline = anyio.current_time() + LOCK_PATIENCE
    first = held = await anyio.to_thread.run_sync(holders, settings.codex_home)
    # Nothing else tells when a lock is released, short of taking it.
    while held and anyio.current_time() < deadline:
        await anyio.sleep(0.1)
        held = await anyio.to_thread.run_sync(holders, settings.codex_home)
    lasting = {file: pid for file, pid in held.items() if first.get(file) == pid}
    if not lasting:
        return [DiagnosisFinding(name="locks", status="ok", summary="Nobody holds a lock of the store.")]
    return [
        DiagnosisFinding(
            name="locks",
            status="warning",
            summary=f"{file} is held by {_process(pid)}.",
            details="A login is saved only once it is released. A refresh can hold it for up to 30 s.",
        )
        for file, pid in lasting.items()
    ]


def _examine_home(home: Path, *, has_file: bool) -> Iterator[DiagnosisFinding]:
    """A keyring needs the home, too, for its locks and its note."""
    try:
        status = home.stat()
    except FileNotFoundError:
        yield _missing_home(home)
        return
    except OSError as error:
        yield _finding("error", f"{home} cannot be looked at.", error.strerror)
        return
    if not stat.S_ISDIR(status.st_mode):
        yield _finding("error", f"{home} is not a directory.", "Set CODEX_HOME to one.")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield _finding("error", f"{home} is not writable for this user.", f"It has {_permissions(status)}.")
    if sys.platform != "win32" and status.st_mode & _OTHERS_WRITE:
        yield _finding(
            "warning",
            f"Other users can change files in {home}.",
            f"It has {_permissions(status)}; run: chmod go-w '{home}'",
        )
    if has_file:
        yield from _examine_file(home)
    yield from _examine_leftovers(home)


def _missing_home(home: Path) -> DiagnosisFinding:
    ancestor = next(parent for parent in home.parents if parent.exists())
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK | os.X_OK):
        return _finding("error", f"{home} is not there and cannot be made.", f"{ancestor} is not writable.")
    return _finding("ok", f"{home} is not there yet; the first login makes it.")


def _examine_file(home: Path) -> Iterator[DiagnosisFinding]:
    path = home / auth_file.NAME
    target = auth_file.resolve(home)
    link = f"It is a symbolic link to {target}." if path.is_symlink() else None
    if link is not None and not os.access(target.parent, os.W_OK | os.X_OK):
        yield _finding("error", f"The directory that {path} leads to is not writable for this user.", link)
    try:
        status = target.stat()
    except FileNotFoundError:
        yield _finding("ok", f"{path} is not there: nothing is stored.", link)
        return
    except OSError as error:
        yield _finding("error", f"{path} cannot be looked at.", error.strerror)
        return
    if not stat.S_ISREG(status.st_mode):
        yield _finding("error", f"{path} is not a file.", link or "Move it away.")
        return
    if not status.st_mode & stat.S_IWUSR:
        yield _finding("error", f"{path} is read-only, so no login is saved.", f"It has {_permissions(status)}.")
    problems = [*_problems(path, status)]
    yield from problems
    if not problems:
        yield _finding("ok", f"Logins are kept in {path} ({_permissions(status)}).", link)


def _problems(path: Path, status: os.stat_result) -> Iterator[DiagnosisFinding]:
    if sys.platform == "win32":
        return
    if status.st_uid != os.geteuid():
        yield _finding("warning", f"{path} belongs to user {status.st_uid} and not to this one.")
    if status.st_mode & _OTHERS:
        yield _finding(
            "warning",
            f"Other users may get at {path}.",
            f"It has {_permissions(status)}; run: chmod 600 '{path}'. Every save sets that, too.",
        )
    if not os.access(path, os.R_OK):
        yield _finding("warning", f"{path} cannot be read by this user.", f"It has {_permissions(status)}.")


def _examine_leftovers(home: Path) -> Iterator[DiagnosisFinding]:
    now = time.time()
    temporary = [file.name for file in sorted(home.glob(_TEMPORARY)) if _age(file, now) > _OLD_AGE]
    if temporary:
        yield _finding(
            "warning",
            f"A crash has left {', '.join(temporary)} in {home}.",
            "The next login or logout removes what is left.",
        )
    if kept := sorted(file.name for file in home.glob(_KEPT)):
        yield _finding(
            "warning",
            f"{home} holds what could not be understood as a login: {', '.join(kept)}.",
            "It can hold credentials; remove it when it is of no use to you.",
        )


def _age(file: Path, now: float) -> float:
    try:
        return now - file.stat(follow_symlinks=False).st_mtime
    except OSError:  # the save is through
        return 0


def _permissions(status: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(status.st_mode):04o}"


def _process(pid: int) -> str:
    if pid == os.getpid():
        return f"this process (pid {pid})"
    try:
        name = Path(f"/proc/{pid}/comm").read_bytes().decode(errors="replace").strip()
    except OSError:
        return f"process {pid}"
    return f"{''.join(character if character.isprintable() else '?' for character in name)} (pid {pid})"


def _finding(status: FindingStatus, summary: str, details: str | None = None) -> DiagnosisFinding:
    return DiagnosisFinding(name="store", status=status, summary=summary, details=details)
