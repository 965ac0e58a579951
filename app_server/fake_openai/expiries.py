"""Access tokens that expire on demand: now, after some requests, or in the middle of a stream.

``State.expire`` does the same to one known token; this is for all tokens that an account has at the moment.
"""

from dataclasses import dataclass
from typing import Final

from app_server.fake_openai.state import State
from app_server.fake_openai.tokens import Account

_MAX_WAITING: Final = 1000


@dataclass(eq=False)
class Expiry:
    """Tokens of one account that are going to expire.

    :param after_requests: how many requests of the route ``responses`` are let through first.
    :param after_events: then, how many events of the next stream, or all if it has fewer; None: at once.
    """

    account_id: str
    after_requests: int
    after_events: int | None


class Expiries:
    """The expiries that are waiting."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: list[Expiry] = []

    def add(self, expiry: Expiry) -> None:
        """Let tokens expire, at once or when their time has come.

        :raises ValueError: a thousand are waiting already.
        """
        if expiry.after_requests == 0 and expiry.after_events is None:
            self._state.expire_account(expiry.account_id)
            return
        if len(self._waiting) >= _MAX_WAITING:
            raise ValueError(f"{_MAX_WAITING} expiries are waiting already")
        self._waiting.append(expiry)

    def clear(self) -> None:
        """Forget those that wait."""
        self._waiting.clear()

    def count_request(self, account: Account, bearer: str) -> Expiry | None:
        """Count a request that came with a good token; the expiry that its stream is to bring about, if any."""
        due: Expiry | None = None
        for expiry in [waiting for waiting in self._waiting if waiting.account_id == account.account_id]:
            if expiry.after_requests:
                expiry.after_requests -= 1
                if expiry.after_requests == 0 and expiry.after_events is None:
                    self.fire(expiry, bearer)
            elif due is None:
                due = expiry
        return due

    def fire(self, expiry: Expiry, bearer: str) -> None:
        """All tokens that the account has now are expired; nothing the second time.

        :param bearer: the request's, which the state may not know (``accept_any_token``).
        """
        if expiry in self._waiting:
            self._waiting.remove(expiry)
            self._state.expire_account(expiry.account_id)
            self._state.expire(bearer)
