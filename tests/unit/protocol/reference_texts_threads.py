"""Threads, and what clients only look at: what the reference (0.169.0) answers to params that it cannot decode.

Made and used as ``reference_texts.py`` is. To have rows on one line, some tables hold a part of the params only.
"""

from typing import Final

START: Final = "thread/start"
RESUME: Final = "thread/resume"
FORK: Final = "thread/fork"
LIST: Final = "thread/list"
READ: Final = "thread/read"
TURNS: Final = "thread/turns/list"
ITEMS: Final = "thread/items/list"
NAME: Final = "thread/name/set"
INJECT: Final = "thread/inject_items"
MODELS: Final = "model/list"
CONFIG: Final = "config/read"
SKILLS: Final = "skills/list"
MCP: Final = "mcpServerStatus/list"
PROFILES: Final = "permissionProfile/list"
FEATURES: Final = "experimentalFeature/list"

Row = tuple[str, str, str | None]
Part = tuple[str, str | None]

TOOLS: Final[tuple[Part, ...]] = (
    ("{}", "missing field `name`"),
    ('{"type":"zz"}', "unknown variant `zz`, expected `function` or `namespace`"),
    ('{"type":null}', "invalid type: null, expected variant identifier"),
    ('{"type":null,"name":"t","description":"d","inputSchema":{}}', "invalid type: null, expected variant identifier"),
    ('{"type":"function"}', "missing field `name`"),
    ('{"type":"function","name":"t"}', "missing field `description`"),
    ('{"type":"function","name":"t","description":"d"}', "missing field `inputSchema`"),
    ('{"type":"function","name":5,"description":"d","inputSchema":{}}', "invalid type: integer `5`, expected a string"),
    (
        '{"type":"function","name":"t","description":"d","inputSchema":{},"deferLoading":5}',
        "invalid type: integer `5`, expected a boolean",
    ),
    ('{"name":"t"}', "missing field `description`"),
    ('{"name":"t","description":"d"}', "missing field `inputSchema`"),
    ('{"name":"t","description":"d","inputSchema":{}}', None),
    ('{"namespace":null,"name":"t","description":"d","inputSchema":{},"deferLoading":null}', None),
    ('{"type":"namespace"}', "missing field `name`"),
    ('{"type":"namespace","name":"n","description":"d"}', "missing field `tools`"),
    ('{"type":"namespace","name":"n","description":"d","tools":null}', "invalid type: null, expected a sequence"),
    (
        '{"type":"namespace","name":"n","description":"d","tools":[{"type":"zz"}]}',
        "unknown variant `zz`, expected `function`",
    ),
    ('{"type":"namespace","name":"n","description":"d","tools":[{"type":"function"}]}', "missing field `name`"),
)
"""An element of ``dynamicTools``."""

