"""How sign-in and the recovery of credentials fail, as one tree. None of it knows about JSON-RPC.

AuthError
├── LoginNotAllowed         the configuration, or what is active already, forbids this login
├── InvalidCredentials      what was handed in cannot be a credential
├── CredentialsNotSaved     the store refused; the previous state stays
├── LoginFailed             an interactive login has ended without credentials
├── InvalidCallback         what was pasted is not the callback of this login, which goes on
├── PortUnavailable         there is no port to listen on for the callback
├── DeviceCodeNotEnabled    the issuer does not offer device codes
├── DeviceCodeUnavailable   the issuer gave no device code
└── RecoveryFailed          a 401 could not be turned into a newer credential
    ├── NotRecoverable      this kind of credential is never refreshed: the upstream's own answer stands
    ├── SignedOut           the credential that was used belongs to nobody any more
    ├── AccountChanged      there is a newer credential, of another account
    ├── ParentRefused       the parent answered with an error
    ├── ParentTimedOut      the parent did not answer
    ├── ParentGone              the parent has closed the connection
    ├── ParentAnswerUnusable    the parent answered something else than fresh tokens of the account
    ├── RefreshRejected         the issuer says that only a new login helps
    └── RefreshUnavailable      the issuer could not be asked, or did not answer as it should
"""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from app_server.auth.login.port_holder import Holder


class AuthError(Exception):
    """Base of this tree.

    :param message: the text of the wire; never holds a secret.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LoginNotAllowed(AuthError):
    """The configuration, or what is active already, forbids this login."""


class InvalidCredentials(AuthError):
    """What was handed in cannot be a credential."""


class CredentialsNotSaved(AuthError):
    """The store refused; the previous state stays."""


class LoginFailed(AuthError):
    """An interactive login has ended without credentials (wire.md sections 7 and 8).

    :param message: complete, as for ``account/login/completed``.
    :param code: a word for it, for the page that the browser is shown.
    :param details: what lies behind it, for that page.
    :param headline: of that page, where it is not the usual one.
    """

    def __init__(
        self, message: str, code: str | None = None, details: str | None = None, headline: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details
        self.headline = headline


class InvalidCallback(AuthError):
    """What was pasted is not the callback of this login, which goes on."""


class PortUnavailable(AuthError):
    """There is no port to listen on for the callback.

    :param reason: ``portInUse``, ``portReserved`` (the operating system keeps it) or ``portUnavailable``.
    :param retryable: whether the same may work another time without a change of the system.
    :param remedy: what to do instead; ``useDeviceCode`` is the login that needs no port.
    :param holder: who has the port, where the system tells.
    """

    def __init__(
        self,
        message: str,
        reason: Literal["portInUse", "portReserved", "portUnavailable"],
        *,
        retryable: bool,
        remedy: Literal["useDeviceCode"] = "useDeviceCode",
        holder: "Holder | None" = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable
        self.remedy = remedy
        self.holder = holder

    def data(self) -> dict[str, Any]:
        """All of it but the message, in JSON values, for programs."""
        known = {} if self.holder is None else {"holder": self.holder._asdict()}
        return {"reason": self.reason, "retryable": self.retryable, "remedy": self.remedy, **known}


class DeviceCodeNotEnabled(AuthError):
    """The issuer does not offer device codes."""

    def __init__(self) -> None:
        super().__init__(
            "device code login is not enabled for this Codex server. Use the browser login or verify the server URL."
        )


class DeviceCodeUnavailable(AuthError):
    """The issuer gave no device code.

    :param reason: why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"failed to request device code: {reason}")


class RecoveryFailed(AuthError):
    """A 401 could not be turned into a newer credential (wire.md sections 10 and 11).

    :param details: what somebody else said about it, for ``additionalDetails``.
    """

    permanent = False
    """Whether only a new login helps."""

    def __init__(self, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.details = details


class NotRecoverable(RecoveryFailed):
    """This kind of credential is never refreshed: the upstream's own answer stands."""

    def __init__(self) -> None:
        super().__init__("this credential cannot be refreshed")


class SignedOut(RecoveryFailed):
    """The credential that was used belongs to nobody any more."""

    permanent = True

    def __init__(self) -> None:
        super().__init__(
            "Your access token could not be refreshed because you have since logged out or signed in to another "
            "account. Please sign in again."
        )


class AccountChanged(RecoveryFailed):
    """There is a newer credential, of another account: what was begun for one is not sent to the other."""

    def __init__(self) -> None:
        super().__init__(
            "The account has changed since this turn began, so the turn was not sent to the new one. Send the message "
            "again to use it."
        )


class ParentRefused(RecoveryFailed):
    """The parent answered the refresh request with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"auth refresh request failed: code={code}", details=message)


class ParentTimedOut(RecoveryFailed):
    """The parent did not answer the refresh request.

    :param seconds: how long it had.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"auth refresh request timed out after {seconds:g}s")


class ParentGone(RecoveryFailed):
    """The parent has closed the connection, so it cannot be asked."""

    def __init__(self) -> None:
        super().__init__("auth refresh request failed: the connection is closed")


class ParentAnswerUnusable(RecoveryFailed):
    """The parent's answer has the wrong shape, is no token, or belongs to an account that is not allowed."""


class RefreshRejected(RecoveryFailed):
    """The issuer says that only a new login helps.

    :param code: its error code, if it gave one.
    """

    permanent = True

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class RefreshUnavailable(RecoveryFailed):
    """The issuer could not be asked, or did not answer as it should; it may work another time.

    :param maybe_spent: whether the refresh token may be spent all the same: it was sent, and what came of that is
        not known.
    """

    def __init__(self, message: str, *, maybe_spent: bool = False) -> None:
        super().__init__(message)
        self.maybe_spent = maybe_spent
