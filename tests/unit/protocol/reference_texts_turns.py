"""Turns: what the reference (0.169.0) answers to params that it cannot decode.

Made and used as ``reference_texts.py`` is. To have rows on one line, some tables hold a part of the params only.
"""

from typing import Final

TURN: Final = "turn/start"
STEER: Final = "turn/steer"
INTERRUPT: Final = "turn/interrupt"

Row = tuple[str, str, str | None]
Part = tuple[str, str | None]

NO_BODY: Final = "data did not match any variant of untagged enum FunctionCallOutputBody"

INPUT: Final[tuple[Part, ...]] = (
    ("5", "invalid type: integer `5`, expected internally tagged enum UserInput"),
    ("null", "invalid type: null, expected internally tagged enum UserInput"),
    ('"s"', 'invalid type: string "s", expected internally tagged enum UserInput'),
    ("[]", "missing field `type`"),
    ("{}", "missing field `type`"),
    ('{"type":null}', "invalid type: null, expected variant identifier"),
    ('{"type":"text"}', "missing field `text`"),
    ('{"type":"text","text":5}', "invalid type: integer `5`, expected a string"),
    ('{"type":"text","text":"a","text_elements":null}', "invalid type: null, expected a sequence"),
    ('{"type":"text","text":"a","text_elements":[{}]}', "missing field `byteRange`"),
    (
        '{"type":"text","text":"a","text_elements":[{"byteRange":{"start":-1,"end":1}}]}',
        "invalid value: integer `-1`, expected usize",
    ),
    ('{"type":"text","text":"a","text_elements":[{"byteRange":{"start":0}}]}', "missing field `end`"),
    ('{"type":"text","text":"a","text_elements":[{"byteRange":{"start":0,"end":1},"placeholder":null}]}', None),
    (
        '{"type":"text","text":"a","text_elements":[{"byteRange":5}]}',
        "invalid type: integer `5`, expected struct ByteRange",
    ),
    ('{"type":"text","text":"a","textElements":5}', None),
    ('{"type":"image"}', "data did not match any variant of untagged enum ImageReference"),
    ('{"type":"image","url":null}', "data did not match any variant of untagged enum ImageReference"),
    ('{"type":"image","url":"a","fileId":"b"}', None),
    ('{"type":"image","url":"a","fileId":null}', None),
    (
        '{"type":"image","url":"a","detail":"zz"}',
        "unknown variant `zz`, expected one of `auto`, `low`, `high`, `original`",
    ),
    ('{"type":"image","url":"a","detail":null}', None),
    ('{"type":"image","url":"a","detail":5}', "invalid type: integer `5`, expected string or map"),
    ('{"type":"image","fileId":"b"}', None),
    ('{"type":"localImage"}', "missing field `path`"),
    ('{"type":"localImage","path":"rel","detail":"high"}', None),
    ('{"type":"skill","name":"a"}', "missing field `path`"),
    ('{"type":"skill","path":"a"}', "missing field `name`"),
    ('{"type":"mention"}', "missing field `name`"),
    ('{"type":"mention","name":"a","path":5}', "invalid type: integer `5`, expected a string"),
    ('{"text":"a"}', "missing field `type`"),
    ('{"type":"text","text":"a"},{"type":"text"},5', "missing field `text`"),
)
"""An element of ``input``."""

