"""Where our wire differs from the reference's on purpose, and why. ``test_export_facts.py`` holds us to it exactly.

A place is written ``Type.member``, ``Type.variant`` or ``Type.variant.member``; a place covers what is inside it.
"""

from collections.abc import Mapping
from typing import Any, Final

LEFT_OUT: Final[Mapping[str, tuple[str, ...]]] = {
    "things that only a server with hands does: this one touches the machine through the parent's tools alone": (
        "ThreadItem.collabAgentToolCall",
        "ThreadItem.commandExecution",
        "ThreadItem.enteredReviewMode",
        "ThreadItem.exitedReviewMode",
        "ThreadItem.fileChange",
        "ThreadItem.hookPrompt",
        "ThreadItem.imageGeneration",
        "ThreadItem.imageView",
        "ThreadItem.mcpToolCall",
        "ThreadItem.sleep",
        "ThreadItem.subAgentActivity",
        "ThreadItem.webSearch",
        "ThreadItemEntry.outputDeferred",
        "ThreadItemsListParams.deferOutput",
    ),
    "environments: there is one folder, the thread's": (
        "Thread.environments",
        "ThreadStartParams.environments",
        "TurnStartParams.environments",
    ),
    "threads in sections, threads attached to others, what was read of them: the client's own affair": (
        "Thread.attachedToThreadId",
        "Thread.section",
        "Thread.sectionEnteredAt",
        "ThreadForkParams.attachToSource",
        "ThreadListParams.ancestorThreadId",
        "ThreadListParams.attachedToThreadId",
        "ThreadListParams.currentAccountOnly",
        "ThreadListParams.includeAttachedThreads",
        "ThreadListParams.projectId",
        "ThreadListParams.sectionId",
        "ThreadListResponse.readStates",
        "ThreadReadResponse.readState",
    ),
    "several agents": (
        "ThreadForkResponse.multiAgentMode",
        "ThreadResumeResponse.multiAgentMode",
        "ThreadStartParams.multiAgentMode",
        "ThreadStartResponse.multiAgentMode",
        "TurnStartParams.multiAgentMode",
        "TurnStartParams.parentTurnId",
        "TurnStartParams.rootTurnId",
    ),
    "daybreak, and programs of the upstream that go with it": (
        "Thread.daybreakEnabled",
        "ThreadStartParams.daybreakEnabled",
        "TurnStartParams.cyberAccessProgram",
    ),
    "trials of the reference, without a promise": (
        "Thread.extra",
        "ThreadForkParams.deferGoalContinuation",
        "ThreadForkParams.experimentalDisablePredictionMcp",
        "ThreadForkParams.experimentalPredictionMode",
        "ThreadResumeParams.history",
        "ThreadStartParams.allowProviderModelFallback",
        "ThreadStartParams.experimentalRawEvents",
        "ThreadStartParams.mockExperimentalField",
        "ThreadStartParams.selectedCapabilityRoots",
    ),
    "plugins: there are none": ("TurnStartParams.disabledPluginIds",),
    "settings of single model requests that concern the reference's own back end": (
        "TurnStartParams.responsesapiClientMetadata",
        "TurnStartParams.responsesapiClientMetadataPatch",
        "TurnStartParams.serviceTierForTurn",
        "TurnStartParams.turnTrigger",
        "TurnSteerParams.responsesapiClientMetadata",
        "TurnSteerParams.responsesapiClientMetadataPatch",
    ),
    "sound: no model takes it": ("UserInput.audio", "UserInput.localAudio"),
    "settings of things that this server has not; they are passed on as they stand in the file": (
        "Config.analytics",
        "Config.apps",
        "Config.browser_use",
        "Config.client_search_provider",
        "Config.computer_use",
        "Config.desktop",
        "Config.model_auto_compact_token_limit_scope",
        "Config.sandbox_workspace_write",
        "Config.tools",
        "Config.web_search",
    ),
    "details of entries in lists that are always empty": (
        "McpServerStatus.httpOrigin",
        "McpServerStatus.pluginId",
        "McpServerStatus.runtimeStatus",
        "McpServerStatus.serverCapabilities",
        "McpServerStatus.serverInfo",
        "McpServerStatus.toolListMeta",
        "McpServerStatus.toolsError",
        "SkillMetadata.dependencies",
        "SkillMetadata.interface",
        "SkillMetadata.pluginId",
    ),
}
"""Reason -> what the reference has and we have not. None of it is required."""

