"""The offline upstream of the rows that need one: our ``app-server fake-openai`` in a process of its own."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Tokens(NamedTuple):
    """An access token and whose it is."""

    access_token: str
    account_id: str


class Upstream:
    """The fake, programmed through its control endpoint."""

    def __init__(self, base_url: str, control_path: str, overrides: list[str]) -> None:
        self._control_path = control_path
        self._http = HTTPConnection(urlsplit(base_url).netloc, timeout=30)
        self.options = [word for override in overrides for word in ("-c", override)]
        """What points a server at it; every server of this wire takes it."""

    @classmethod
    @contextlib.contextmanager
    def running(cls, python: str) -> Iterator[Self]:
        """A fake that serves until the block is left."""
        command = [python, "-m", "app_server", "fake-openai", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            announced = json.loads(process.stdout.readline())
            path = urlsplit(announced["control_url"]).path
            fake = cls(announced["base_url"], path, announced["config_overrides"])
            try:
                yield fake
            finally:
                fake._http.close()
                process.terminate()

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
        if answer.status != 200:
            raise RuntimeError(f"the fake refused {path}: {content.decode()}")
        return json.loads(content)
