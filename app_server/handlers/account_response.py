"""The answer to ``account/read``, made of a credential and what is known about its backend (wire.md section 3)."""

from app_server.auth.credentials import ApiKey, Credential
from app_server.backend.routing import Routing
from protocol.account import Account, ApiKeyAccount, ChatgptAccount, GetAccountResponse, WorkspaceRouting


def account_response(
    credential: Credential | None, routing: Routing | None, *, requires_openai_auth: bool
) -> GetAccountResponse:
    """Who is logged in.

    :param credential: None when nobody is, or nobody who matters to the model provider in use.
    :param routing: None while the backend of the workspace is not known.
    """
    if credential is None:
        return GetAccountResponse(requires_openai_auth=requires_openai_auth)
    if isinstance(credential, ApiKey):
        return GetAccountResponse(
            account=Account(ApiKeyAccount(type="apiKey")), requires_openai_auth=requires_openai_auth
        )
    account = ChatgptAccount(
        type="chatgpt",
        email=credential.email,
        plan_type=credential.plan_type,
        workspace_name=routing.workspace_name if routing else None,
    )
    return GetAccountResponse(
        account=Account(account),
        user_id=credential.user_id,
        requires_openai_auth=requires_openai_auth,
        workspace_routing=_on_the_wire(routing) if routing is not None else None,
    )


def _on_the_wire(routing: Routing) -> WorkspaceRouting:
    return WorkspaceRouting(
        chatgpt_account_id=routing.account_id,
        backend_origin=routing.backend_origin,
        account_routing_override=routing.override,
    )
