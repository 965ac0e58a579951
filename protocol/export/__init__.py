"""Writes the declarations of ``protocol.catalogue`` out as JSON Schema and TypeScript.

    catalogue ──declarations, models──> shapes.Surface ──json_schema──> {path: text} ──tree──> files
                                                       └─typescript───> {path: text} ──tree──> files

The two functions here serve the command line of ``app_server``; ``python -m protocol.export`` (``__main__.py``)
keeps ``schema/`` of a checkout. Nothing else of ``protocol`` imports this package: a server that runs does not
pay for it.
"""

from pathlib import Path

from protocol.export.declarations import CATALOGUE, read_surface
from protocol.export.json_schema import json_files
from protocol.export.tree import Tree
from protocol.export.typescript import typescript_files

__all__ = ["generate_json", "generate_ts", "json_tree", "typescript_tree"]


def json_tree(out: Path, *, experimental: bool = False) -> Tree:
    """The JSON Schema files, to be written directly into ``out`` or compared with what is there."""
    return Tree(out, ".json", json_files(read_surface(CATALOGUE, experimental=experimental)))


def typescript_tree(out: Path, *, experimental: bool = False) -> Tree:
    """The TypeScript files, to be written directly into ``out`` or compared with what is there."""
    return Tree(out, ".ts", typescript_files(read_surface(CATALOGUE, experimental=experimental)))


def generate_json(out: Path, experimental: bool = False) -> None:
    """Write the JSON Schema directly into ``out``, which is made when missing.

    Files of an earlier run that no longer belong are removed; files that somebody else wrote are not touched,
    unless they have the name of one of ours.

    :raises OSError: ``out`` cannot be written.
    """
    json_tree(out, experimental=experimental).write()


def generate_ts(out: Path, experimental: bool = False) -> None:
    """Write the TypeScript directly into ``out``; in all else like :func:`generate_json`.

    :raises OSError: ``out`` cannot be written.
    """
    typescript_tree(out, experimental=experimental).write()