SETTINGS: Final[tuple[Part, ...]] = (
    ('"approvalPolicy":"x"', "unknown variant `x`, expected one of `untrusted`, `on-request`, `granular`, `never`"),
    ('"approvalPolicy":5', "invalid type: integer `5`, expected string or map"),
    ('"approvalPolicy":null', None),
    ('"approvalPolicy":[]', "invalid type: sequence, expected string or map"),
    ('"approvalPolicy":{}', "invalid value: map, expected map with a single key"),
    ('"approvalPolicy":{"x":1}', "unknown variant `x`, expected one of `untrusted`, `on-request`, `granular`, `never`"),
    ('"approvalPolicy":{"never":5}', "invalid type: integer `5`, expected unit"),
    ('"approvalPolicy":{"granular":5}', "invalid type: integer `5`, expected struct variant"),
    ('"approvalPolicy":{"granular":null}', "invalid type: null, expected struct variant"),
    ('"approvalPolicy":{"granular":{}}', "missing field `sandbox_approval`"),
    ('"approvalPolicy":{"granular":{"mcp_elicitations":true}}', "missing field `sandbox_approval`"),
    ('"approvalPolicy":{"granular":{"mcp_elicitations":5}}', "invalid type: integer `5`, expected a boolean"),
    ('"approvalPolicy":{"granular":{"mcp_elicitations":true,"rules":true,"sandbox_approval":true}}', None),
    ('"approvalPolicy":"granular"', "invalid type: unit variant, expected struct variant"),
    ('"approvalPolicy":true', "invalid type: boolean `true`, expected string or map"),
    (
        '"approvalPolicy":"on-failure"',
        "unknown variant `on-failure`, expected one of `untrusted`, `on-request`, `granular`, `never`",
    ),
    ('"approvalsReviewer":"x"', "unknown variant `x`, expected one of `user`, `auto_review`, `guardian_subagent`"),
    ('"approvalsReviewer":5', "invalid type: integer `5`, expected string or map"),
    ('"approvalsReviewer":null', None),
    ('"approvalsReviewer":"auto_review"', None),
    ('"sandboxPolicy":null', None),
    ('"sandboxPolicy":[]', "missing field `type`"),
    ('"sandboxPolicy":{}', "missing field `type`"),
    (
        '"sandboxPolicy":{"type":"x"}',
        "unknown variant `x`, expected one of `dangerFullAccess`, `readOnly`, `externalSandbox`, `workspaceWrite`",
    ),
    ('"sandboxPolicy":{"type":"readOnly"}', None),
    ('"sandboxPolicy":{"type":"readOnly","networkAccess":null}', "invalid type: null, expected a boolean"),
    ('"sandboxPolicy":{"type":"readOnly","networkAccess":5}', "invalid type: integer `5`, expected a boolean"),
    ('"sandboxPolicy":{"type":"dangerFullAccess","x":1}', None),
    (
        '"sandboxPolicy":{"type":"externalSandbox","networkAccess":"x"}',
        "unknown variant `x`, expected `restricted` or `enabled`",
    ),
    (
        '"sandboxPolicy":{"type":"externalSandbox","networkAccess":true}',
        "invalid type: boolean `true`, expected string or map",
    ),
    ('"sandboxPolicy":{"type":"workspaceWrite","writableRoots":null}', "invalid type: null, expected a sequence"),
    ('"sandboxPolicy":{"type":"workspaceWrite","excludeSlashTmp":5}', "invalid type: integer `5`, expected a boolean"),
    ('"sandboxPolicy":{"type":"workspaceWrite","excludeTmpdirEnvVar":null}', "invalid type: null, expected a boolean"),
    ('"effort":""', "reasoning_effort must not be empty"),
    ('"effort":5', "invalid type: integer `5`, expected a string"),
    ('"effort":null', None),
    ('"effort":"zzz"', None),
    ('"summary":"zz"', "unknown variant `zz`, expected one of `auto`, `concise`, `detailed`, `none`"),
    ('"summary":null', None),
    ('"summary":5', "invalid type: integer `5`, expected string or map"),
    ('"personality":"zz"', "unknown variant `zz`, expected one of `none`, `friendly`, `pragmatic`"),
    ('"personality":null', None),
    ('"cwd":null', None),
    ('"cwd":"rel"', None),
    ('"model":null', None),
    ('"serviceTier":5', "invalid type: integer `5`, expected a string"),
    ('"serviceTier":null', None),
    ('"outputSchema":null', None),
    ('"outputSchema":5', None),
    ('"clientUserMessageId":5', "invalid type: integer `5`, expected a string"),
    ('"clientUserMessageId":null', None),
    ('"permissions":5', "invalid type: integer `5`, expected a string"),
    ('"permissions":null', None),
    ('"runtimeWorkspaceRoots":"x"', 'invalid type: string "x", expected a sequence'),
    ('"runtimeWorkspaceRoots":null', None),
    ('"additionalContext":5', "invalid type: integer `5`, expected a map"),
    ('"additionalContext":null', None),
    ('"additionalContext":{"k":5}', "invalid type: integer `5`, expected struct AdditionalContextEntry"),
    ('"additionalContext":{"k":{}}', "missing field `value`"),
    ('"additionalContext":{"k":{"value":"V"}}', "missing field `kind`"),
    (
        '"additionalContext":{"k":{"value":"V","kind":"zz"}}',
        "unknown variant `zz`, expected `untrusted` or `application`",
    ),
    ('"additionalContext":{"k":{"value":"V","kind":"untrusted"}}', None),
    ('"additionalContext":{"k":{"value":"V","kind":"untrusted","name":null}}', None),
    ('"additionalContext":{"k":{"value":5,"kind":"untrusted"}}', "invalid type: integer `5`, expected a string"),
    ('"toolOutput":null', None),
    ('"toolOutput":5', "invalid type: integer `5`, expected struct TurnToolOutput"),
    ('"toolOutput":"x"', 'invalid type: string "x", expected struct TurnToolOutput'),
    ('"toolOutput":{}', "missing field `name`"),
    ('"toolOutput":{"name":"n"}', "missing field `output`"),
    ('"toolOutput":{"name":5,"output":5}', "invalid type: integer `5`, expected a string"),
    ('"toolOutput":{"name":"n","namespace":5,"output":"x"}', "invalid type: integer `5`, expected a string"),
    ('"toolOutput":{"name":"n","output":"x","retain":null}', "invalid type: null, expected a boolean"),
    ('"toolOutput":{"name":"n","output":"x","retain":true,"namespace":null}', None),
    *(
        (f'"toolOutput":{{"name":"n","output":{wrong}}}', NO_BODY)
        for wrong in (
            "5",
            "null",
            "{}",
            "[5]",
            '[{"type":"zz"}]',
            '[{"type":"input_text"}]',
            '[{"type":"input_image"}]',
        )
    ),
    ('"toolOutput":{"name":"","output":[]}', None),
    ('"toolOutput":{"name":"n","output":[{"type":"input_image","file_id":"f"}]}', None),
    ('"toolOutput":{"name":"n","output":[{"type":"input_audio","audio_url":"data:x"}]}', None),
    ('"toolOutput":{"name":"n","output":[{"type":"encrypted_content","encrypted_content":"x"}]}', None),
    ('"collaborationMode":5', "invalid type: integer `5`, expected struct CollaborationMode"),
    ('"collaborationMode":null', None),
    ('"collaborationMode":{}', "missing field `mode`"),
    ('"collaborationMode":{"mode":"plan"}', "missing field `settings`"),
    ('"collaborationMode":{"mode":"plan","settings":{}}', "missing field `model`"),
    ('"collaborationMode":{"mode":"plan","settings":5}', "invalid type: integer `5`, expected struct Settings"),
    ('"collaborationMode":{"mode":"plan","settings":{"model":"m"}}', None),
    (
        '"collaborationMode":{"mode":"plan","settings":{"model":"m","reasoning_effort":""}}',
        "reasoning_effort must not be empty",
    ),
    (
        '"collaborationMode":{"mode":"plan","settings":{"model":"m","reasoning_effort":null,"developer_instructions":null}}',
        None,
    ),
    ('"collaborationMode":{"mode":"plan","settings":{"model":"m","reasoningEffort":5}}', None),
    (
        '"collaborationMode":{"mode":"plan","settings":{"model":"m","reasoning_effort":5}}',
        "invalid type: integer `5`, expected a string",
    ),
)
"""A member of ``turn/start``."""

