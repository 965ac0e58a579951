"""A keyring in memory that can be put out of reach, made to wait for its user, or made to refuse."""

import threading

from app_server.auth.stores.keyring_backend import Backend
from app_server.auth.stores.store_errors import StoreUnavailable

DEADLINE = 20.0


class FakeKeyring:
    """A keyring that any number of stores share, as the programs of a desktop do.

    :ivar texts: what it holds, by service and user name.
    :ivar calls: what it was asked, in order.
    :ivar gone: why it cannot be found, if it cannot.
    :ivar refusal: what it raises whatever it is asked to keep, if anything.
    :ivar forgetful: whether it says that it keeps what it does not.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.gone: str | None = None
        self.refusal: BaseException | None = None
        self.forgetful = False
        self._prompts = {name: _Prompt() for name in ("get", "set", "delete")}

    def found(self) -> Backend:
        """What is given to a store as the way to find it."""
        if self.gone is not None:
            raise StoreUnavailable(self.gone)
        return self

    def ask_before(self, call: str) -> "_Prompt":
        """From now on wait for the user before such a call (get, set or delete) is carried out."""
        self._prompts[call].close()
        return self._prompts[call]

    @property
    def text(self) -> str | None:
        """The one text that it holds."""
        assert len(self.texts) <= 1
        return next(iter(self.texts.values()), None)

    @text.setter
    def text(self, text: str) -> None:
        (name,) = self.texts
        self.texts[name] = text

    def get_password(self, service: str, username: str, /) -> str | None:
        self._enter("get")
        return self.texts.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self._enter("set")
        if self.refusal is not None:
            raise self.refusal
        if not self.forgetful:
            self.texts[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        self._enter("delete")
        del self.texts[service, username]

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        self._prompts[call].wait()
        if self.gone is not None:
            raise OSError(self.gone)


class _Prompt:
    """Something on the screen that a call waits for."""

    def __init__(self) -> None:
        self.shown = threading.Event()
        self._answered = threading.Event()
        self._answered.set()

    def close(self) -> None:
        self._answered.clear()

    def answer(self) -> None:
        """Let the call go on, and those that come."""
        self._answered.set()

    def wait(self) -> None:
        self.shown.set()
        assert self._answered.wait(DEADLINE)
