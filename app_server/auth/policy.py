"""What the configuration allows: ``forced_login_method`` and ``forced_chatgpt_workspace_id`` (wire.md section 6)."""

from dataclasses import dataclass
from typing import Literal

from app_server.auth.credentials import ApiKey, Credential
from app_server.auth.errors import LoginNotAllowed, ParentAnswerUnusable


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """Which logins are allowed.

    :param forced_method: the only kind of login that is allowed, or None.
    :param workspaces: the only ChatGPT workspaces that are allowed, or empty. API keys are not restricted by them.
    """

    forced_method: Literal["chatgpt", "api"] | None = None
    workspaces: tuple[str, ...] = ()

    def require_api_key_allowed(self) -> None:
        """:raises LoginNotAllowed: API keys are disabled."""
        if self.forced_method == "chatgpt":
            raise LoginNotAllowed("API key login is disabled. Use ChatGPT login instead.")

    def require_bedrock_allowed(self) -> None:
        """:raises LoginNotAllowed: Bedrock is disabled."""
        if self.forced_method == "chatgpt":
            raise LoginNotAllowed("Amazon Bedrock login is disabled. Use ChatGPT login instead.")

    def require_chatgpt_allowed(self) -> None:
        """:raises LoginNotAllowed: ChatGPT logins are disabled."""
        if self.forced_method == "api":
            raise LoginNotAllowed("ChatGPT login is disabled. Use API key login instead.")

    def require_external_tokens_allowed(self, account_id: str) -> None:
        """:raises LoginNotAllowed: tokens of the parent are disabled, or not for this workspace."""
        if self.forced_method == "api":
            raise LoginNotAllowed("External ChatGPT auth is disabled. Use API key login instead.")
        if self.workspaces and account_id not in self.workspaces:
            quoted = ", ".join(f'"{workspace}"' for workspace in self.workspaces)
            raise LoginNotAllowed(
                f'External auth must use one of workspace(s) [{quoted}], but received "{account_id}".'
            )

    def require_refreshed_account(self, account_id: str, previous: str) -> None:
        """:raises ParentAnswerUnusable: refreshed tokens belong to an account that may not take over."""
        allowed = self.workspaces if self.workspaces and account_id not in self.workspaces else (previous,)
        if account_id not in allowed:
            raise ParentAnswerUnusable(
                f"Login is restricted to workspace(s) {', '.join(allowed)}, "
                f"but current credentials belong to {account_id}"
            )

    def allows(self, credential: Credential) -> bool:
        """Whether a stored login may be used; one that may not is ignored, and left where it is."""
        if isinstance(credential, ApiKey):
            return self.forced_method != "chatgpt"
        if self.forced_method == "api":
            return False
        return not self.workspaces or credential.account_id in self.workspaces
