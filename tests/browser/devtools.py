"""A real browser, driven over the DevTools protocol through its pipe: no port, no dependency.

Knows just enough of the protocol (https://chromedevtools.github.io/devtools-protocol/) for looking at pages.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio

from tests.support.server import PipeReader

DEADLINE = 60.0
"""Seconds for any one thing to happen; a browser on a busy machine takes its time."""

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--remote-debugging-pipe",
)

# The browser reads commands from descriptor 3 and writes to 4, whatever numbers they have here.
_TAKE_PIPES: Final = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)

Json = dict[str, Any]


def find_chromium() -> str:
    """The browser of this machine: ``$CHROMIUM``, or one of the usual names.

    :raises AssertionError: there is none. Whether that is a reason to leave these tests out is for their caller to say.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"no browser: set CHROMIUM, or install one of {', '.join(NAMES)}"
    return found


class Page:
    """One tab."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.complaints: list[str] = []
        """What the console would show: violations of a policy, failures to load, exceptions, messages."""
        self._complained = anyio.Event()
        self._loaded = anyio.Event()

    async def send(self, method: str, **params: Any) -> Json:
        """A command to this tab; its result."""
        return await self._browser.send(method, params, self._session)

    async def open(self, url: str) -> None:
        """Go there, and wait until the page is loaded."""
        await self._load("Page.navigate", url=url)

    async def reload(self) -> None:
        """What the key for it does."""
        await self._load("Page.reload")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, once its promise is kept if it is one."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def text(self) -> str:
        """What can be read on the page."""
        return str(await self.evaluate("document.body.innerText"))

    async def prefer(self, scheme: str) -> None:
        """The user likes it ``light`` or ``dark``."""
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def resize(self, width: int, height: int) -> None:
        """The size of the window, in pixels."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    async def screenshot(self, file: Path) -> None:
        """A picture of what can be seen, as PNG."""
        picture = await self.send("Page.captureScreenshot", format="png")
        await anyio.Path(file).write_bytes(base64.b64decode(picture["data"]))

    async def complaint(self) -> str:
        """The first complaint."""
        with anyio.fail_after(DEADLINE):
            while not self.complaints:
                await self._complained.wait()
        return self.complaints[0]

    async def roles(self) -> list[tuple[str, str]]:
        """What assistive technology is told: role and name of what is on the page, in order."""
        nodes = (await self.send("Accessibility.getFullAXTree"))["nodes"]
        shown = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in shown]

    async def _load(self, method: str, **params: Any) -> None:
        self._loaded = anyio.Event()
        answer = await self.send(method, **params)
        assert "errorText" not in answer, answer
        with anyio.fail_after(DEADLINE):
            await self._loaded.wait()

    def take(self, method: str, params: Json) -> None:
        """Something has happened in this tab."""
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Log.entryAdded":
                self._complain(f"{params['entry']['source']}: {params['entry']['text']}")
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Audits.issueAdded":
                self._complain(json.dumps(params))

    def _complain(self, text: str) -> None:
        self.complaints.append(text)
        self._complained.set()


class Browser:
    """A browser that runs; made by :func:`chromium`."""

    def __init__(self, output: PipeReader, write: Callable[[bytes], None]) -> None:
        self._output = output
        self._write = write
        self._answers: dict[int, Json] = {}
        self._answered = anyio.Event()
        self._pages: dict[str, Page] = {}
        self._count = 0

    async def send(self, method: str, params: Json, session: str | None = None) -> Json:
        """A command; its result."""
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self._write(json.dumps(message).encode() + b"\0")
        with anyio.fail_after(DEADLINE):
            while number not in self._answers:
                await self._answered.wait()
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]  # type: ignore[no-any-return]

    async def new_page(self) -> Page:
        """An empty tab, which tells of everything that happens in it."""
        target = await self.send("Target.createTarget", {"url": "about:blank"})
        attached = await self.send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Log", "Runtime", "Audits"):
            await page.send(f"{domain}.enable")
        return page

    async def run(self) -> None:
        """Listen to the browser until it ends."""
        buffer = b""
        while True:
            buffer += await self._output.receive()
            *messages, buffer = buffer.split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]] = message
                    self._answered.set()
                    self._answered = anyio.Event()
                elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
                    page.take(message["method"], message["params"])


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    """A headless browser that nobody has used before.

    :param profile: an empty directory, which it fills; its log goes into a file beside it.
    """
    commands, output = _high_pipe(), _high_pipe()
    words = [find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    trampoline = [sys.executable, "-c", _TAKE_PIPES, str(commands[0]), str(output[1]), *words]
    try:
        with profile.with_name(f"{profile.name}.log").open("wb") as log:
            process = await anyio.open_process(
                trampoline,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(profile)},
                start_new_session=True,
                pass_fds=(commands[0], output[1]),
            )
    finally:
        os.close(commands[0])
        os.close(output[1])
    reader = PipeReader(output[0])
    browser = Browser(reader, lambda data: _write_all(commands[1], data))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.run)
            yield browser
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            os.close(commands[1])
            process.kill()
            await process.aclose()
            await reader.aclose()


def _high_pipe() -> tuple[int, int]:
    """A pipe whose descriptors are neither 3 nor 4."""
    ends = os.pipe()
    reader, writer = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return reader, writer


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
