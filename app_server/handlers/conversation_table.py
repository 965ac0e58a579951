"""Which handler carries out which method, for conversations and what clients ask about besides.

Loaded when a client first asks for any of it.
"""

from app_server.handlers.config import ConfigHandlers
from app_server.handlers.features import FeatureHandlers
from app_server.handlers.models import ModelHandlers
from app_server.handlers.thread import ThreadHandlers
from app_server.handlers.thread_store import ThreadStoreHandlers
from app_server.handlers.turn import TurnHandlers
from app_server.router import Table
from protocol.config import CONFIG_READ
from protocol.features import (
    COLLABORATION_MODE_LIST,
    EXPERIMENTAL_FEATURE_LIST,
    MCP_SERVER_STATUS_LIST,
    PERMISSION_PROFILE_LIST,
    SKILLS_LIST,
    THREAD_GOAL_GET,
)
from protocol.model import MODEL_LIST, MODEL_PROVIDER_CAPABILITIES, MODEL_PROVIDER_LIST
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


def conversation_table(
    thread: ThreadHandlers,
    stored: ThreadStoreHandlers,
    turn: TurnHandlers,
    models: ModelHandlers,
    config: ConfigHandlers,
    features: FeatureHandlers,
) -> Table:
    """The rest of the table."""
    return {
        THREAD_START: thread.start,
        THREAD_RESUME: thread.resume,
        THREAD_FORK: thread.fork,
        THREAD_UNSUBSCRIBE: thread.unsubscribe,
        THREAD_INJECT_ITEMS: thread.inject_items,
        THREAD_COMPACT_START: thread.compact,
        THREAD_LIST: stored.list,
        THREAD_LOADED_LIST: stored.list_loaded,
        THREAD_READ: stored.read,
        THREAD_TURNS_LIST: stored.list_turns,
        THREAD_ITEMS_LIST: stored.list_items,
        THREAD_ARCHIVE: stored.archive,
        THREAD_UNARCHIVE: stored.unarchive,
        THREAD_DELETE: stored.delete,
        THREAD_NAME_SET: stored.set_name,
        TURN_START: turn.start,
        TURN_STEER: turn.steer,
        TURN_INTERRUPT: turn.interrupt,
        MODEL_LIST: models.models,
        MODEL_PROVIDER_LIST: models.providers,
        MODEL_PROVIDER_CAPABILITIES: models.capabilities,
        CONFIG_READ: config.read,
        SKILLS_LIST: features.skills,
        PERMISSION_PROFILE_LIST: features.permission_profiles,
        THREAD_GOAL_GET: features.goal,
        MCP_SERVER_STATUS_LIST: features.mcp_servers,
        EXPERIMENTAL_FEATURE_LIST: features.experimental_features,
        COLLABORATION_MODE_LIST: features.collaboration_modes,
    }
