"""``auth.json`` as a file: read whole, replaced whole, removed, and kept aside when it is not understood.

Everything here blocks and raises OSError; whoever changes something holds the locks of ``locks`` meanwhile. What the
bytes mean is ``auth_json``'s business.

A symbolic link stays what it is: the file that it leads to is replaced, or emptied (wire.md section 15.29).
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

NAME: Final = "auth.json"

_TEMPORARY: Final = re.compile(r"\.auth-[A-Za-z0-9]{6}")
_OLD_AGE: Final = 60.0
"""Seconds after which a temporary file in a directory that is not ours alone is left over from a crash."""

_BINARY: Final = getattr(os, "O_BINARY", 0)
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0)  # for what is there under this name but no file


class Fingerprint(NamedTuple):
    """Tells one version of the file from another without reading it."""

    inode: int
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Fingerprint":
        """The fingerprint in the status of a file."""
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)


def resolve(home: Path) -> Path:
    """The file itself, which is elsewhere if ``auth.json`` is a symbolic link."""
    return Path(os.path.realpath(home / NAME))


def fingerprint(home: Path) -> Fingerprint | None:
    """The version that is there now; None if there is none, or it cannot be seen."""
    try:
        # Every question about the account asks this, and joining paths would be most of it.
        return Fingerprint.of(os.stat(f"{home}{os.sep}{NAME}"))  # noqa: PTH116
    except OSError:
        return None


def read(home: Path) -> bytes | None:
    """The whole file; None if there is none."""
    try:
        fd = os.open(home / NAME, os.O_RDONLY | _BINARY | _NEVER_WAIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        _require_regular(os.fstat(fd))
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def replace(home: Path, content: bytes, *, keep_old: bool) -> Fingerprint:
    """Put a new file in the place of the old one: at every moment one of the two is there whole, with mode 0600.

    :param keep_old: leave the old file beside, as ``auth.json.corrupt-<UTC time>``.
    """
    target = resolve(home)
    _require_replaceable(target)
    _sweep(home, target.parent)
    temporary, fd = _create_temporary(target.parent)
    kept: Path | None = None
    try:
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(fd, 0o600)  # whatever the umask
            _write(fd, content)
            os.fsync(fd)
            written = Fingerprint.of(os.fstat(fd))
        finally:
            os.close(fd)
        if keep_old:
            kept = _keep_beside(target)
        temporary.replace(target)
    except BaseException:
        for leftover in (temporary, kept):
            if leftover is not None:
                with contextlib.suppress(OSError):
                    leftover.unlink()
        raise
    _sync_directory(target.parent)
    return written


def remove(home: Path) -> bool:
    """Remove the file, or empty it if it is reached through a symbolic link.

    :returns: whether there was anything in it.
    """
    path = home / NAME
    _sweep(home, resolve(home).parent)
    if path.is_symlink():
        return _empty(path)
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    _sync_directory(home)
    return True


def leaves_traces(home: Path) -> bool:
    """Whether there is anything to remove: the file, or what a crash has left of one."""
    if os.path.lexists(home / NAME):
        return True
    try:
        return any(_TEMPORARY.fullmatch(name) for name in os.listdir(home))  # noqa: PTH208 - names are all it takes
    except (FileNotFoundError, NotADirectoryError):
        return False


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError("credential file is not a regular file")


def _require_replaceable(target: Path) -> None:
    try:
        status = target.stat()
    except FileNotFoundError:
        return
    # A link to /dev/null must not cost the machine its /dev/null.
    _require_regular(status)
    # Like the reference: who has taken the permission away does not want it written, even if renaming could do it.
    if not status.st_mode & stat.S_IWUSR:
        raise OSError("credential file is read-only")


def _create_temporary(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / f".auth-{secrets.token_hex(3)}"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        except FileExistsError:
            continue


def _write(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _keep_beside(target: Path) -> Path | None:
    """Give the file a second name; a copy where the file system has no hard links."""
    kept = target.with_name(f"{target.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        kept.hardlink_to(target)  # takes no space, and works for what cannot be read, too
    except FileNotFoundError:
        return None
    except OSError:
        content = target.read_bytes()
        fd = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            _write(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
    else:
        with contextlib.suppress(OSError):
            kept.chmod(0o600)
    return kept


def _empty(link: Path) -> bool:
    try:
        fd = os.open(link, os.O_WRONLY | _BINARY | _NEVER_WAIT)
    except FileNotFoundError:
        return False
    try:
        status = os.fstat(fd)
        _require_regular(status)
        os.ftruncate(fd, 0)  # in place: that needs no space, and leaves nothing under the file's other names
        os.fsync(fd)
    finally:
        os.close(fd)
    return status.st_size > 0


def _sweep(home: Path, directory: Path) -> None:
    """Remove temporary files that a crash has left. Our own directory's are written under the locks that the caller
    holds, so what is found there is nobody's any more; in the directory of a link, others may be writing."""
    ours_alone = directory == Path(os.path.realpath(home))
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if not _TEMPORARY.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                if ours_alone or time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD_AGE:
                    os.unlink(entry.path)  # noqa: PTH108 - the entry has the path as a string


def _sync_directory(directory: Path) -> None:
    """Make a rename last. What cannot be synced is no reason to call it undone."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
