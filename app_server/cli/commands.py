"""The subcommands: each parses its own arguments, imports what it needs, and returns an exit status."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from app_server.cli.argv import Subcommand


def run(command: Subcommand) -> int:
    """Carry out a subcommand; bad arguments end the process with status 2."""
    return _COMMANDS[command.name](command)


def _parser(command: Subcommand, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"app-server {command.name}", description=description)


def _demo(command: Subcommand) -> int:
    parser = _parser(command, "See a parent application, this server and a fake upstream talk, offline.")
    parser.parse_args(command.arguments)
    from app_server.cli.demo import run  # noqa: PLC0415 - each subcommand imports its own

    return run()


def _fake_openai(command: Subcommand) -> int:
    parser = _parser(command, "Run the offline upstream alone, on loopback, until it is interrupted.")
    parser.add_argument("--port", type=_port, default=0, help="where to listen; 0, the default, is any free port")
    parser.add_argument("--json", action="store_true", help="announce the environment as one line of JSON")
    arguments = parser.parse_args(command.arguments)
    from app_server.fake_openai.main import run  # noqa: PLC0415

    return run(arguments.port, json=arguments.json)


def _generate_json_schema(command: Subcommand) -> int:
    from protocol.export import generate_json  # noqa: PLC0415

    return _generate(command, "Write the JSON Schema of the protocol.", generate_json)


def _generate_ts(command: Subcommand) -> int:
    from protocol.export import generate_ts  # noqa: PLC0415

    return _generate(command, "Write the TypeScript of the protocol.", generate_ts)


def _generate(command: Subcommand, description: str, generate: Callable[[Path, bool], None]) -> int:
    parser = _parser(command, description)
    parser.add_argument("-o", "--out", type=Path, required=True, help="directory to write to; made when missing")
    parser.add_argument("--experimental", action="store_true", help="include experimental methods and fields")
    arguments = parser.parse_args(command.arguments)
    try:
        generate(arguments.out, arguments.experimental)
    except OSError as error:
        sys.stderr.write(f"app-server {command.name}: cannot write to {arguments.out}: {error.strerror}\n")
        return 1
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


_COMMANDS: dict[str, Callable[[Subcommand], int]] = {
    "demo": _demo,
    "fake-openai": _fake_openai,
    "generate-json-schema": _generate_json_schema,
    "generate-ts": _generate_ts,
}
