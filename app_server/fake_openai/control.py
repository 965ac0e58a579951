"""Programming the fake over HTTP, from any language. All bodies are JSON; bad input is 400 with what is wrong.

With ``$URL`` the base URL, for example ``http://127.0.0.1:8123``::

    curl $URL/__fake__                                             # environment, config, routes
    curl $URL/__fake__/help                                        # this text
    curl $URL/__fake__/schema                                      # JSON Schemas of fault, script, account, settings
    curl $URL/__fake__/tokens -d '{}'                              # mint tokens of the current account …
    curl $URL/__fake__/tokens -d '{"account_id": "acct-1", "expires_in": 60, "claims": {"email": null}}'
    curl $URL/__fake__/tokens -d '{"kind": "personal"}'            # … or a personal access token
    curl $URL/__fake__/tokens/expire -d '{"token": "eyJ…"}'        # 401 from now on; or a refresh token
    curl $URL/__fake__/tokens/revoke -d '{"token": "eyJ…"}'        # the whole sign-in
    curl $URL/__fake__/accounts/expire -d '{}'                     # all tokens that the current account has now: 401
    curl $URL/__fake__/accounts/expire -d '{"account_id": "acct-1", "after_requests": 2}'   # after 2 more
    curl $URL/__fake__/accounts/expire -d '{"after_events": 5}'    # in the next stream
    curl $URL/__fake__/faults -d '{"route": "usage", "status": 401, "times": 2}'
    curl $URL/__fake__/faults -d '{"route": "token", "when": "after", "drop": true}'
    curl $URL/__fake__/faults -d '{"route": "responses", "hang": true}'                 # before the headers
    curl $URL/__fake__/faults -d '{"route": "responses", "drop_after_events": 4}'       # or drop_inside_event,
    curl $URL/__fake__/faults -d '{"route": "responses", "end_inside_event": 4}'        # drop_after_bytes; the same
    curl $URL/__fake__/faults -d '{"route": "responses", "hang_after_bytes": 900}'      # three for end and hang
    curl $URL/__fake__/faults -X DELETE                            # nothing goes wrong any more
    curl $URL/__fake__/release -d '{}'                             # what hangs goes on
    curl $URL/__fake__/release -d '{"count": 1, "timeout": 5}'     # first waits up to 5 s until so many hang
    curl $URL/__fake__/script -d '{"text": "Hello", "deltas": 5, "delay": 0.1}'
    curl $URL/__fake__/script -d '{"reasoning": "Hm.", "raw_reasoning": "Hmm …", "contains": "only with this text"}'
    curl $URL/__fake__/script -d '{"messages": [{"text": "Wait.", "phase": "commentary"}, {"text": "Done."}]}'
    curl $URL/__fake__/script -d '{"tool_calls": [{"name": "lookup", "arguments": {"q": "x"}, "call_id": "call_1"}]}'
    curl $URL/__fake__/script -d '{"usage": {"input_tokens": 250000}, "request_kind": "turn"}'
    curl $URL/__fake__/script -d '{"error": {"code": "context_length_exceeded", "message": "Too long."}}'
    curl $URL/__fake__/script -d '{"messages": [{"text": "Half", "done": false}], "status": "incomplete"}'
    curl $URL/__fake__/script -d '{"events": ["data: {no JSON\\n\\n", {"type": "response.completed", "response": {}}]}'
    curl $URL/__fake__/accounts -d '{"account": {"account_id": "acct-2", "plan_type": "pro"}, "current": true}'
    curl $URL/__fake__/settings -d '{"accept_any_token": true}'
    curl $URL/__fake__/authorize -d '{"error": "access_denied", "description": "No.", "times": 1}'
    curl $URL/__fake__/device/approve -d '{"user_code": "BCDF-GHJKL"}'
    curl $URL/__fake__/device/deny -d '{"user_code": "BCDF-GHJKL"}'
    curl "$URL/__fake__/requests?route=usage&count=2&timeout=5"    # recorded; waits up to timeout seconds for count
    curl $URL/__fake__/reset -d '{}'

The members of faults, scripts, accounts and settings are those of ``faults.Fault``, ``script.Script``,
``tokens.Account`` and ``state.Settings``. Nothing here is recorded. Without a script the Responses API echoes the
user, repeats what a tool said, summarises when a conversation is compacted, and fits JSON Schemas (``echo``).
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app_server.fake_openai.faults import Fault, Json
from app_server.fake_openai.routing import api_error, json_response
from app_server.fake_openai.script import Script
from app_server.fake_openai.state import Settings
from app_server.fake_openai.tokens import Account
from app_server.http_server import Request, Response

if TYPE_CHECKING:
    from app_server.fake_openai.server import FakeOpenAI

PREFIX: Final = "/__fake__"
_MAX_WAIT: Final = 60.0


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Mint(_Body):
    kind: Literal["chatgpt", "personal"] = "chatgpt"
    account_id: str | None = None
    expires_in: int | None = Field(default=None, ge=-(10**9), le=10**9)
    claims: dict[str, Json] | None = None


class _Token(_Body):
    token: str = Field(min_length=1)


class _Release(_Body):
    count: int = Field(default=0, ge=0)
    timeout: float = Field(default=5.0, ge=0, le=_MAX_WAIT)


class _Expiry(_Body):
    account_id: str | None = None
    after_requests: int = Field(default=0, ge=0)
    after_events: int | None = Field(default=None, ge=0)


class _NewAccount(_Body):
    account: Account
    current: bool = False


class _Refusal(_Body):
    error: str = Field(min_length=1)
    description: str = ""
    times: int = Field(default=1, ge=1, le=1000)


class _UserCode(_Body):
    user_code: str
    account_id: str | None = None


class Control:
    """Turns control requests into calls of the fake."""

    def __init__(self, fake: "FakeOpenAI") -> None:
        self._fake = fake
        self._actions: dict[str, dict[str, Callable[[Request], Awaitable[Any]]]] = {
            "": {"GET": self._describe},
            "/help": {"GET": _help},
            "/schema": {"GET": _schema},
            "/tokens": {"POST": self._mint},
            "/tokens/expire": {"POST": self._expire},
            "/tokens/revoke": {"POST": self._revoke},
            "/faults": {"POST": self._fault, "DELETE": self._clear_faults},
            "/release": {"POST": self._release},
            "/script": {"POST": self._script},
            "/accounts": {"POST": self._add_account},
            "/accounts/expire": {"POST": self._expire_account},
            "/settings": {"POST": self._configure},
            "/authorize": {"POST": self._refuse_authorization},
            "/device/approve": {"POST": self._approve},
            "/device/deny": {"POST": self._deny},
            "/requests": {"GET": self._requests},
            "/reset": {"POST": self._reset},
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request whose path starts with ``PREFIX``."""
        methods = self._actions.get(request.path.removeprefix(PREFIX).rstrip("/"))
        if methods is None:
            known = ", ".join(PREFIX + path for path in self._actions)
            return api_error(404, "not_found", f"unknown control path {request.path}, expected one of {known}")
        if (action := methods.get(request.method)) is None:
            return api_error(405, "method_not_allowed", f"{request.path} takes {' and '.join(methods)}")
        try:
            answer = await action(request)
            return answer if isinstance(answer, Response) else json_response(200, answer)
        except ValidationError as error:
            return api_error(400, "bad_input", _explain(error))
        except ValueError as error:
            return api_error(400, "bad_input", str(error))
        except TimeoutError as error:
            return api_error(408, "timeout", str(error))

    async def _describe(self, _: Request) -> Any:
        fake = self._fake
        return {
            "base_url": fake.base_url,
            "environment": fake.environment(),
            "config_overrides": fake.config_overrides(),
            "routes": fake.route_names,
            "accounts": [account.model_dump() for account in fake.state.accounts.values()],
            "settings": fake.state.settings.model_dump(),
        }

    async def _mint(self, request: Request) -> Any:
        wanted = _Mint.model_validate_json(request.body)
        if wanted.kind == "personal":
            return {"access_token": self._fake.mint_personal(wanted.account_id)}
        return self._fake.mint(wanted.account_id, expires_in=wanted.expires_in, claims=wanted.claims).to_json()

    async def _expire(self, request: Request) -> Any:
        self._fake.expire(_Token.model_validate_json(request.body).token)
        return {}

    async def _revoke(self, request: Request) -> Any:
        self._fake.revoke(_Token.model_validate_json(request.body).token)
        return {}

    async def _fault(self, request: Request) -> Any:
        self._fake.add_fault(Fault.model_validate_json(request.body))
        return {}

    async def _clear_faults(self, _: Request) -> Any:
        self._fake.clear_faults()
        return {}

    async def _release(self, request: Request) -> Any:
        wanted = _Release.model_validate_json(request.body)
        await self._fake.wait_hanging(wanted.count, timeout=wanted.timeout)
        self._fake.release()
        return {}

    async def _script(self, request: Request) -> Any:
        self._fake.add_script(Script.model_validate_json(request.body))
        return {}

    async def _add_account(self, request: Request) -> Any:
        wanted = _NewAccount.model_validate_json(request.body)
        self._fake.add_account(wanted.account, current=wanted.current)
        return {}

    async def _expire_account(self, request: Request) -> Any:
        wanted = _Expiry.model_validate_json(request.body)
        self._fake.expire_tokens(
            wanted.account_id, after_requests=wanted.after_requests, after_events=wanted.after_events
        )
        return {}

    async def _configure(self, request: Request) -> Any:
        self._fake.configure(**_object(request))
        return self._fake.state.settings.model_dump()

    async def _refuse_authorization(self, request: Request) -> Any:
        wanted = _Refusal.model_validate_json(request.body)
        self._fake.refuse_authorization(wanted.error, wanted.description, times=wanted.times)
        return {}

    async def _approve(self, request: Request) -> Any:
        wanted = _UserCode.model_validate_json(request.body)
        self._fake.approve_device(wanted.user_code, wanted.account_id)
        return {}

    async def _deny(self, request: Request) -> Any:
        self._fake.deny_device(_UserCode.model_validate_json(request.body).user_code)
        return {}

    async def _requests(self, request: Request) -> Any:
        route = request.parameter("route")
        if route is not None and route not in self._fake.route_names:
            raise ValueError(f"unknown route {route!r}, expected one of {', '.join(self._fake.route_names)}")
        count = int(_number(request, "count", 0))
        timeout = min(_number(request, "timeout", 0), _MAX_WAIT)
        found = await self._fake.requests.wait_for(route, count=count, timeout=timeout)
        return {"requests": [recorded.to_json() for recorded in found]}

    async def _reset(self, _: Request) -> Any:
        self._fake.reset()
        return {}


async def _help(_: Request) -> Any:
    return Response.text(200, __doc__ or "")


async def _schema(_: Request) -> Any:
    models: dict[str, type[BaseModel]] = {"fault": Fault, "script": Script, "account": Account, "settings": Settings}
    return {name: model.model_json_schema() for name, model in models.items()}


def _object(request: Request) -> dict[str, Any]:
    import orjson  # noqa: PLC0415 - the models above read the other bodies

    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"Invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one kind of bad input
    return value


def _number(request: Request, name: str, default: float) -> float:
    text = request.parameter(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    if not 0 <= number <= 1e9:
        raise ValueError(f"{name} must be a number from 0, not {text!r}")
    return number


def _explain(error: ValidationError) -> str:
    """One line for all that is wrong, without the input's values."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" if problem["loc"] else problem["msg"]
        for problem in problems
    )
