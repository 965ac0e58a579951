"""How the examples make the offline upstream play its part; with a real upstream none of this is there.

``app-server fake-openai`` prints the environment that leads to it. Its control endpoint is told what the model will
say next, and hands out and expires tokens, as an identity provider would.
"""

import os
from typing import Any

import anyio
import httpx2

UPSTREAM = os.environ.get("CODEX_APP_SERVER_LOGIN_ISSUER", "")


async def tell(path: str, **body: Any) -> Any:
    """Program the upstream; the answer, whatever it is. ``GET /__fake__/help`` lists the paths.

    :raises RuntimeError: there is no offline upstream in the environment.
    """
    if not UPSTREAM.startswith("http://127.0.0.1"):
        raise RuntimeError("this example needs the environment that `app-server fake-openai --home DIR` prints")
    async with httpx2.AsyncClient(trust_env=False) as http:
        with anyio.fail_after(10):
            answer = await http.post(f"{UPSTREAM}/__fake__{path}", json=body)
    answer.raise_for_status()
    return answer.json()


def tell_now(path: str, **body: Any) -> Any:
    """The same, where there is no event loop."""
    return anyio.run(lambda: tell(path, **body))
