"""Values that must turn up nowhere, an issuer that repeats whatever it is told, and the search for leaks."""

import json
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qsl

import anyio

from app_server.http_server import DropConnection, HttpServer, Request, Response, bind_loopback
from tests.unit.auth.samples import AUTH, base64url

WINDOW = 16
"""Characters of a secret that are as bad as all of it."""

Manner = Literal["succeed", "description", "message", "code", "text", "cut", "elsewhere", "nothing", "garbage", "drop"]
"""How the issuer answers. All but the first and the last repeat the whole request."""


class Aviary:
    """Makes canaries, and knows them all."""

    def __init__(self) -> None:
        self.canaries: dict[str, str] = {}

    def keep(self, name: str, value: str) -> str:
        """Somebody else's value is a canary from now on."""
        self.canaries[f"{name} {len(self.canaries)}"] = value
        return value

    def new(self, name: str) -> str:
        """A canary that does not look like a secret by its form."""
        return self.keep(name, f"canary{secrets.token_hex(16)}")

    def token(self, name: str) -> str:
        """A token with an account in it."""
        claims = {
            AUTH: {"chatgpt_account_id": "acct-1", "chatgpt_plan_type": "plus"},
            "jti": self.new(f"claim of {name}"),
        }
        return self.keep(name, f"e30.{base64url(json.dumps(claims).encode())}.{self.new(f'signature of {name}')}")

    def leaks(self, text: str) -> set[str]:
        """The names of the canaries of which a part is in this text."""
        windows: dict[str, str] = {}
        for name, value in self.canaries.items():
            size = min(WINDOW, len(value))
            windows |= {value[start : start + size]: name for start in range(len(value) - size + 1)}
        sizes = {len(window) for window in windows}
        parts = (text[start : start + size] for size in sizes for start in range(len(text) - size + 1))
        return {windows[part] for part in parts if part in windows}


class ParrotIssuer:
    """An issuer and a backend, on any port of this machine.

    :param aviary: where the tokens and codes that it issues come from.
    """

    def __init__(self, port: int, aviary: Aviary) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.manners: dict[str, Manner] = {}
        """How it answers, by what it is asked for; it succeeds in what is not here."""
        self.gossip = ""
        """What it has heard elsewhere, and repeats, too."""
        self.asked: list[str] = []
        self._aviary = aviary

    def environment(self) -> dict[str, str]:
        """The variables that make a server use it."""
        return {
            "CODEX_APP_SERVER_LOGIN_ISSUER": self.url,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{self.url}/oauth/token",
            "CODEX_REVOKE_TOKEN_URL_OVERRIDE": f"{self.url}/oauth/revoke",
            "NO_PROXY": "127.0.0.1",
        }

    async def answer(self, request: Request) -> Response:
        """Answer in the manner that is due."""
        what = self._what(request)
        self.asked.append(what)
        manner = self.manners.get(what, "succeed")
        if manner == "drop":
            raise DropConnection
        if manner == "succeed":
            return _json(200, self._success(what))
        headers = " ".join(f"{name}: {value}" for name, value in request.headers.pairs)
        body = request.body.decode()
        values = " ".join(value for _, value in parse_qsl(body))  # without the names that give them away
        return _repeat(f"{values}? {self.gossip}? {request.target} {headers} {body}", manner)

    def _what(self, request: Request) -> str:
        name = request.path.rpartition("/")[2]
        form = dict(parse_qsl(request.body.decode()))
        if name == "token" and "verifier" in request.body.decode():
            self._aviary.keep("verifier", form["code_verifier"])
            return "exchange"
        return "key" if "requested_token" in form else f"device {name}" if "deviceauth" in request.path else name

    def _success(self, what: str) -> Any:
        new, token = self._aviary.new, self._aviary.token
        match what:
            case "exchange":
                return {"id_token": token("ID"), "access_token": token("access"), "refresh_token": new("refresh")}
            case "key":
                return {"access_token": new("key")}
            case "device usercode":
                return {"device_auth_id": new("device id"), "user_code": new("user code"), "interval": 1}
            case "device token":
                return {"authorization_code": new("device's code"), "code_verifier": new("device's verifier")}
            case "check":
                entry = {
                    "id": "acct-1",
                    "account_routing_override": "us",
                    "workspace_backend_origin": "https://a.example",
                }
                return {"accounts": [entry]}
            case _:
                return {}


def _repeat(heard: str, manner: Manner) -> Response:
    answers = {
        "description": _json(400, {"error": "invalid_grant", "error_description": f"Why do you say {heard}"}),
        "message": _json(401, {"error": {"message": f"Why do you say {heard}", "code": heard}}),
        "code": _json(403, {"error": heard, "code": heard}),
        "text": Response.text(500, heard),
        "cut": Response(200, (("content-type", "application/json"),), f'{{"id_token": "{heard}'.encode()),
        "elsewhere": _json(307, {"error": heard}, ("location", f"/elsewhere?{base64url(heard.encode())}")),
        "nothing": _json(200, {"accounts": heard, "error": heard}),
        "garbage": _json(200, {"id_token": heard, "access_token": heard, "refresh_token": "r"}),
    }
    return answers[manner]


def _json(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    return Response(status, (("content-type", "application/json"), *headers), json.dumps(value).encode())


@asynccontextmanager
async def parrot_issuer(aviary: Aviary) -> AsyncIterator[ParrotIssuer]:
    """One that answers until the block is left."""
    with bind_loopback(0) as listener:
        async with anyio.create_task_group() as tasks:
            issuer = ParrotIssuer(listener.getsockname()[1], aviary)
            await tasks.start(HttpServer(issuer.answer).serve, listener)
            yield issuer
            tasks.cancel_scope.cancel()


def without(message: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A message whose result lacks these members."""
    result = message.get("result")
    if not isinstance(result, dict):
        return message
    return {**message, "result": {name: value for name, value in result.items() if name not in names}}