ADDED: Final[Mapping[str, tuple[str, ...]]] = {
    "an older shape, which clients still send": (
        "DynamicToolSpec.function.namespace",
        "LoginAccountParams.chatgptAuthTokens.idToken",
    ),
    "counts since the start, and who counts": (
        "ServerDiagnosticsResponse.counters",
        "ServerDiagnosticsResponse.uptimeMs",
        "ServerDiagnosticsResponse.version",
    ),
    "a browser login without a port": ("LoginAccountParams.chatgpt.pasteCallback",),
    "the reference's schema writes them as alternatives, beside the members": (
        "FunctionCallOutputContentItem.input_audio.audio_url",
        "FunctionCallOutputContentItem.input_audio.file_id",
        "FunctionCallOutputContentItem.input_image.file_id",
        "FunctionCallOutputContentItem.input_image.image_url",
        "UserInput.image.fileId",
        "UserInput.image.url",
    ),
}
"""Reason -> what we have and the reference's schema has not, in types that both have."""

SAID_OTHERWISE: Final[Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]] = {
    # wire.md section 15.16: what cannot be read is answered, with the id null; the reference stays silent.
    "JSONRPCError.id": ({"nullable": False}, {"nullable": True}),
    # It is in every answer, with or without the capability, there as here.
    "GetAccountResponse.workspaceRouting": ({"experimental": True}, {"experimental": False}),
    # Never anything but null: no memories, no moderation, no answers and questions outside of a turn.
    **{
        f"ThreadItem.agentMessage.{member}": (
            {"type": type_, "nullable": True, "values": values},
            {"type": "null", "nullable": False, "values": ()},
        )
        for member, type_, values in (
            ("delivery", "enum", ("async",)),
            ("memoryCitation", "MemoryCitation", ()),
            ("moderation", "AgentMessageModeration", ()),
            ("questions", "array of AsyncUserInputQuestion", ()),
        )
    },
    # One type serves for tools inside and outside of a namespace.
    "DynamicToolSpec.namespace.tools": (
        {"type": "array of DynamicToolNamespaceTool"},
        {"type": "array of FunctionDynamicToolSpec"},
    ),
    # The reference takes null in the older shape only.
    "DynamicToolSpec.function.deferLoading": ({"nullable": False}, {"nullable": True}),
    # Only threads of the reference have such a source; it is passed on.
    "SessionSource.subAgent.subAgent": ({"type": "SubAgentSource"}, {"type": "any"}),
    # An anchor is another way to name a place in the list; cursors do.
    "ThreadItemsListParams.cursor": ({"type": "string | ThreadItemsListAnchor"}, {"type": "string"}),
    # The lists are empty.
    "McpServerStatus.resources": ({"type": "array of Resource"}, {"type": "array of any"}),
    "McpServerStatus.resourceTemplates": ({"type": "array of ResourceTemplate"}, {"type": "array of any"}),
    "McpServerStatus.tools": ({"type": "map of Tool"}, {"type": "map of any"}),
}
"""Place -> what the reference says of it, what we say."""

METHODS_SAID_OTHERWISE: Final[Mapping[str, Mapping[str, Any]]] = {
    # The reference accepts {} too, but its schema does not say so.
    "account/logout": {"params": "object"},
}
"""Method -> what we say of it."""

NAMED_HERE: Final = (
    "ActiveTurnNotSteerable",
    "CustomSessionSource",
    "ErrorKind",
    "GranularApproval",
    "GranularAskForApproval",
    "HttpConnectionFailed",
    "HttpStatus",
    "NonSteerableTurn",
    "ResponseStreamConnectionFailed",
    "ResponseStreamDisconnected",
    "ResponseTooManyFailedAttempts",
    "SubAgentSessionSource",
)
"""Types that the reference writes out in the place where they are used."""
