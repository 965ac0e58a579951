"""The issuer's half: authorization page, token endpoint, revocation, device codes, personal access tokens.

HTTP in, HTTP out; the rules are in ``state``. Nobody has to type a password: opening the authorization page signs
the current account in at once. Shapes of requests and answers: wire.md sections 5, 7, 8 and 11.
"""

from html import escape
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from app_server.fake_openai.routing import Access, Exchange, Route, api_error, json_response
from app_server.fake_openai.state import OAuthError, State, challenge_of
from app_server.http_server import Request, Response

_TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name, no secret
_ID_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name, no secret

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<body><h1>{title}</h1><p>{text}</p>{form}</body></html>"""
_DEVICE_FORM: Final = """<form method="post"><label>Code <input name="user_code" value="{code}"></label>
<button name="action" value="approve">Approve</button> <button name="action" value="deny">Deny</button></form>"""


class Issuer:
    """Answers for ``CODEX_APP_SERVER_LOGIN_ISSUER``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Its routes."""
        device = "/api/accounts/deviceauth"
        return [
            Route("authorize", Access.OPEN, ("/oauth/authorize",), {"GET": self._authorize}),
            Route("token", Access.OPEN, ("/oauth/token",), {"POST": self._token}),
            Route("revoke", Access.OPEN, ("/oauth/revoke",), {"POST": self._revoke}),
            Route("device_usercode", Access.OPEN, (f"{device}/usercode",), {"POST": self._usercode}),
            Route("device_token", Access.OPEN, (f"{device}/token",), {"POST": self._device_token}),
            Route(
                "device_page",
                Access.OPEN,
                ("/codex/device",),
                {"GET": self._device_page, "POST": self._decide_device},
            ),
            Route("whoami", Access.PERSONAL, ("/v1/user-auth-credential/whoami",), {"GET": self._whoami}),
        ]

    # -- browser sign-in

    def _authorize(self, exchange: Exchange) -> Response:
        request, state = exchange.request, self._state
        if (problem := _authorization_problem(request)) is not None:
            # Never redirect somewhere that was not checked (RFC 6749 section 4.1.2.1).
            return _page(400, "Bad authorization request", problem)
        if state.authorize_refusals:
            code, description = state.authorize_refusals.popleft()
            answer = {"error": code, "error_description": description}
        else:
            allowed = (request.parameter("allowed_workspace_id") or "").split(",")
            account = next((a for a in map(state.accounts.get, allowed) if a is not None), state.current)
            answer = {
                "code": state.new_code(
                    account,
                    request.parameter("client_id") or "",
                    request.parameter("redirect_uri") or "",
                    request.parameter("code_challenge") or "",
                ),
                "scope": request.parameter("scope") or "",
            }
        answer["state"] = request.parameter("state") or ""
        redirect_uri = request.parameter("redirect_uri") or ""
        location = f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(answer)}"
        return Response(302, (("location", location), ("cache-control", "no-store")))

    # -- token endpoint

    def _token(self, exchange: Exchange) -> Response:
        fields = exchange.fields()
        grant = fields.get("grant_type")
        try:
            if grant == "authorization_code":
                return self._exchange_code(fields)
            if grant == "refresh_token":
                return self._refresh(fields)
            if grant == _TOKEN_EXCHANGE:
                return self._exchange_for_api_key(fields)
            raise OAuthError("unsupported_grant_type", f"The grant type {grant!r} is not supported.")
        except OAuthError as error:
            return _oauth_error(error)

    def _exchange_code(self, fields: dict[str, Any]) -> Response:
        _require(fields, "client_id", "code", "redirect_uri", "code_verifier")
        issued = self._state.redeem_code(
            fields["code"], fields["client_id"], fields["redirect_uri"], fields["code_verifier"]
        )
        return _tokens(issued.to_json())

    def _refresh(self, fields: dict[str, Any]) -> Response:
        _require(fields, "client_id", "refresh_token")
        try:
            return _tokens(self._state.refresh(fields["refresh_token"]).to_json())
        except OAuthError as error:
            return api_error(error.status, error.code, error.message)

    def _exchange_for_api_key(self, fields: dict[str, Any]) -> Response:
        _require(fields, "client_id", "requested_token", "subject_token", "subject_token_type")
        if (fields["requested_token"], fields["subject_token_type"]) != ("openai-api-key", _ID_TOKEN_TYPE):
            raise OAuthError("invalid_request", "Only an openai-api-key for an id_token can be had.")
        key = self._state.exchange_for_api_key(fields["subject_token"])
        return json_response(200, {"access_token": key}, ("cache-control", "no-store"))

    def _revoke(self, exchange: Exchange) -> Response:
        fields = exchange.fields()
        try:
            _require(fields, "token")
        except OAuthError as error:
            return _oauth_error(error)
        self._state.revoke(fields["token"])
        return json_response(200, {})

    # -- device sign-in

    def _usercode(self, exchange: Exchange) -> Response:
        fields = exchange.fields()
        try:
            _require(fields, "client_id")
        except OAuthError as error:
            return _oauth_error(error)
        device = self._state.new_device_code(fields["client_id"])
        answer: dict[str, Any] = {"device_auth_id": device.device_auth_id, "user_code": device.user_code}
        if self._state.settings.device_interval is not None:
            answer["interval"] = self._state.settings.device_interval
        return json_response(200, answer)

    def _device_token(self, exchange: Exchange) -> Response:
        fields = exchange.fields()
        try:
            _require(fields, "device_auth_id", "user_code")
            code, verifier = self._state.poll_device(fields["device_auth_id"], fields["user_code"])
        except OAuthError as error:
            return api_error(error.status, error.code, error.message)
        return json_response(
            200,
            {
                "authorization_code": code,
                "code_verifier": verifier,
                "code_challenge": challenge_of(verifier),
            },
        )

    def _device_page(self, exchange: Exchange) -> Response:
        code = escape(exchange.request.parameter("user_code") or "")
        return _page(200, "Device sign-in", "Who shows this code?", _DEVICE_FORM.format(code=code))

    def _decide_device(self, exchange: Exchange) -> Response:
        fields = exchange.fields()
        approve = fields.get("action", "approve") == "approve"
        try:
            self._state.decide_device(str(fields.get("user_code", "")), self._state.current if approve else None)
        except KeyError:
            return _page(404, "Unknown code", "No sign-in waits under this code.")
        return _page(200, "Approved" if approve else "Denied", "You can close this page.")

    # -- personal access tokens

    def _whoami(self, exchange: Exchange) -> Response:
        account = exchange.account or self._state.current
        # Without any but the first of these the reference takes the token for invalid.
        return json_response(
            200,
            {
                "email": account.email,
                "chatgpt_user_id": account.user_id,
                "chatgpt_account_id": account.account_id,
                "chatgpt_plan_type": account.plan_type,
                "chatgpt_account_is_fedramp": False,
            },
        )


def _authorization_problem(request: Request) -> str | None:
    target = urlsplit(request.parameter("redirect_uri") or "")
    if target.scheme != "http" or target.hostname not in ("127.0.0.1", "localhost"):
        return "redirect_uri must be an http URL of this machine."
    for name, expected in (("response_type", "code"), ("code_challenge_method", "S256")):
        if request.parameter(name) != expected:
            return f"{name} must be {expected}."
    for name in ("client_id", "code_challenge", "state"):
        if not request.parameter(name):
            return f"{name} is missing."
    return None


def _require(fields: dict[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise OAuthError("invalid_request", f"{name} is missing.")


def _tokens(issued: dict[str, Any]) -> Response:
    body = {name: issued[name] for name in ("id_token", "access_token", "refresh_token")}
    return json_response(200, {**body, "token_type": "Bearer"}, ("cache-control", "no-store"))


def _oauth_error(error: OAuthError) -> Response:
    """RFC 6749 section 5.2."""
    return json_response(error.status, {"error": error.code, "error_description": error.message})


def _page(status: int, title: str, text: str, form: str = "") -> Response:
    body = _PAGE.format(title=escape(title), text=escape(text), form=form).encode()
    return Response(status, (("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store")), body)
