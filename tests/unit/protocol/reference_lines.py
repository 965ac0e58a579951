"""What the reference (0.169.0) writes of threads, turns and the like, less what ``differences.py`` leaves out.

``test_models.py`` reads each line and writes it again.
"""

from typing import Any, Final

from protocol import config, features, items, model, thread, thread_store, tools, turn, turn_error

THREAD_ID: Final = "01a1fd8e-e6a7-74c0-91dc-38f6ab998ff1"
TURN_ID: Final = "01a1fd8e-f0aa-7d31-a4a3-0c1f8a5b2c3d"
NOW: Final = 1795255363
NOW_MS: Final = 1795255363935

ERROR: Final[dict[str, Any]] = {
    "message": "unexpected status 403 Forbidden: no, url: http://127.0.0.1:1/v1/responses",
    "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 403}},
    "additionalDetails": None,
    "misalignment": None,
}

ITEMS: Final[list[dict[str, Any]]] = [
    {
        "type": "userMessage",
        "id": "01a1fd8e-f0ab-7000-8000-000000000001",
        "clientId": None,
        "content": [
            {
                "type": "text",
                "text": "a",
                "text_elements": [{"byteRange": {"start": 0, "end": 1}, "placeholder": "A"}],
            },
            {"type": "image", "url": "data:image/png;base64,AA==", "detail": None},
            {"type": "image", "fileId": "file_1", "detail": "high"},
            {"type": "localImage", "path": "/p.png", "detail": None},
            {"type": "skill", "name": "s", "path": "/s"},
            {"type": "mention", "name": "m", "path": "/m"},
        ],
        "startedAtMs": NOW_MS,
        "completedAtMs": NOW_MS,
    },
    {
        "type": "agentMessage",
        "moderation": None,
        "id": "msg_1",
        "text": "Hello world",
        "phase": "final_answer",
        "memoryCitation": None,
        "delivery": None,
        "questions": None,
        "startedAtMs": NOW_MS,
        "completedAtMs": None,
    },
    {"type": "plan", "id": "p1", "text": "1. Do it", "startedAtMs": NOW_MS, "completedAtMs": NOW_MS},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": ["**Head** body"],
        "content": ["raw thought"],
        "startedAtMs": NOW_MS,
        "completedAtMs": NOW_MS,
    },
    {
        "type": "dynamicToolCall",
        "id": "call_1",
        "namespace": None,
        "tool": "lookup",
        "arguments": {"q": "x"},
        "status": "completed",
        "contentItems": [
            {"type": "inputText", "text": "RES"},
            {"type": "inputImage", "imageUrl": "data:image/png;base64,AA=="},
            {"type": "inputAudio", "audioUrl": "data:audio/wav;base64,AA=="},
        ],
        "success": True,
        "durationMs": 4,
        "startedAtMs": NOW_MS,
        "completedAtMs": NOW_MS,
    },
    {"type": "contextCompaction", "id": "c1", "startedAtMs": NOW_MS, "completedAtMs": None},
]

STARTED_TURN: Final[dict[str, Any]] = {
    "id": TURN_ID,
    "rootTurnId": TURN_ID,
    "items": [],
    "itemsView": "notLoaded",
    "status": "inProgress",
    "error": None,
    "startedAt": None,
    "completedAt": None,
    "durationMs": None,
}

FAILED_TURN: Final[dict[str, Any]] = {
    **STARTED_TURN,
    "items": ITEMS,
    "itemsView": "full",
    "status": "failed",
    "error": ERROR,
    "startedAt": NOW,
    "completedAt": NOW,
    "durationMs": 139,
}

