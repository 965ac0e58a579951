"""Which handler carries out which method. A test and the router refuse a table that is not complete."""

from dataclasses import dataclass
from typing import Any

from app_server.handlers.account import AccountHandlers
from app_server.handlers.config import ConfigHandlers
from app_server.handlers.diagnosis import DiagnosisHandlers
from app_server.handlers.features import FeatureHandlers
from app_server.handlers.lifecycle import LifecycleHandlers
from app_server.handlers.models import ModelHandlers
from app_server.handlers.rate_limits import RateLimitHandlers
from app_server.handlers.thread import ThreadHandlers
from app_server.handlers.thread_store import ThreadStoreHandlers
from app_server.handlers.turn import TurnHandlers
from app_server.router import Handler
from protocol.account import ACCOUNT_READ, GET_AUTH_STATUS, LOGIN_CANCEL, LOGIN_COMPLETE, LOGIN_START, LOGOUT
from protocol.config import CONFIG_READ
from protocol.diagnosis import DIAGNOSE
from protocol.features import (
    COLLABORATION_MODE_LIST,
    EXPERIMENTAL_FEATURE_LIST,
    MCP_SERVER_STATUS_LIST,
    PERMISSION_PROFILE_LIST,
    SKILLS_LIST,
    THREAD_GOAL_GET,
)
from protocol.lifecycle import INITIALIZE
from protocol.method import ClientRequest
from protocol.model import MODEL_LIST, MODEL_PROVIDER_CAPABILITIES, MODEL_PROVIDER_LIST
from protocol.rate_limits import RATE_LIMITS_READ
from protocol.thread import (
    THREAD_COMPACT_START,
    THREAD_FORK,
    THREAD_INJECT_ITEMS,
    THREAD_RESUME,
    THREAD_START,
    THREAD_UNSUBSCRIBE,
)
from protocol.thread_store import (
    THREAD_ARCHIVE,
    THREAD_DELETE,
    THREAD_ITEMS_LIST,
    THREAD_LIST,
    THREAD_LOADED_LIST,
    THREAD_NAME_SET,
    THREAD_READ,
    THREAD_TURNS_LIST,
    THREAD_UNARCHIVE,
)
from protocol.turn import TURN_INTERRUPT, TURN_START, TURN_STEER


@dataclass(frozen=True, slots=True)
class Handlers:
    """All of them, by area."""

    lifecycle: LifecycleHandlers
    account: AccountHandlers
    rate_limits: RateLimitHandlers
    diagnosis: DiagnosisHandlers
    thread: ThreadHandlers
    stored: ThreadStoreHandlers
    turn: TurnHandlers
    models: ModelHandlers
    config: ConfigHandlers
    features: FeatureHandlers

    def table(self) -> dict[str, Handler[Any, Any]]:
        """The table, from method name to handler."""
        table: dict[ClientRequest[Any, Any], Handler[Any, Any]] = {
            INITIALIZE: self.lifecycle.initialize,
            LOGIN_START: self.account.log_in,
            LOGIN_CANCEL: self.account.cancel,
            LOGIN_COMPLETE: self.account.complete,
            LOGOUT: self.account.log_out,
            ACCOUNT_READ: self.account.read,
            GET_AUTH_STATUS: self.account.auth_status,
            RATE_LIMITS_READ: self.rate_limits.read,
            DIAGNOSE: self.diagnosis.diagnose,
            THREAD_START: self.thread.start,
            THREAD_RESUME: self.thread.resume,
            THREAD_FORK: self.thread.fork,
            THREAD_UNSUBSCRIBE: self.thread.unsubscribe,
            THREAD_INJECT_ITEMS: self.thread.inject_items,
            THREAD_COMPACT_START: self.thread.compact,
            THREAD_LIST: self.stored.list,
            THREAD_LOADED_LIST: self.stored.list_loaded,
            THREAD_READ: self.stored.read,
            THREAD_TURNS_LIST: self.stored.list_turns,
            THREAD_ITEMS_LIST: self.stored.list_items,
            THREAD_ARCHIVE: self.stored.archive,
            THREAD_UNARCHIVE: self.stored.unarchive,
            THREAD_DELETE: self.stored.delete,
            THREAD_NAME_SET: self.stored.set_name,
            TURN_START: self.turn.start,
            TURN_STEER: self.turn.steer,
            TURN_INTERRUPT: self.turn.interrupt,
            MODEL_LIST: self.models.models,
            MODEL_PROVIDER_LIST: self.models.providers,
            MODEL_PROVIDER_CAPABILITIES: self.models.capabilities,
            CONFIG_READ: self.config.read,
            SKILLS_LIST: self.features.skills,
            PERMISSION_PROFILE_LIST: self.features.permission_profiles,
            THREAD_GOAL_GET: self.features.goal,
            MCP_SERVER_STATUS_LIST: self.features.mcp_servers,
            EXPERIMENTAL_FEATURE_LIST: self.features.experimental_features,
            COLLABORATION_MODE_LIST: self.features.collaboration_modes,
        }
        return {declaration.method: handler for declaration, handler in table.items()}
