"""Who is logged in, until when, and whether the login is still of any use."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from app_server.auth.credentials import ApiKey, Credential, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.journal import FileJournal
from app_server.auth.manager import AuthManager
from app_server.auth.policy import LoginPolicy
from app_server.auth.stores.store import Store
from app_server.auth.stores.store_errors import StoreError
from app_server.auth.tokens import expires_at
from app_server.config import Settings
from app_server.config.load import ACCESS_TOKEN_VARIABLE
from protocol.diagnosis import DiagnosedLogin, DiagnosisFinding, FindingStatus

Source = Literal["store", "environment", "client"]


@dataclass(frozen=True, slots=True)
class LoginState:
    """Who is logged in, and what is known about that login.

    :param credential: in force, or None.
    :param outranked: the stored login, where something else is in force.
    :param refusal: why the credential is of no use any more, if it is not.
    :param interrupted: whether a process died while it refreshed the credential.
    :param ignored: what is stored, where the configuration does not allow it.
    :param problem: why the store cannot be read, if it cannot.
    """

    credential: Credential | None = None
    source: Source = "store"
    outranked: Credential | None = None
    refusal: str | None = None
    interrupted: bool = False
    ignored: Credential | None = None
    problem: str | None = None


async def login_state(settings: Settings, store: Store, auth: AuthManager | None = None) -> LoginState:
    """Look at the login; nothing is changed and nobody is asked.

    :param auth: what is in force in a server that runs; without it, the login that a server would start with.
    """
    stored, problem = None, None
    try:
        stored = await store.load()
    except StoreError as error:
        problem = str(error)
    policy = LoginPolicy(settings.forced_login_method, settings.forced_chatgpt_workspace_id)
    allowed = stored if stored is not None and policy.allows(stored) else None
    ignored = stored if allowed is None else None

    credential = (_of_environment(settings) if auth is None else auth.in_force) or allowed
    source: Source = "store"
    if isinstance(credential, ExternalTokens) and credential != stored:
        source = "client"
    elif isinstance(credential, PersonalAccessToken) and credential.token == settings.access_token:
        source = "environment"
    outranked = allowed if source != "store" else None
    if not isinstance(credential, ManagedTokens):
        return LoginState(credential, source, outranked, ignored=ignored, problem=problem)

    refusal, interrupted = None, False
    if auth is not None and auth.rejection is not None:
        refusal = auth.rejection.message
    if settings.credentials_store != "ephemeral":
        journal = FileJournal(settings.codex_home)
        refusal = refusal or await journal.refusal(credential.refresh_token)
        interrupted = await journal.interrupted(credential.refresh_token)
    return LoginState(credential, source, outranked, refusal, interrupted, ignored, problem)


def on_the_wire(state: LoginState) -> DiagnosedLogin | None:
    """The login in force, for programs."""
    credential = state.credential
    if credential is None:
        return None
    expiry = expires_at(credential.bearer)
    return DiagnosedLogin(
        auth_mode=credential.auth_mode,
        source=state.source,
        email=credential.email,
        plan_type=credential.plan_type,
        account_id=credential.account_id or None,
        expires_at=None if expiry is None else int(expiry.timestamp()),
        renewable=_is_renewable(credential),
        usable=state.refusal is None,
    )


def findings(state: LoginState) -> list[DiagnosisFinding]:
    """The same for people, and what is wrong with it."""
    found = []
    if state.problem is not None:
        found.append(
            _finding("login", "warning", "The stored login cannot be read.", f"{state.problem}; log in again.")
        )
    if state.ignored is not None:
        found.append(
            _finding(
                "login",
                "warning",
                f"The stored login ({describe(state.ignored)}) is not allowed by the configuration and is ignored.",
                "See forced_login_method and forced_chatgpt_workspace_id.",
            )
        )
    if state.credential is None:
        found.append(_finding("login", "ok", "Nobody is logged in."))
        return found
    found.append(_finding("login", "ok", f"Logged in: {describe_state(state)}.", expiry_text(state.credential)))
    if state.refusal is not None:
        found.append(_finding("refresh", "warning", "The login is of no use any more.", state.refusal))
    elif state.interrupted:
        found.append(
            _finding(
                "refresh",
                "warning",
                "A refresh of the login was interrupted before its new tokens were saved.",
                "It is tried again; if the issuer has spent the old tokens, a new login is needed.",
            )
        )
    elif isinstance(state.credential, ManagedTokens) and not _is_renewable(state.credential):
        found.append(
            _finding("refresh", "warning", "The login cannot be renewed: it has no account or no refresh token.")
        )
    return found


def describe(credential: Credential) -> str:
    """A login in a few words, without any part of it that is secret."""
    if isinstance(credential, ApiKey):
        return "API key"
    kind = {
        "chatgpt": "ChatGPT",
        "chatgptAuthTokens": "ChatGPT, tokens of the client",
        "personalAccessToken": "personal access token",
    }[credential.auth_mode]
    plan = "" if credential.plan_type == "unknown" else f", plan {credential.plan_type}"
    return f"{kind}{plan}{'' if credential.email is None else f', {credential.email}'}"


def describe_state(state: LoginState) -> str:
    """The login in force in a few words, where it comes from, and which one it outranks; empty if there is none."""
    if state.credential is None:
        return ""
    text = describe(state.credential)
    if state.source == "environment":
        text += f", from the environment variable {ACCESS_TOKEN_VARIABLE}"
    if state.outranked is not None:
        text += f", which outranks the stored login ({describe(state.outranked)})"
    return text


def expiry_text(credential: Credential, now: datetime | None = None) -> str | None:
    """When its token runs out and what happens then; None for what does not run out.

    :param now: in UTC; by default, now.
    """
    expiry = expires_at(credential.bearer)
    if expiry is None:
        return None
    left = expiry - (now or datetime.now(UTC))
    when = f"{expiry:%Y-%m-%d %H:%M} UTC"
    renewal = "; it is renewed by itself" if _is_renewable(credential) else ""
    if left <= timedelta():
        return f"The token ran out at {when}{renewal}."
    return f"The token is good until {when}{renewal}."


def _of_environment(settings: Settings) -> PersonalAccessToken | None:
    return None if settings.access_token is None else PersonalAccessToken(settings.access_token)


def _is_renewable(credential: Credential) -> bool:
    return (
        isinstance(credential, ManagedTokens)
        and bool(credential.account_id)
        and bool(credential.refresh_token.get_secret_value())
    )


def _finding(name: str, status: FindingStatus, summary: str, details: str | None = None) -> DiagnosisFinding:
    return DiagnosisFinding(name=name, status=status, summary=summary, details=details)