THREADS: Final[tuple[Row, ...]] = (
    (START, "5", "invalid type: integer `5`, expected struct ThreadStartParams"),
    (START, '"x"', 'invalid type: string "x", expected struct ThreadStartParams'),
    (START, "{}", None),
    (RESUME, "5", "invalid type: integer `5`, expected struct ThreadResumeParams"),
    (RESUME, '"x"', 'invalid type: string "x", expected struct ThreadResumeParams'),
    (RESUME, "{}", "missing field `threadId`"),
    (START, '{"model":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"modelProvider":[]}', "invalid type: sequence, expected a string"),
    (START, '{"cwd":{}}', "invalid type: map, expected a string"),
    (START, '{"config":5}', "invalid type: integer `5`, expected a map"),
    (START, '{"config":[]}', "invalid type: sequence, expected a map"),
    (START, '{"config":null}', None),
    (START, '{"ephemeral":"x"}', 'invalid type: string "x", expected a boolean'),
    (START, '{"ephemeral":null}', None),
    (START, '{"ephemeral":1}', "invalid type: integer `1`, expected a boolean"),
    (START, '{"historyMode":"x"}', "unknown variant `x`, expected `legacy` or `paginated`"),
    (START, '{"historyMode":5}', "invalid type: integer `5`, expected string or map"),
    (START, '{"sessionStartSource":"x"}', "unknown variant `x`, expected `startup` or `clear`"),
    (
        START,
        '{"sandbox":"readOnly"}',
        "unknown variant `readOnly`, expected one of `read-only`, `workspace-write`, `danger-full-access`",
    ),
    (START, '{"sandbox":5}', "invalid type: integer `5`, expected string or map"),
    (START, '{"sandbox":null}', None),
    (
        START,
        '{"sandbox":{"type":"readOnly"}}',
        "unknown variant `type`, expected one of `read-only`, `workspace-write`, `danger-full-access`",
    ),
    (START, '{"personality":"zz"}', "unknown variant `zz`, expected one of `none`, `friendly`, `pragmatic`"),
    (START, '{"threadSource":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"serviceName":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"baseInstructions":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"developerInstructions":null}', None),
    (START, '{"dynamicTools":5}', "invalid type: integer `5`, expected a sequence"),
    (START, '{"dynamicTools":null}', None),
    (START, '{"model":5,"cwd":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"cwd":5,"model":5}', "invalid type: integer `5`, expected a string"),
    (START, '{"projectId":5}', "invalid type: integer `5`, expected a string"),
    (RESUME, '{"threadId":"x","excludeTurns":null}', "invalid type: null, expected a boolean"),
    (RESUME, '{"threadId":"x","excludeTurns":5}', "invalid type: integer `5`, expected a boolean"),
    (RESUME, '{"threadId":"x","excludeTurns":"x"}', 'invalid type: string "x", expected a boolean'),
    (
        RESUME,
        '{"threadId":"x","initialTurnsPage":5}',
        "invalid type: integer `5`, expected struct ThreadResumeInitialTurnsPageParams",
    ),
    (RESUME, '{"threadId":"x","initialTurnsPage":{}}', None),
    (RESUME, '{"threadId":"x","initialTurnsPage":{"limit":-1}}', "invalid value: integer `-1`, expected u32"),
    (
        RESUME,
        '{"threadId":"x","initialTurnsPage":{"limit":4294967296}}',
        "invalid value: integer `4294967296`, expected u32",
    ),
    (RESUME, '{"threadId":"x","initialTurnsPage":{"limit":"5"}}', 'invalid type: string "5", expected u32'),
    (
        RESUME,
        '{"threadId":"x","initialTurnsPage":{"sortDirection":"x"}}',
        "unknown variant `x`, expected `asc` or `desc`",
    ),
    (
        RESUME,
        '{"threadId":"x","initialTurnsPage":{"itemsView":"x"}}',
        "unknown variant `x`, expected one of `notLoaded`, `summary`, `full`",
    ),
    (RESUME, '{"threadId":"x","initialTurnsPage":{"limit":null,"sortDirection":null,"itemsView":null}}', None),
    (RESUME, '{"threadId":"x","initialTurnsPage":null}', None),
    (RESUME, '{"threadId":"x","path":null}', None),
    (RESUME, '{"threadId":"x","history":null}', None),
    (RESUME, '{"threadId":"x","config":5}', "invalid type: integer `5`, expected a map"),
    (
        RESUME,
        '{"threadId":"x","approvalPolicy":"x"}',
        "unknown variant `x`, expected one of `untrusted`, `on-request`, `granular`, `never`",
    ),
    (
        RESUME,
        '{"threadId":"x","sandbox":"x"}',
        "unknown variant `x`, expected one of `read-only`, `workspace-write`, `danger-full-access`",
    ),
    (RESUME, '{"threadId":"x","personality":null}', None),
    (FORK, '{"threadId":"x","excludeTurns":null}', "invalid type: null, expected a boolean"),
    (FORK, '{"threadId":"x","ephemeral":null}', "invalid type: null, expected a boolean"),
    (FORK, '{"threadId":"x","ephemeral":5}', "invalid type: integer `5`, expected a boolean"),
    (FORK, '{"threadId":"x","lastTurnId":null}', None),
    (FORK, '{"threadId":"x","lastTurnId":5}', "invalid type: integer `5`, expected a string"),
    (FORK, '{"threadId":"x","beforeTurnId":null}', None),
    (FORK, '{"threadId":"x","path":""}', None),
    (FORK, '{"threadId":"x","threadSource":null}', None),
)