OTHERS: Final[tuple[Row, ...]] = (
    (TURN, '{"threadId":"x","input":[{"type":"text"}],"model":5}', "missing field `text`"),
    (TURN, "5", "invalid type: integer `5`, expected struct TurnStartParams"),
    (TURN, '"x"', 'invalid type: string "x", expected struct TurnStartParams'),
    (TURN, "{}", "missing field `threadId`"),
    (STEER, "5", "invalid type: integer `5`, expected struct TurnSteerParams"),
    (STEER, '"x"', 'invalid type: string "x", expected struct TurnSteerParams'),
    (STEER, "{}", "missing field `threadId`"),
    (TURN, '{"threadId":"x","input":null}', "invalid type: null, expected a sequence"),
    (TURN, '{"threadId":"x","input":5}', "invalid type: integer `5`, expected a sequence"),
    (TURN, '{"threadId":"x","input":{}}', "invalid type: map, expected a sequence"),
    (TURN, '{"input":[]}', "missing field `threadId`"),
    (TURN, '{"threadId":5,"input":5}', "invalid type: integer `5`, expected a string"),
    (TURN, '{"input":5,"threadId":5}', "invalid type: integer `5`, expected a sequence"),
    (TURN, '{"model":5,"threadId":"x"}', "invalid type: integer `5`, expected a string"),
    (TURN, '{"thread_id":"x","input":[]}', "missing field `threadId`"),
    (STEER, '{"threadId":"x","input":[]}', "missing field `expectedTurnId`"),
    (STEER, '{"threadId":"x","expectedTurnId":"t"}', "missing field `input`"),
    (STEER, '{"threadId":"x","expectedTurnId":null,"input":[]}', "invalid type: null, expected a string"),
    (STEER, '{"threadId":"x","expectedTurnId":5,"input":[]}', "invalid type: integer `5`, expected a string"),
    (STEER, '{"threadId":"x","input":[],"expectedTurnId":""}', None),
    (INTERRUPT, '{"threadId":"x"}', "missing field `turnId`"),
    (INTERRUPT, '{"threadId":"x","turnId":null}', "invalid type: null, expected a string"),
    (INTERRUPT, '{"threadId":"x","turnId":5}', "invalid type: integer `5`, expected a string"),
    (INTERRUPT, '{"threadId":"x","turnId":""}', None),
)