THREAD: Final[dict[str, Any]] = {
    "id": THREAD_ID,
    "sessionId": THREAD_ID,
    "forkedFromId": None,
    "parentThreadId": None,
    "preview": "",
    "ephemeral": False,
    "projectId": None,
    "historyMode": "paginated",
    "modelProvider": "X",
    "model": "gpt-5.2",
    "reasoningEffort": None,
    "createdAt": NOW,
    "updatedAt": NOW,
    "recencyAt": NOW,
    "status": {"type": "idle"},
    "path": f"/codex/sessions/2026/11/21/rollout-2026-11-21T10-02-43-{THREAD_ID}.jsonl",
    "cwd": "/w",
    "cliVersion": "0.169.0",
    "originator": "x",
    "source": "vscode",
    "canAcceptDirectInput": True,
    "threadSource": None,
    "agentNickname": None,
    "agentRole": None,
    "gitInfo": None,
    "name": None,
    "turns": [],
}

STARTED: Final[dict[str, Any]] = {
    "thread": THREAD,
    "model": "gpt-5.2",
    "modelProvider": "X",
    "serviceTier": None,
    "disabledPluginIds": [],
    "cwd": "/w",
    "runtimeWorkspaceRoots": ["/w"],
    "instructionSources": [],
    "approvalPolicy": "on-request",
    "approvalsReviewer": "user",
    "sandbox": {"type": "readOnly", "networkAccess": False},
    "activePermissionProfile": {"id": ":read-only", "extends": None},
    "reasoningEffort": None,
}

STARTED_OTHERWISE: Final[dict[str, Any]] = {
    **STARTED,
    "thread": {
        **THREAD,
        "status": {"type": "active", "activeFlags": ["waitingOnUserInput"]},
        "source": {"custom": "mine"},
        "gitInfo": {"sha": "abc", "branch": "main", "originUrl": None},
        "turns": [FAILED_TURN],
    },
    "approvalPolicy": {
        "granular": {
            "sandbox_approval": True,
            "rules": False,
            "skill_approval": False,
            "request_permissions": False,
            "mcp_elicitations": True,
        }
    },
    "sandbox": {
        "type": "workspaceWrite",
        "writableRoots": [],
        "networkAccess": False,
        "excludeTmpdirEnvVar": False,
        "excludeSlashTmp": False,
    },
}

TURNS_PAGE: Final[dict[str, Any]] = {"data": [FAILED_TURN], "nextCursor": "n", "backwardsCursor": None}

RESUMED: Final[dict[str, Any]] = {
    **STARTED_OTHERWISE,
    "collaborationMode": {
        "mode": "default",
        "settings": {"model": "gpt-5.2", "reasoning_effort": None, "developer_instructions": None},
    },
    "initialTurnsPage": TURNS_PAGE,
    "turnsBackwardsCursor": None,
    "itemsBackwardsCursor": "b",
}

TOKENS: Final[dict[str, Any]] = {
    "totalTokens": 120,
    "inputTokens": 100,
    "cachedInputTokens": 40,
    "cacheWriteInputTokens": 0,
    "outputTokens": 20,
    "reasoningOutputTokens": 7,
}

LAYER: Final[dict[str, Any]] = {"name": {"type": "user", "file": "/c.toml", "profile": None}, "version": "sha256:00"}

MODEL: Final[dict[str, Any]] = {
    "id": "gpt-5.5",
    "model": "gpt-5.5",
    "upgrade": "gpt-6-sol",
    "upgradeInfo": {
        "model": "gpt-6-sol",
        "upgradeCopy": None,
        "modelLink": None,
        "migrationMarkdown": None,
        "retirementAt": None,
    },
    "availabilityNux": {"message": "New"},
    "displayName": "Five and a half",
    "description": "d",
    "modelSpecialty": None,
    "hidden": False,
    "supportedReasoningEfforts": [{"reasoningEffort": "low", "description": "quick"}],
    "defaultReasoningEffort": "low",
    "inputModalities": ["text", "image"],
    "supportsPersonality": False,
    "multiAgentVersion": None,
    "additionalSpeedTiers": ["fast"],
    "serviceTiers": [{"id": "priority", "name": "Fast", "description": "d"}],
    "defaultServiceTier": None,
    "availableAccessPrograms": None,
    "isDefault": False,
}

