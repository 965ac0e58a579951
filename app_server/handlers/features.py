"""What clients ask about and this server has none of: each question is answered with nothing, and the faults in it are
found as the reference finds them."""

from collections.abc import Awaitable, Callable

from app_server.handlers.paging import page
from app_server.router import Reply
from app_server.threads.ids import thread_id
from protocol.errors import InvalidRequest
from protocol.features import (
    CollaborationModeListResponse,
    ExperimentalFeatureListParams,
    ExperimentalFeatureListResponse,
    ListMcpServerStatusParams,
    ListMcpServerStatusResponse,
    PermissionProfileListParams,
    PermissionProfileListResponse,
    SkillsListEntry,
    SkillsListParams,
    SkillsListResponse,
    ThreadGoalGetParams,
    ThreadGoalGetResponse,
)
from protocol.method import Empty


class FeatureHandlers:
    """Skills, permission profiles, goals, MCP servers, experimental features and collaboration modes.

    :param thread_exists: whether there is a thread with this id, loaded or stored.
    :param cwd: the folder of the server, as clients are told it.
    """

    def __init__(self, thread_exists: Callable[[str], Awaitable[bool]], cwd: str) -> None:
        self._thread_exists = thread_exists
        self._cwd = cwd

    async def skills(self, params: SkillsListParams) -> Reply[SkillsListResponse]:
        """``skills/list``."""
        folders = params.cwds or [self._cwd]
        return Reply(SkillsListResponse(data=[SkillsListEntry(cwd=cwd, skills=[], errors=[]) for cwd in folders]))

    async def permission_profiles(self, params: PermissionProfileListParams) -> Reply[PermissionProfileListResponse]:
        """``permissionProfile/list``."""
        page((), params.cursor, params.limit, "permission profiles")
        return Reply(PermissionProfileListResponse(data=[]))

    async def goal(self, params: ThreadGoalGetParams) -> Reply[ThreadGoalGetResponse]:
        """``thread/goal/get``."""
        await self._require_thread(params.thread_id)
        return Reply(ThreadGoalGetResponse())

    async def mcp_servers(self, params: ListMcpServerStatusParams) -> Reply[ListMcpServerStatusResponse]:
        """``mcpServerStatus/list``."""
        if params.thread_id is not None:
            await self._require_thread(params.thread_id)
        page((), params.cursor, params.limit, "MCP servers")
        return Reply(ListMcpServerStatusResponse(data=[]))

    async def experimental_features(
        self, params: ExperimentalFeatureListParams
    ) -> Reply[ExperimentalFeatureListResponse]:
        """``experimentalFeature/list``."""
        if params.thread_id is not None:
            await self._require_thread(params.thread_id)
        page((), params.cursor, params.limit, "feature flags")
        return Reply(ExperimentalFeatureListResponse(data=[]))

    async def collaboration_modes(self, params: Empty) -> Reply[CollaborationModeListResponse]:
        """``collaborationMode/list``."""
        return Reply(CollaborationModeListResponse(data=[]))

    async def _require_thread(self, text: str) -> None:
        thread = thread_id(text)
        if not await self._thread_exists(thread):
            raise InvalidRequest(f"thread not found: {thread}")
