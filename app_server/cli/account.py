"""``app-server login status`` and ``app-server logout``."""

from collections.abc import Sequence
from typing import Final

from app_server.auth.credentials import Credential, ManagedTokens
from app_server.auth.stores.opening import open_store
from app_server.cli.console import Console
from app_server.cli.masking import masked
from app_server.cli.own_server import OwnServer, prepare, run, run_with_server
from app_server.config import ConfigWarning, Settings
from app_server.diagnosis.login import LoginState, describe_state, expiry_text, login_state
from protocol.account import GET_AUTH_STATUS, LOGOUT, GetAuthStatusParams
from protocol.method import Empty

NOBODY: Final = "Nobody is logged in."


def run_status(overrides: Sequence[str]) -> int:
    """Tell who is logged in; returns 0 if somebody is and 1 if nobody is.

    No server is started for this: it would begin to renew what is about to run out, and this only looks.

    :param overrides: the ``key=value`` of ``-c``.
    """
    configuration = prepare(overrides)
    settings, warnings = configuration.settings, configuration.warnings
    return run(_status, settings, warnings, Console())


def run_logout(overrides: Sequence[str]) -> int:
    """Log out; returns the exit status, which is 0 as well where nobody was logged in.

    :param overrides: the ``key=value`` of ``-c``.
    """
    return run_with_server(overrides, Console(), _log_out)


async def _status(settings: Settings, warnings: Sequence[ConfigWarning], console: Console) -> int:
    for warning in warnings:
        console.warn(f"{warning.summary} {warning.details or ''}".strip())
    store = open_store(
        settings.credentials_store,
        settings.codex_home,
        lambda summary, details: console.warn(f"{summary} {details}"),
    )
    state = await login_state(settings, store)
    if state.problem is not None:
        console.fail(f"the stored login cannot be read: {state.problem}")
    if state.ignored is not None:
        console.warn("the stored login is not allowed by the configuration and is ignored")
    if state.credential is None:
        console.say(NOBODY)
        return 1
    console.say(f"Logged in: {describe_state(state)}")
    for line in _details(state, state.credential):
        console.say(f"  {line}")
    if state.refusal is not None:
        console.fail(f"the login is of no use any more: {state.refusal}")
        return 1
    if state.interrupted:
        console.warn("a refresh of the login was interrupted; if it does not work any more, log in again")
    return 0


def _details(state: LoginState, credential: Credential) -> list[str]:
    tokens = [f"token {masked(credential.bearer)}"]
    if isinstance(credential, ManagedTokens):
        tokens.append(f"refresh token {masked(credential.refresh_token)}")
    lines = [", ".join(tokens)]
    if credential.account_id:
        lines.append(f"account {credential.account_id}")
    if state.refusal is None and (expiry := expiry_text(credential)) is not None:
        lines.append(expiry)
    return lines


async def _log_out(server: OwnServer) -> int:
    before = await server.client.request(GET_AUTH_STATUS, GetAuthStatusParams())
    await server.client.request(LOGOUT, Empty())
    after = await server.client.request(GET_AUTH_STATUS, GetAuthStatusParams())
    if after.auth_method is not None:
        server.console.say("Logged out, but for what the environment says.")
    else:
        server.console.say("Logged out." if before.auth_method is not None else NOBODY)
    return 0