PLACE: Final = {"threadId": THREAD_ID, "turnId": TURN_ID}

RESULTS: Final[list[tuple[Any, Any]]] = [
    (thread.ThreadStartResponse, STARTED),
    (thread.ThreadStartResponse, STARTED_OTHERWISE),
    (thread.ThreadResumeResponse, RESUMED),
    (thread.ThreadForkResponse, {**STARTED, "sandbox": {"type": "dangerFullAccess"}}),
    (thread.ThreadUnsubscribeResponse, {"status": "unsubscribed"}),
    (thread.ThreadInjectItemsResponse, {}),
    (thread.ThreadCompactStartResponse, {}),
    (
        thread_store.ThreadListResponse,
        {"data": [THREAD], "nextCursor": None, "backwardsCursor": "2026-11-21T10:10:19Z"},
    ),
    (thread_store.ThreadLoadedListResponse, {"data": [THREAD_ID], "nextCursor": None}),
    (thread_store.ThreadReadResponse, {"thread": {**THREAD, "status": {"type": "notLoaded"}, "path": None}}),
    (thread_store.ThreadTurnsListResponse, TURNS_PAGE),
    (
        thread_store.ThreadItemsListResponse,
        {
            "data": [
                {"item": item, "turnId": TURN_ID, "startedAtMs": NOW_MS, "completedAtMs": NOW_MS} for item in ITEMS
            ],
            "nextCursor": None,
            "backwardsCursor": None,
        },
    ),
    (thread_store.ThreadArchiveResponse, {}),
    (thread_store.ThreadUnarchiveResponse, {"thread": THREAD}),
    (thread_store.ThreadDeleteResponse, {}),
    (thread_store.ThreadSetNameResponse, {}),
    (turn.TurnStartResponse, {"turn": STARTED_TURN}),
    (turn.TurnSteerResponse, {"turnId": TURN_ID}),
    (turn.TurnInterruptResponse, {}),
    (model.ModelListResponse, {"data": [MODEL], "nextCursor": None}),
    (
        model.ModelProviderListResponse,
        {
            "data": [
                {
                    "id": "fake",
                    "name": "Fake",
                    "canEdit": True,
                    "baseUrl": "http://127.0.0.1:1/v1",
                    "settings": {
                        "type": "customGateway",
                        "auth": {"mode": "externallyConfigured", "envKey": "FAKE_KEY"},
                    },
                },
                {
                    "id": "openai",
                    "name": "OpenAI",
                    "canEdit": False,
                    "baseUrl": None,
                    "settings": {"type": "openai"},
                },
            ],
            "defaultProviderId": "fake",
            "canChangeDefault": True,
        },
    ),
    (model.ModelProviderCapabilitiesReadResponse, {"webSearch": False, "imageGeneration": False}),
    (features.SkillsListResponse, {"data": [{"cwd": "/w", "skills": [], "errors": []}]}),
    (
        features.PermissionProfileListResponse,
        {"data": [{"id": ":read-only", "description": None, "allowed": True}], "nextCursor": None},
    ),
    (features.ThreadGoalGetResponse, {"goal": None}),
    (features.ListMcpServerStatusResponse, {"data": [], "nextCursor": None}),
    (
        features.ExperimentalFeatureListResponse,
        {
            "data": [
                {
                    "name": "f",
                    "stage": "beta",
                    "displayName": None,
                    "description": None,
                    "announcement": None,
                    "enabled": False,
                    "defaultEnabled": False,
                }
            ],
            "nextCursor": None,
        },
    ),
    (
        features.CollaborationModeListResponse,
        {"data": [{"name": "Plan", "mode": "plan", "model": None, "reasoning_effort": "medium"}]},
    ),
]