STORED: Final[tuple[Row, ...]] = (
    (LIST, "5", "invalid type: integer `5`, expected struct ThreadListParams"),
    (LIST, '"x"', 'invalid type: string "x", expected struct ThreadListParams'),
    (LIST, "{}", None),
    (NAME, "5", "invalid type: integer `5`, expected struct ThreadSetNameParams"),
    (NAME, '"x"', 'invalid type: string "x", expected struct ThreadSetNameParams'),
    (NAME, "{}", "missing field `threadId`"),
    (LIST, '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
    (LIST, '{"limit":4294967295}', None),
    (LIST, '{"limit":4294967296}', "invalid value: integer `4294967296`, expected u32"),
    (LIST, '{"limit":1.5}', "invalid type: floating point `1.5`, expected u32"),
    (LIST, '{"limit":"5"}', 'invalid type: string "5", expected u32'),
    (LIST, '{"limit":null}', None),
    (LIST, '{"limit":18446744073709551615}', "invalid value: integer `18446744073709551615`, expected u32"),
    (LIST, '{"limit":1.0}', "invalid type: floating point `1.0`, expected u32"),
    (
        LIST,
        '{"sortKey":"zz"}',
        "unknown variant `zz`, expected one of `created_at`, `updated_at`, `recency_at`, `section_position`",
    ),
    (LIST, '{"sortKey":5}', "invalid type: integer `5`, expected string or map"),
    (LIST, '{"sortKey":null}', None),
    (LIST, '{"sortDirection":"x"}', "unknown variant `x`, expected `asc` or `desc`"),
    (LIST, '{"sortDirection":null}', None),
    (
        LIST,
        '{"sourceKinds":["zz"]}',
        (
            "unknown variant `zz`, expected one of `cli`, `vscode`, `exec`, `appServer`, `subAgent`, "
            "`subAgentReview`, `subAgentCompact`, `subAgentThreadSpawn`, `subAgentOther`, `unknown`"
        ),
    ),
    (LIST, '{"sourceKinds":"cli"}', 'invalid type: string "cli", expected a sequence'),
    (LIST, '{"sourceKinds":[5]}', "invalid type: integer `5`, expected string or map"),
    (LIST, '{"sourceKinds":null}', None),
    (LIST, '{"modelProviders":5}', "invalid type: integer `5`, expected a sequence"),
    (LIST, '{"modelProviders":[5]}', "invalid type: integer `5`, expected a string"),
    (LIST, '{"modelProviders":null}', None),
    (LIST, '{"archived":null}', None),
    (LIST, '{"archived":"x"}', 'invalid type: string "x", expected a boolean'),
    (LIST, '{"cwd":null}', None),
    (LIST, '{"cwd":5}', "data did not match any variant of untagged enum ThreadListCwdFilter"),
    (LIST, '{"cwd":{}}', "data did not match any variant of untagged enum ThreadListCwdFilter"),
    (LIST, '{"cwd":[5]}', "data did not match any variant of untagged enum ThreadListCwdFilter"),
    (LIST, '{"cwd":[]}', None),
    (LIST, '{"cwd":"x"}', None),
    (LIST, '{"cwd":["x"]}', None),
    (LIST, '{"cwd":true}', "data did not match any variant of untagged enum ThreadListCwdFilter"),
    (LIST, '{"useStateDbOnly":null}', "invalid type: null, expected a boolean"),
    (LIST, '{"useStateDbOnly":5}', "invalid type: integer `5`, expected a boolean"),
    (LIST, '{"searchTerm":null}', None),
    (LIST, '{"searchTerm":5}', "invalid type: integer `5`, expected a string"),
    (LIST, '{"cursor":null}', None),
    (LIST, '{"cursor":5}', "invalid type: integer `5`, expected a string"),
    (LIST, '{"excludedThreadIds":null}', None),
    (LIST, '{"excludedThreadIds":5}', "invalid type: integer `5`, expected a sequence"),
    (LIST, '{"excludedThreadIds":[5]}', "invalid type: integer `5`, expected a string"),
    (LIST, '{"originators":null}', None),
    (LIST, '{"parentThreadId":null}', None),
    (LIST, '{"parentThreadId":5}', "invalid type: integer `5`, expected a string"),
    (READ, '{"threadId":"x","includeTurns":null}', "invalid type: null, expected a boolean"),
    (READ, '{"threadId":"x","includeTurns":5}', "invalid type: integer `5`, expected a boolean"),
    (READ, '{"threadId":"x","includeTurns":"x"}', 'invalid type: string "x", expected a boolean'),
    (TURNS, '{"threadId":"x","cursor":5}', "invalid type: integer `5`, expected a string"),
    (TURNS, '{"threadId":"x","cursor":null}', None),
    (TURNS, '{"threadId":"x","limit":null}', None),
    (TURNS, '{"threadId":"x","sortDirection":null}', None),
    (TURNS, '{"threadId":"x","sortDirection":"x"}', "unknown variant `x`, expected `asc` or `desc`"),
    (TURNS, '{"threadId":"x","itemsView":null}', None),
    (TURNS, '{"threadId":"x","itemsView":"x"}', "unknown variant `x`, expected one of `notLoaded`, `summary`, `full`"),
    (TURNS, '{"threadId":"x","limit":-5}', "invalid value: integer `-5`, expected u32"),
    (ITEMS, '{"threadId":"x","turnId":null}', None),
    (ITEMS, '{"threadId":"x","turnId":5}', "invalid type: integer `5`, expected a string"),
    (ITEMS, '{"threadId":"x","limit":null}', None),
    (ITEMS, '{"threadId":"x","sortDirection":"x"}', "unknown variant `x`, expected `asc` or `desc`"),
    (NAME, '{"threadId":"x"}', "missing field `name`"),
    (NAME, '{"threadId":"x","name":null}', "invalid type: null, expected a string"),
    (NAME, '{"threadId":"x","name":5}', "invalid type: integer `5`, expected a string"),
    (INJECT, '{"threadId":"x"}', "missing field `items`"),
    (INJECT, '{"threadId":"x","items":null}', "invalid type: null, expected a sequence"),
    (INJECT, '{"threadId":"x","items":5}', "invalid type: integer `5`, expected a sequence"),
    (INJECT, '{"threadId":"x","items":{}}', "invalid type: map, expected a sequence"),
)

LOOKS: Final[tuple[Row, ...]] = (
    (MODELS, '{"limit":null}', None),
    (MODELS, '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
    (MODELS, '{"limit":"x"}', 'invalid type: string "x", expected u32'),
    (MODELS, '{"cursor":null}', None),
    (MODELS, '{"cursor":5}', "invalid type: integer `5`, expected a string"),
    (PROFILES, '{"limit":null}', None),
    (PROFILES, '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
    (MCP, '{"limit":null}', None),
    (MCP, '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
    (FEATURES, '{"limit":null}', None),
    (FEATURES, '{"limit":-1}', "invalid value: integer `-1`, expected u32"),
    (MODELS, '{"includeHidden":null}', None),
    (MODELS, '{"includeHidden":5}', "invalid type: integer `5`, expected a boolean"),
    (MODELS, '{"modelProvider":null}', None),
    (MODELS, '{"modelProvider":5}', "invalid type: integer `5`, expected a string"),
    (CONFIG, '{"includeLayers":null}', "invalid type: null, expected a boolean"),
    (CONFIG, '{"includeLayers":5}', "invalid type: integer `5`, expected a boolean"),
    (CONFIG, '{"cwd":null}', None),
    (CONFIG, '{"cwd":5}', "invalid type: integer `5`, expected a string"),
    (SKILLS, '{"cwds":null}', "invalid type: null, expected a sequence"),
    (SKILLS, '{"cwds":5}', "invalid type: integer `5`, expected a sequence"),
    (SKILLS, '{"cwds":["rel"]}', None),
    (SKILLS, '{"forceReload":null}', "invalid type: null, expected a boolean"),
    (SKILLS, '{"forceReload":5}', "invalid type: integer `5`, expected a boolean"),
    (PROFILES, '{"detail":"x"}', None),
    (MCP, '{"detail":"x"}', "unknown variant `x`, expected `full` or `toolsAndAuthOnly`"),
    (FEATURES, '{"detail":"x"}', None),
    (PROFILES, '{"threadId":5}', None),
    (MCP, '{"threadId":5}', "invalid type: integer `5`, expected a string"),
    (FEATURES, '{"threadId":5}', "invalid type: integer `5`, expected a string"),
)

ROWS: Final[tuple[Row, ...]] = (
    *((START, f'{{"dynamicTools":[{element}]}}', text) for element, text in TOOLS),
    *THREADS,
    *STORED,
    *LOOKS,
)

OTHERWISE: Final[tuple[tuple[str, str, str | None, str | None], ...]] = (
    # Told of our type and of the value as it was sent; the reference tells of its own inner workings.
    (
        START,
        '{"dynamicTools":[5]}',
        "invalid type: number, expected struct LegacyDynamicToolSpec",
        "invalid type: integer `5`, expected internally tagged enum DynamicToolSpec",
    ),
    (
        START,
        '{"dynamicTools":[{"namespace":5,"name":"t","description":"d","inputSchema":{}}]}',
        "invalid type: number, expected a string",
        "invalid type: integer `5`, expected a string",
    ),
    (
        LIST,
        '{"limit":18446744073709551616}',
        "invalid type: integer `18446744073709551616` as u128, expected any value",
        "invalid type: floating point `1.8446744073709552e+19`, expected u32",
    ),
    # Nothing is gained by refusing what is understood.
    (
        START,
        '{"dynamicTools":[{"type":"function","name":"t","description":"d","inputSchema":{},"deferLoading":null}]}',
        "invalid type: null, expected a boolean",
        None,
    ),
    (
        START,
        (
            '{"dynamicTools":[{"name":"a","description":"d","inputSchema":{}},'
            '{"type":"function","name":"b","description":"d","inputSchema":{}}]}'
        ),
        "dynamic tools must use either canonical or legacy format consistently",
        None,
    ),
    (START, '{"runtimeWorkspaceRoots":["rel"]}', "AbsolutePathBuf deserialized without a base path", None),
    # Left out (``differences.py``).
    (RESUME, '{"threadId":"x","history":5}', "invalid type: integer `5`, expected a sequence", None),
    (
        ITEMS,
        '{"threadId":"x","cursor":{}}',
        "data did not match any variant of untagged enum ThreadItemsListCursor",
        "invalid type: map, expected a string",
    ),
)
"""Method, params, what the reference says, what we say."""