ROWS: Final[tuple[Row, ...]] = (
    *((TURN, f'{{"threadId":"x","input":[{element}]}}', text) for element, text in INPUT),
    *((TURN, f'{{"threadId":"x","input":[],{member}}}', text) for member, text in SETTINGS),
    *OTHERS,
)

OTHERWISE: Final[tuple[tuple[str, str, str | None, str | None], ...]] = (
    # A path is a string here.
    (
        TURN,
        '{"threadId":"x","input":[],"cwd":5}',
        "invalid type: integer `5`, expected path string",
        "invalid type: integer `5`, expected a string",
    ),
    # Told of the types that the wire has.
    (
        TURN,
        '{"threadId":"x","input":[],"sandboxPolicy":5}',
        "invalid type: integer `5`, expected internally tagged enum SandboxPolicyDeserialize",
        "invalid type: integer `5`, expected internally tagged enum SandboxPolicy",
    ),
    (
        TURN,
        '{"threadId":"x","input":[],"sandboxPolicy":{"type":5}}',
        "invalid value: integer `5`, expected variant index 0 <= i < 4",
        "invalid type: integer `5`, expected variant identifier",
    ),
    (
        TURN,
        '{"threadId":"x","input":[{"type":5}]}',
        "missing field `name`",
        "invalid type: integer `5`, expected variant identifier",
    ),
    (
        TURN,
        '{"threadId":"x","input":[{"type":"image","url":5}]}',
        "data did not match any variant of untagged enum ImageReference",
        "invalid type: integer `5`, expected a string",
    ),
    (
        TURN,
        '{"threadId":"x","input":[],"collaborationMode":{"mode":"zz"}}',
        "unknown variant `zz`, expected one of `plan`, `code`, `custom`, `default`, `execute`, `pair_programming`",
        "unknown variant `zz`, expected `plan` or `default`",
    ),
    # Left out (``differences.py``).
    (
        TURN,
        '{"threadId":"x","input":[{"type":"zz"}]}',
        (
            "unknown variant `zz`, expected one of "
            "`text`, `image`, `localImage`, `audio`, `localAudio`, `skill`, `mention`"
        ),
        "unknown variant `zz`, expected one of `text`, `image`, `localImage`, `skill`, `mention`",
    ),
    # Shapes that no client sends.
    (
        TURN,
        '{"threadId":"x","input":[["text","a"]]}',
        None,
        "invalid type: sequence, expected internally tagged enum UserInput",
    ),
    (
        TURN,
        '{"threadId":"x","input":[],"approvalPolicy":{"never":null}}',
        None,
        "invalid type: null, expected unit",
    ),
)
"""Method, params, what the reference says, what we say."""
