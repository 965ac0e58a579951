"""What an installation takes on disk: the distribution, and everything that it requires without extras.

The Python interpreter is not counted; README.md says so where it gives the figure.
"""

import importlib.util
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

OWN_DISTRIBUTION: Final = "app-server"
OWN_PACKAGES: Final = ("app_server", "protocol")

_LAUNCHER_BYTES: Final = 1024 * 1024


def of_distribution(name: str = OWN_DISTRIBUTION, packages: Sequence[str] = OWN_PACKAGES) -> int:
    """Bytes of all files of the runtime closure, byte code included where it is compiled.

    :param packages: the distribution's own packages, which its metadata does not list when it is installed editable.
    :raises PackageNotFoundError: it is not installed.
    """
    files = {
        path.resolve()
        for found in _closure(name)
        for file in found.files or ()
        if (path := Path(str(found.locate_file(file)))).is_file()
    }
    for package in packages:
        spec = importlib.util.find_spec(package)
        for directory in spec.submodule_search_locations or () if spec else ():
            files.update(path.resolve() for path in Path(directory).rglob("*") if path.is_file())
    return sum(_size(path) for path in files if path.parent.name != "__pycache__")


def of_command(command: str) -> int | None:
    """Bytes of the executable; None if there is none, or if it looks like a mere launcher of something else."""
    path = shutil.which(command)
    if path is None:
        return None
    size = Path(path).resolve().stat().st_size
    return size if size > _LAUNCHER_BYTES else None


def _size(path: Path) -> int:
    size = path.stat().st_size
    if path.suffix == ".py":
        compiled = Path(importlib.util.cache_from_source(str(path)))
        if compiled.is_file():
            size += compiled.stat().st_size
    return size


def _closure(root: str) -> Iterator[Distribution]:
    seen = {root}
    waiting = [root]
    while waiting:
        try:
            found = distribution(waiting.pop())
        except PackageNotFoundError:
            if seen == {root}:
                raise
            continue  # required on other systems only
        yield found
        required = {_name(requirement) for requirement in found.requires or () if "extra ==" not in requirement}
        waiting += required - seen
        seen |= required


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match[0] if match else requirement
