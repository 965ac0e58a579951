"""The composition root: every service is built here, once, and given what it depends on. Nothing is global.

Read this file to see what the program consists of.
"""

import logging
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from app_server.accounts import Accounts
from app_server.announcements import AccountAnnouncements
from app_server.auth.credentials import ManagedTokens, PersonalAccessToken
from app_server.auth.environment import WHOAMI_TIMEOUT, identify
from app_server.auth.journal import FileJournal, NoJournal
from app_server.auth.manager import AuthManager
from app_server.auth.policy import LoginPolicy
from app_server.auth.revocation import Revocation
from app_server.auth.stores.opening import open_store
from app_server.auth.token_endpoint import REFRESH_TIMEOUT, TokenEndpoint
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import HttpClient
from app_server.backend.paths import backend_paths
from app_server.backend.routing import WorkspaceRouting
from app_server.backend.usage import Usage
from app_server.codex_home import as_text
from app_server.config import Configuration, ConfigWarning, Settings
from app_server.connection import Connection
from app_server.diagnosis.report import Diagnosis
from app_server.diagnosis.server import ServerDiagnostics
from app_server.handlers.account import AccountHandlers
from app_server.handlers.diagnosis import DiagnosisHandlers
from app_server.handlers.lifecycle import LifecycleHandlers
from app_server.handlers.rate_limits import RateLimitHandlers
from app_server.handlers.table import account_table
from app_server.login_flows import LoginFlows
from app_server.outgoing import Outgoing
from app_server.request_context import inside
from app_server.router import Router, Table
from app_server.server_requests import ask_parent_for_tokens
from app_server.session import Session
from app_server.signals import end_on_sigterm
from app_server.tracing import open_tracer
from app_server.transport.base import Transport
from protocol.jsonrpc import Request
from protocol.lifecycle import CONFIG_WARNING, ConfigWarningNotification, TextPosition, TextRange

if TYPE_CHECKING:
    from app_server.conversations import Conversations

log = logging.getLogger(__name__)


async def serve(
    transport: Transport,
    configuration: Configuration,
    *,
    answered: Request | None = None,
    handle_signals: bool = False,
) -> None:
    """Serve one client until it goes; everything that was begun has ended when this returns.

    :param answered: an ``initialize`` that has been answered before this was called; see ``cold_start``.
    :param handle_signals: end in order on SIGTERM, as on an end of input.
    """
    session = Session()
    client = HttpClient(configuration.settings.ca_certificate, lambda: session.identity)
    tracer = open_tracer() if configuration.settings.otel else None
    try:
        with inside(tracer=tracer):
            async with anyio.create_task_group() as tasks:
                connection = await _compose(transport, configuration, session, client, tasks)
                if handle_signals and sys.platform != "win32":
                    tasks.start_soon(end_on_sigterm, connection.end)
                await connection.run(answered)
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await client.aclose()
            await transport.aclose()


async def _compose(
    transport: Transport,
    configuration: Configuration,
    session: Session,
    client: HttpClient,
    tasks: TaskGroup,
) -> Connection:
    settings = configuration.settings
    outgoing = Outgoing(transport)
    paths = backend_paths(settings.chatgpt_base_url)
    early_warnings = [_on_the_wire(warning) for warning in configuration.warnings]

    def warn(summary: str, details: str) -> None:
        warning = ConfigWarningNotification(summary=summary, details=details)
        if session.initialized:
            outgoing.notify(CONFIG_WARNING, warning)
        else:
            early_warnings.append(warning)

    def changed() -> None:
        accounts.changed()

    store = open_store(settings.credentials_store, settings.codex_home, warn)
    auth = AuthManager(
        store,
        NoJournal() if settings.credentials_store == "ephemeral" else FileJournal(settings.codex_home),
        LoginPolicy(settings.forced_login_method, settings.forced_chatgpt_workspace_id),
        TokenEndpoint(
            client.post_for_json,
            partial(_refresh_url, settings),
            settings.client_id,
            min(REFRESH_TIMEOUT, settings.upstream_timeout),
        ),
        ask_parent_for_tokens(outgoing),
        _environment_token(settings, client),
        changed,
        warn,
        tasks,
        parent_timeout=settings.external_refresh_timeout,
    )
    http = AuthorizedHttp(client, auth)
    flows = LoginFlows(settings, client, session, tasks)
    accounts = Accounts(
        auth,
        WorkspaceRouting(http, paths.base_url, paths.accounts_check, tasks, settings.upstream_timeout),
        Revocation(client.post_json, settings.revoke_url, settings.client_id, tasks),
        AccountAnnouncements(outgoing, session),
        flows.browser,
        flows.device,
        tasks,
        requires_openai_auth=settings.requires_openai_auth,
    )
    usage = Usage(http, paths.usage, paths.reset_credits, settings.upstream_timeout)
    conversations: Conversations | None = None

    def begin_conversations() -> Table:
        nonlocal conversations
        from app_server.conversations import Conversations  # noqa: PLC0415 - many a client never begins one

        conversations = Conversations(configuration, client, http, auth, accounts.routing, outgoing, session, tasks)
        return conversations.table()

    def closing() -> None:
        accounts.close()
        if conversations is not None:
            conversations.close_in(settings.drain_timeout)

    async def finish() -> None:
        if conversations is not None:
            await conversations.finish()
        await accounts.finish()

    await auth.load()
    lifecycle = LifecycleHandlers(
        session,
        outgoing,
        as_text(str(settings.codex_home)),
        early_warnings,
        accounts.announce_stored_login,
    )
    table = account_table(
        lifecycle,
        AccountHandlers(accounts),
        RateLimitHandlers(auth, usage),
        DiagnosisHandlers(
            Diagnosis(settings, configuration.warnings, client, store, auth),
            ServerDiagnostics(outgoing, auth, client, lambda: connection, lambda: conversations),
        ),
    )
    connection = Connection(
        transport,
        outgoing,
        Router(table, begin_conversations),
        session,
        max_concurrent=settings.max_concurrent_requests,
        max_backlog_bytes=settings.max_queued_bytes,
        drain_timeout=settings.drain_timeout,
        closing=closing,
        finish=finish,
    )
    return connection


def _refresh_url(settings: Settings, tokens: ManagedTokens) -> str:
    """Where a login is refreshed: at the issuer that it came from, unless the environment says otherwise."""
    if settings.refresh_url_override is not None or tokens.provenance is None:
        return settings.refresh_url
    return f"{tokens.provenance.issuer.rstrip('/')}/oauth/token"


def _environment_token(
    settings: Settings, client: HttpClient
) -> Callable[[], Awaitable[PersonalAccessToken | None]] | None:
    token = settings.access_token
    if token is None:
        return None
    return lambda: identify(
        token, settings.authapi_base_url, client.fetch_json, min(WHOAMI_TIMEOUT, settings.upstream_timeout)
    )


def _on_the_wire(warning: ConfigWarning) -> ConfigWarningNotification:
    place = warning.range and TextRange(
        start=TextPosition(line=warning.range.start.line, column=warning.range.start.column),
        end=TextPosition(line=warning.range.end.line, column=warning.range.end.column),
    )
    return ConfigWarningNotification(summary=warning.summary, details=warning.details, path=warning.path, range=place)
