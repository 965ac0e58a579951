"""The offline upstreams, each a process of its own: our ``app-server fake-openai``, and one that only streams."""

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from processes import DEADLINE, Json, MeasurementFailed, end

STREAM_SIZES: Final = (1, 200, 20_000)
"""The numbers of deltas for which the streaming upstream has its answers ready."""

_STREAMING: Final = Path(__file__).with_name("streaming_upstream.py")


class Tokens(NamedTuple):
    """An access token and whose it is."""

    access_token: str
    account_id: str


class Upstream:
    """The fake, programmed through its control endpoint."""

    def __init__(self, base_url: str, control_path: str, overrides: list[str]) -> None:
        self._control_path = control_path
        self._http = HTTPConnection(urlsplit(base_url).netloc, timeout=30)
        self.options = _options(overrides)
        """What points a server at it; every server of this wire takes it."""

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Self]:
        """A fake that serves until the block is left."""
        with _announced([sys.executable, "-m", "app_server", "fake-openai", "--json"]) as announced:
            path = urlsplit(announced["control_url"]).path
            fake = cls(announced["base_url"], path, announced["config_overrides"])
            with contextlib.closing(fake._http):
                yield fake

    def mint(self, *, expired: bool = False) -> Tokens:
        """Tokens of a new sign-in.

        :param expired: the upstream answers them with 401.
        """
        minted = self._post("/tokens", {})
        tokens = Tokens(minted["access_token"], minted["account_id"])
        if expired:
            self.expire(tokens)
        return tokens

    def expire(self, tokens: Tokens) -> None:
        """From now on the upstream answers them with 401."""
        self._post("/tokens/expire", {"token": tokens.access_token})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        self._http.request("POST", self._control_path + path, json.dumps(body))
        answer = self._http.getresponse()
        content = answer.read()
        self._http.close()  # the fake would, while a row is measured; the next request connects anew
        if answer.status != 200:
            raise RuntimeError(f"the fake refused {path}: {content.decode()}")
        return json.loads(content)


class StreamingUpstream:
    """``streaming_upstream``, as a model provider that wants no login."""

    def __init__(self, port: int) -> None:
        self.port = port
        provider = (
            f'{{name="bench",base_url="http://127.0.0.1:{port}/v1",wire_api="responses",supports_websockets=false,'
            'experimental_bearer_token="bench",request_max_retries=0,stream_max_retries=0}'
        )
        self.options = _options([f"model_providers.bench={provider}", 'model_provider="bench"'])
        """What points a server at it."""

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Self]:
        """One that serves until the block is left."""
        with _announced([sys.executable, str(_STREAMING), *map(str, STREAM_SIZES)]) as announced:
            yield cls(announced["port"])

    def last_body(self) -> bytes:
        """The body of the last request that it answered with a stream."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)) as http:
            http.request("GET", "/last")
            return http.getresponse().read()


@contextlib.contextmanager
def _announced(command: Sequence[str]) -> Iterator[Json]:
    """A program that runs until the block is left, and the line of JSON with which it began.

    :raises MeasurementFailed: it did not say anything.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    try:
        readable, _, _ = select.select([process.stdout], [], [], DEADLINE)
        line = process.stdout.readline() if readable else b""
        if not line:
            raise MeasurementFailed(f"{command[1:]} did not start")
        yield json.loads(line)
    finally:
        process.terminate()
        end(process)
        process.stdout.close()


def _options(overrides: Sequence[str]) -> list[str]:
    return [word for override in overrides for word in ("-c", override)]