SENT: Final[list[tuple[Any, Any]]] = [
    (thread.ThreadStartedNotification, {"thread": THREAD}),
    (thread.ThreadStatusChangedNotification, {"threadId": THREAD_ID, "status": {"type": "systemError"}}),
    (thread.ThreadClosedNotification, {"threadId": THREAD_ID}),
    (thread_store.ThreadNameUpdatedNotification, {"threadId": THREAD_ID, "threadName": "My name"}),
    (thread_store.ThreadArchivedNotification, {"threadId": THREAD_ID}),
    (thread_store.ThreadUnarchivedNotification, {"threadId": THREAD_ID}),
    (thread_store.ThreadDeletedNotification, {"threadId": THREAD_ID}),
    (turn.TurnStartedNotification, {"threadId": THREAD_ID, "turn": {**STARTED_TURN, "startedAt": NOW}}),
    (turn.TurnCompletedNotification, {"threadId": THREAD_ID, "turn": FAILED_TURN}),
    (
        turn.ThreadTokenUsageUpdatedNotification,
        {**PLACE, "tokenUsage": {"total": TOKENS, "last": TOKENS, "modelContextWindow": 258400}},
    ),
    (turn_error.ErrorNotification, {"error": ERROR, "willRetry": False, **PLACE}),
    (
        turn_error.ErrorNotification,
        {
            "error": {
                **ERROR,
                "codexErrorInfo": "other",
                "misalignment": {
                    "errorType": "e",
                    "detailedExplanation": None,
                    "steer": {"message": "m"},
                    "reviewTarget": None,
                },
            },
            "willRetry": True,
            **PLACE,
        },
    ),
    *((items.ItemStartedNotification, {"item": item, **PLACE, "startedAtMs": NOW_MS}) for item in ITEMS),
    *(
        (items.ItemCompletedNotification, {"item": item, **PLACE, "contentTokenCount": None, "completedAtMs": NOW_MS})
        for item in ITEMS
    ),
    (items.AgentMessageDeltaNotification, {**PLACE, "itemId": "msg_1", "delta": "Hel"}),
    (items.PlanDeltaNotification, {**PLACE, "itemId": "p1", "delta": "1."}),
    (items.ReasoningSummaryTextDeltaNotification, {**PLACE, "itemId": "rs_1", "delta": "x", "summaryIndex": 0}),
    (items.ReasoningSummaryPartAddedNotification, {**PLACE, "itemId": "rs_1", "summaryIndex": 0}),
    (items.ReasoningTextDeltaNotification, {**PLACE, "itemId": "rs_1", "delta": "x", "contentIndex": 0}),
    (tools.ServerRequestResolvedNotification, {"threadId": THREAD_ID, "requestId": 0}),
    (tools.ServerRequestResolvedNotification, {"threadId": THREAD_ID, "requestId": "a"}),
    (config.WarningNotification, {"threadId": THREAD_ID, "message": "m"}),
    (
        tools.DynamicToolCallParams,
        {**PLACE, "callId": "call_1", "namespace": None, "tool": "lookup", "arguments": {"q": "x"}},
    ),
    (
        tools.DynamicToolCallResponse,
        {"contentItems": [{"type": "inputText", "text": "RES"}], "success": True},
    ),
    (
        tools.ToolRequestUserInputParams,
        {
            **PLACE,
            "itemId": "call_1",
            "questions": [
                {
                    "id": "q1",
                    "header": "H",
                    "question": "Which?",
                    "isOther": True,
                    "isSecret": False,
                    "options": [{"label": "A (Recommended)", "description": "d"}],
                }
            ],
            "isBlocking": True,
            "autoResolutionMs": None,
        },
    ),
    (tools.ToolRequestUserInputResponse, {"answers": {"q1": {"answers": ["A (Recommended)", "user_note: hey"]}}}),
]

CONFIG: Final[tuple[Any, Any]] = (
    config.ConfigReadResponse,
    {
        "config": {"model": "gpt-5.5", "approval_policy": "never", "features": {"a_b": True}},
        "origins": {"model_providers.fake.http_headers.X-A": LAYER},
        "layers": [{**LAYER, "config": {"model": "gpt-5.5"}, "disabledReason": None}],
    },
)
"""Written again with a null for each setting that is not there."""
