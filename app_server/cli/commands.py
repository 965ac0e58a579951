"""The subcommands: each parses its own arguments, imports what it needs, and returns an exit status."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from app_server.cli.argv import Subcommand


def run(command: Subcommand) -> int:
    """Carry out a subcommand; bad arguments end the process with status 2."""
    return _COMMANDS[command.name](command)


class _Parser(argparse.ArgumentParser):
    """Repeats what it does not understand without what looks like a credential."""

    def error(self, message: str) -> NoReturn:
        from app_server.redaction import redact  # noqa: PLC0415 - only a failure needs it

        super().error(redact(message))


def _parser(command: Subcommand, description: str) -> argparse.ArgumentParser:
    return _Parser(prog=f"app-server {command.name}", description=description, allow_abbrev=False)


def _login(command: Subcommand) -> int:
    parser = _parser(command, "Log in with a ChatGPT account through a browser, or with an API key.")
    parser.add_argument("action", nargs="?", choices=("status",), help="tell who is logged in, and change nothing")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--device-auth",
        dest="how",
        action="store_const",
        const="device",
        help="with a one-time code that is entered in a browser on any machine",
    )
    how.add_argument(
        "--with-api-key", dest="how", action="store_const", const="key", help="with an API key from standard input"
    )
    how.add_argument(
        "--paste",
        dest="how",
        action="store_const",
        const="paste",
        help="through a browser on another machine, by pasting the address that it ends on",
    )
    parser.add_argument("--no-open", action="store_true", help="print the address and open no browser")
    parser.add_argument(
        "--take-port",
        action="store_true",
        help="end a login server of yours that is left over and holds the port for the callback",
    )
    parser.set_defaults(how="browser")
    arguments = parser.parse_args(command.arguments)
    if arguments.action == "status":
        if arguments.how != "browser" or arguments.no_open or arguments.take_port:
            parser.error("status takes no options")
        from app_server.cli.account import run_status  # noqa: PLC0415 - each subcommand imports its own

        return run_status(command.overrides)
    from app_server.cli.login import run  # noqa: PLC0415

    return run(command.overrides, arguments.how, open_url=not arguments.no_open, take_port=arguments.take_port)


def _logout(command: Subcommand) -> int:
    _parser(command, "Log out: nothing is stored afterwards, and tokens are revoked.").parse_args(command.arguments)
    from app_server.cli.account import run_logout  # noqa: PLC0415

    return run_logout(command.overrides)


def _doctor(command: Subcommand) -> int:
    parser = _parser(command, "Look for what stands in the way of a login; nothing is changed.")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("--offline", action="store_true", help="do not ask whether the issuer and the backend answer")
    arguments = parser.parse_args(command.arguments)
    from app_server.cli.doctor import run  # noqa: PLC0415

    return run(command.overrides, json=arguments.json, check_upstream=not arguments.offline)


def _demo(command: Subcommand) -> int:
    parser = _parser(command, "See a parent application, this server and a fake upstream talk, offline.")
    parser.add_argument("--chat", action="store_true", help="talk to the fake model yourself, and watch")
    if parser.parse_args(command.arguments).chat:
        from app_server.cli.chat import run as chat  # noqa: PLC0415

        return chat()
    from app_server.cli.demo import run  # noqa: PLC0415

    return run()


def _fake_openai(command: Subcommand) -> int:
    parser = _parser(command, "Run the offline upstream alone, on loopback, until it is interrupted.")
    parser.add_argument("--port", type=_port, default=0, help="where to listen; 0, the default, is any free port")
    parser.add_argument("--json", action="store_true", help="announce the environment as one line of JSON")
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="make this empty directory a CODEX_HOME that leads to it"
    )
    parser.epilog = "It is programmed over HTTP, from any language: GET /__fake__/help tells how."
    arguments = parser.parse_args(command.arguments)
    from app_server.fake_openai.main import run  # noqa: PLC0415

    return run(arguments.port, json=arguments.json, home=arguments.home)


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
    "login": _login,
    "logout": _logout,
    "doctor": _doctor,
    "demo": _demo,
    "fake-openai": _fake_openai,
    "generate-json-schema": _generate_json_schema,
    "generate-ts": _generate_ts,
}
