"""Which program this is, what it stands on, and what its configuration gave cause to say."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from app_server.config import ConfigWarning, Settings
from app_server.user_agent import architecture, os_description
from app_server.version import WIRE_VERSION, __version__
from protocol.diagnosis import DiagnosisFinding

LIBRARIES: Final = ("anyio", "pydantic", "httpx2", "h11", "orjson")


def versions() -> dict[str, str]:
    """Versions by name."""
    return {
        "app-server": __version__,
        "wire": WIRE_VERSION,
        "python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
        "os": f"{os_description()}; {architecture()}",
    }


def finding() -> DiagnosisFinding:
    """The versions, for people."""
    found = versions()
    libraries = ", ".join(f"{library} {found[library]}" for library in LIBRARIES)
    return DiagnosisFinding(
        name="software",
        status="ok",
        summary=f"app-server {found['app-server']} on Python {found['python']} ({found['os']})",
        details=f"speaks the wire of codex app-server {found['wire']}; {libraries}",
    )


def configuration(settings: Settings, warnings: Sequence[ConfigWarning]) -> list[DiagnosisFinding]:
    """What is configured that matters to a login, and what is wrong with it."""
    restrictions = []
    if settings.forced_login_method is not None:
        restrictions.append(f'forced_login_method = "{settings.forced_login_method}"')
    if settings.forced_chatgpt_workspace_id:
        restrictions.append("forced_chatgpt_workspace_id restricts ChatGPT logins to certain workspaces")
    if not settings.requires_openai_auth:
        restrictions.append(f'the model provider "{settings.model_provider}" does not use this login')
    return [
        DiagnosisFinding(
            name="configuration",
            status="ok",
            summary=f"CODEX_HOME is {settings.codex_home}",
            details="; ".join(restrictions) or None,
        ),
        *(
            DiagnosisFinding(name="configuration", status="warning", summary=warning.summary, details=warning.details)
            for warning in warnings
        ),
    ]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # it was bundled without its metadata
        return "unknown"
