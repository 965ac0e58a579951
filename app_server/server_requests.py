"""What this server asks of its client, turned from a need of a service into a request on the wire, and the client's
answer or failure back into the terms of that service."""

from app_server.auth.credentials import ExternalTokens
from app_server.auth.errors import ParentAnswerUnusable, ParentGone, ParentRefused, ParentTimedOut
from app_server.auth.parent import AskParent, tokens_from_parent
from app_server.auth.tokens import InvalidToken
from app_server.outgoing import Outgoing
from app_server.pending import AnswerTimedOut, ConnectionClosed, InvalidAnswer, PeerRefused
from protocol.account import REFRESH_AUTH_TOKENS, ChatgptAuthTokensRefreshParams


def ask_parent_for_tokens(outgoing: Outgoing) -> AskParent:
    """``account/chatgptAuthTokens/refresh`` (wire.md section 10)."""

    async def ask(used: ExternalTokens, timeout: float) -> ExternalTokens:
        params = ChatgptAuthTokensRefreshParams(reason="unauthorized", previous_account_id=used.account_id or None)
        try:
            answer = await outgoing.request(REFRESH_AUTH_TOKENS, params, timeout)
        except PeerRefused as failure:
            raise ParentRefused(failure.error.code, failure.error.message) from None
        except AnswerTimedOut as failure:
            raise ParentTimedOut(failure.seconds) from None
        except ConnectionClosed:
            raise ParentGone from None
        except InvalidAnswer:
            raise ParentAnswerUnusable("invalid auth refresh response") from None
        try:
            return tokens_from_parent(
                answer.access_token, account_id=answer.chatgpt_account_id, plan=answer.chatgpt_plan_type
            )
        except InvalidToken:
            raise ParentAnswerUnusable("auth refresh returned invalid credentials") from None

    return ask
