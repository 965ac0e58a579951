"""``python -m protocol.export``: writes ``schema/json`` and ``schema/ts``, or checks that they are fresh."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from protocol.export import json_tree, typescript_tree

_CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 1 when ``--check`` found a difference."""
    options = _parser().parse_args(arguments)
    trees = (
        json_tree(options.out / "json", experimental=options.experimental),
        typescript_tree(options.out / "ts", experimental=options.experimental),
    )
    if not options.check:
        for tree in trees:
            tree.write()
        return 0
    differences = "".join(tree.diff() for tree in trees)
    if not differences:
        return 0
    sys.stdout.write(differences)
    sys.stderr.write(f"{options.out} is stale: run `python -m protocol.export`\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m protocol.export",
        description="Write the JSON Schema and the TypeScript of the wire, derived from the declared methods.",
        allow_abbrev=False,
    )
    # An installed package has no schema/ beside it, and site-packages is no place to make one.
    in_checkout = (_CHECKOUT / "pyproject.toml").is_file()
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=_CHECKOUT / "schema" if in_checkout else None,
        required=not in_checkout,
        help="write DIR/json and DIR/ts (default: schema/ of the checkout)",
    )
    parser.add_argument("--experimental", action="store_true", help="include experimental methods and members")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 and print a unified diff when DIR is not fresh"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
