"""The server's argument vector, as published clients write it (wire.md section 16).

    [-c k=v | --config k=v | --config=k=v]… [app-server] [--listen stdio://] [--enable X] [--disable X] [-c k=v]…

Flags stand before and after the optional word ``app-server``. What follows the name of a subcommand belongs to that
subcommand's own parser. This is written by hand because argparse takes as long to import as all of this program needs
until its first answer; what a configuration key or value means stands in ``config``.
"""

import sys

from app_server.version import WIRE_VERSION, __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_STATUS = 2
"""Exit status when the arguments make no sense."""

STDIO = "stdio://"

SUBCOMMANDS = {
    "login": "log in, or tell who is logged in: login status",
    "logout": "log out",
    "doctor": "look for what stands in the way of a login",
    "demo": "see a parent application, this server and a fake upstream talk, offline; --chat: take part",
    "fake-openai": "run the offline upstream alone",
    "generate-json-schema": "write the JSON Schema of the protocol",
    "generate-ts": "write the TypeScript of the protocol",
}

VERSION = f"app-server {__version__} (speaks the wire of codex app-server {WIRE_VERSION})"

HELP = "\n".join(
    (
        "A JSON-RPC server over standard input and output that owns sign-in, tokens and authorised model calls.",
        "",
        "Usage: app-server [OPTIONS]",
        "       app-server [OPTIONS] <COMMAND> [ARGUMENTS]",
        "",
        "Without a command it serves its parent until standard input ends.",
        "",
        "Commands:",
        *(f"  {name:22}{text}" for name, text in SUBCOMMANDS.items()),
        "",
        "Options:",
        "  -c, --config <KEY=VALUE>    override a value of config.toml; a dotted path and a value of TOML, or any text",
        f"      --listen <URL>          where to serve; only {STDIO}, the default, is supported",
        f"      --stdio                 the same as --listen {STDIO}",
        "      --enable <FEATURE>      accepted for clients that send it",
        "      --disable <FEATURE>     accepted for clients that send it",
        "      --analytics-default-enabled  accepted for clients that send it; there are no analytics",
        "  -h, --help                  print this",
        "  -V, --version               print the version",
    )
)

# These change nothing, and editors that start a server send them.
_FLAGS = frozenset(("--stdio", "--analytics-default-enabled"))
_OPTIONS = frozenset(("-c", "--config", "--listen", "--enable", "--disable"))


class ServeCommand:
    """Serve the parent.

    :param overrides: the ``key=value`` of ``-c``, in their order.
    :param listen: always ``stdio://``, so far.
    :param enabled: names of features, in their order; nothing here depends on them.
    :param disabled: likewise.
    """

    __slots__ = ("disabled", "enabled", "listen", "overrides")

    def __init__(
        self,
        overrides: "Sequence[str]" = (),
        listen: str = STDIO,
        enabled: "Sequence[str]" = (),
        disabled: "Sequence[str]" = (),
    ) -> None:
        self.overrides = tuple(overrides)
        self.listen = listen
        self.enabled = tuple(enabled)
        self.disabled = tuple(disabled)


class Subcommand:
    """Run one of ``SUBCOMMANDS``.

    :param name: which.
    :param arguments: for its own parser.
    :param overrides: the ``key=value`` of the ``-c`` that came before the name.
    """

    __slots__ = ("arguments", "name", "overrides")

    def __init__(self, name: str, arguments: "Sequence[str]", overrides: "Sequence[str]") -> None:
        self.name = name
        self.arguments = tuple(arguments)
        self.overrides = tuple(overrides)


class UsageError(Exception):
    """The arguments make no sense; the text is one line for the person who wrote them."""


def parse(argv: "Sequence[str]") -> ServeCommand | Subcommand:
    """What the arguments ask for.

    :param argv: without the program's name.
    :raises SystemExit: with status 0 after help or version has been printed, with 2 after the one line on stderr that
        says what is wrong.
    """
    try:
        command = read(argv)
    except UsageError as error:
        from app_server.redaction import redact  # noqa: PLC0415 - only a failure needs it

        sys.stderr.write(f"app-server: error: {redact(str(error))}; see app-server --help\n")
        raise SystemExit(USAGE_STATUS) from None
    if isinstance(command, str):
        print(command)
        raise SystemExit(0)
    return command


def read(argv: "Sequence[str]") -> ServeCommand | Subcommand | str:
    """As :func:`parse`, without printing: a text is what is to be printed.

    :raises UsageError: the arguments make no sense.
    """
    values: dict[str, list[str]] = {"--config": [], "--listen": [], "--enable": [], "--disable": []}
    named = False
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in SUBCOMMANDS:
            return Subcommand(word, rest, values["--config"])
        if word in ("-h", "--help", "help"):
            return HELP
        if word in ("-V", "--version"):
            return VERSION
        if word == "app-server" and not named:
            named = True
        elif word not in _FLAGS and not (word == "--" and not rest):
            option, value = _option(word, rest)
            values[option].append(_checked(option, value))
    return ServeCommand(values["--config"], STDIO, values["--enable"], values["--disable"])


def _option(word: str, rest: list[str]) -> tuple[str, str]:
    """The option's long name and its value, which may be the next word and is then taken."""
    name, separator, value = word.partition("=")
    if word.startswith("-c") and word != "-c":
        name, separator, value = "-c", "=", word[2:].removeprefix("=")
    if name not in _OPTIONS:
        raise UsageError(f"unexpected argument {name!r}" if word.startswith("-") else f"unknown command {word!r}")
    if not separator:
        if not rest or rest[0].startswith("-"):
            raise UsageError(f"{name} needs a value")
        value = rest.pop(0)
    return "--config" if name == "-c" else name, value


def _checked(option: str, value: str) -> str:
    if option == "--config":
        key, separator, _ = value.partition("=")
        if not separator or not key.strip():
            # Without the value: it may be a secret that somebody forgot to give a key.
            raise UsageError("-c needs KEY=VALUE")
    elif option == "--listen" and value != STDIO:
        raise UsageError(f"--listen supports {STDIO} only, not {value!r}")
    elif not value:
        raise UsageError(f"{option} needs a value")
    return value
