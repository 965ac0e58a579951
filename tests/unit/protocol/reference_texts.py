"""What the reference (0.169.0) answers to params that it cannot decode: the message after ``Invalid request: ``.

Each row was observed on the running binary, with the method and the params as JSON text; None is an acceptance.
``test_decoding_texts.py`` holds ours against them. To renew, send the rows to ``codex app-server``.
"""

from typing import Final

LOGIN: Final = "account/login/start"
READ: Final = "account/read"
STATUS: Final = "getAuthStatus"
CANCEL: Final = "account/login/cancel"
LOGOUT: Final = "account/logout"
LIMITS: Final = "account/rateLimits/read"
INITIALIZE: Final = "initialize"

Row = tuple[str, str, str | None]

WRONG_PARAMS: Final[tuple[Row, ...]] = (
    (LOGIN, "null", "missing field `params`"),
    (READ, "null", "missing field `params`"),
    (STATUS, "null", "missing field `params`"),
    (CANCEL, "null", "missing field `params`"),
    (INITIALIZE, "null", "missing field `params`"),
    (LOGOUT, "null", None),
    (LOGOUT, "{}", None),
    (LIMITS, "null", None),
    (LIMITS, "{}", None),
    (LIMITS, "[]", None),
    (READ, "{}", None),
    (READ, "[]", None),
    (STATUS, "{}", None),
    (LOGIN, "{}", "missing field `type`"),
    (LOGIN, "[]", "missing field `type`"),
    (CANCEL, "{}", "missing field `loginId`"),
    (INITIALIZE, "{}", "missing field `clientInfo`"),
    (LOGIN, "5", "invalid type: integer `5`, expected internally tagged enum LoginAccountParams"),
    (LOGIN, '"s"', 'invalid type: string "s", expected internally tagged enum LoginAccountParams'),
    (LOGIN, "true", "invalid type: boolean `true`, expected internally tagged enum LoginAccountParams"),
    (READ, "5", "invalid type: integer `5`, expected struct GetAccountParams"),
    (READ, "-5", "invalid type: integer `-5`, expected struct GetAccountParams"),
    (READ, "1.5", "invalid type: floating point `1.5`, expected struct GetAccountParams"),
    (READ, '"x"', 'invalid type: string "x", expected struct GetAccountParams'),
    (READ, "false", "invalid type: boolean `false`, expected struct GetAccountParams"),
    (STATUS, "true", "invalid type: boolean `true`, expected struct GetAuthStatusParams"),
    (
        CANCEL,
        "9223372036854775808",
        "invalid type: integer `9223372036854775808`, expected struct CancelLoginAccountParams",
    ),
    (LIMITS, "5", "invalid type: integer `5`, expected struct GetAccountRateLimitsParams"),
    (INITIALIZE, '""', 'invalid type: string "", expected struct InitializeParams'),
    (LOGOUT, "[]", "invalid type: sequence, expected unit"),
    (LOGOUT, "[1]", "invalid type: sequence, expected unit"),
    (LOGOUT, '{"a":1}', "invalid type: map, expected unit"),
    (LOGOUT, "0", "invalid type: integer `0`, expected unit"),
    (LOGOUT, "false", "invalid type: boolean `false`, expected unit"),
    (LOGOUT, '""', 'invalid type: string "", expected unit'),
)

WRONG_VALUES: Final[tuple[Row, ...]] = (
    (LOGIN, '{"type":null}', "invalid type: null, expected variant identifier"),
    (LOGIN, '{"type":true}', "invalid type: boolean `true`, expected variant identifier"),
    (LOGIN, '{"type":1.5}', "invalid type: floating point `1.5`, expected variant identifier"),
    (LOGIN, '{"type":[]}', "invalid type: sequence, expected variant identifier"),
    (LOGIN, '{"type":{}}', "invalid type: map, expected variant identifier"),
    (
        LOGIN,
        '{"type":"zzz"}',
        (
            "unknown variant `zzz`, expected one of `apiKey`, `chatgpt`, `chatgptDeviceCode`, `chatgptAuthTokens`, "
            "`amazonBedrock`, `amazonBedrockAccessKeys`"
        ),
    ),
    (
        LOGIN,
        '{"type":"","apiKey":5}',
        (
            "unknown variant ``, expected one of `apiKey`, `chatgpt`, `chatgptDeviceCode`, `chatgptAuthTokens`, "
            "`amazonBedrock`, `amazonBedrockAccessKeys`"
        ),
    ),
    (LOGIN, '{"apiKey":"k"}', "missing field `type`"),
    (LOGIN, '{"type":"apiKey"}', "missing field `apiKey`"),
    (LOGIN, '{"type":"apiKey","api_key":"k"}', "missing field `apiKey`"),
    (LOGIN, '{"type":"apiKey","apiKey":null}', "invalid type: null, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":5}', "invalid type: integer `5`, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":-3}', "invalid type: integer `-3`, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":1.5}', "invalid type: floating point `1.5`, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":1.0}', "invalid type: floating point `1.0`, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":true}', "invalid type: boolean `true`, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":[]}', "invalid type: sequence, expected a string"),
    (LOGIN, '{"type":"apiKey","apiKey":{}}', "invalid type: map, expected a string"),
    (LOGIN, '{"type":"chatgpt","appBrand":"x"}', "unknown variant `x`, expected `codex` or `chatgpt`"),
    (LOGIN, '{"type":"chatgpt","appBrand":5}', "invalid type: integer `5`, expected string or map"),
    (LOGIN, '{"type":"chatgpt","appBrand":[]}', "invalid type: sequence, expected string or map"),
    (LOGIN, '{"type":"chatgpt","useHostedLoginSuccessPage":null}', "invalid type: null, expected a boolean"),
    (LOGIN, '{"type":"chatgpt","useHostedLoginSuccessPage":"x"}', 'invalid type: string "x", expected a boolean'),
    (LOGIN, '{"type":"chatgpt","codexStreamlinedLogin":0}', "invalid type: integer `0`, expected a boolean"),
    (LOGIN, '{"type":"chatgptAuthTokens"}', "missing field `accessToken`"),
    (LOGIN, '{"type":"chatgptAuthTokens","accessToken":"a"}', "missing field `chatgptAccountId`"),
    (LOGIN, '{"type":"chatgptAuthTokens","chatgptAccountId":"c"}', "missing field `accessToken`"),
    (
        LOGIN,
        '{"type":"chatgptAuthTokens","accessToken":"a","chatgptAccountId":null}',
        "invalid type: null, expected a string",
    ),
    (
        LOGIN,
        '{"type":"chatgptAuthTokens","accessToken":"a","chatgptAccountId":"c","chatgptPlanType":5}',
        "invalid type: integer `5`, expected a string",
    ),
    (LOGIN, '{"type":"amazonBedrock","apiKey":"a"}', "missing field `region`"),
    (LOGIN, '{"type":"amazonBedrockAccessKeys"}', "missing field `accessKeyId`"),
    (READ, '{"refreshToken":null}', "invalid type: null, expected a boolean"),
    (READ, '{"refreshToken":5}', "invalid type: integer `5`, expected a boolean"),
    (READ, '{"refreshToken":"true"}', 'invalid type: string "true", expected a boolean'),
    (READ, '{"refresh_token":5,"RefreshToken":5,"zzz":[]}', None),
    (STATUS, '{"includeToken":5}', "invalid type: integer `5`, expected a boolean"),
    (STATUS, '{"refreshToken":[]}', "invalid type: sequence, expected a boolean"),
    (STATUS, '{"include_token":5}', None),
    (CANCEL, '{"loginId":5}', "invalid type: integer `5`, expected a string"),
    (CANCEL, '{"loginId":null}', "invalid type: null, expected a string"),
    (CANCEL, '{"login_id":"a"}', "missing field `loginId`"),
    (LIMITS, '{"excludeResetCreditDetails":5}', "invalid type: integer `5`, expected a boolean"),
    (LIMITS, '{"excludeResetCreditDetails":null}', "invalid type: null, expected a boolean"),
    (INITIALIZE, '{"client_info":{"name":"n","version":"1"}}', "missing field `clientInfo`"),
    (INITIALIZE, '{"clientInfo":null}', "invalid type: null, expected struct ClientInfo"),
    (INITIALIZE, '{"clientInfo":5}', "invalid type: integer `5`, expected struct ClientInfo"),
    (INITIALIZE, '{"clientInfo":{}}', "missing field `name`"),
    (INITIALIZE, '{"clientInfo":{"name":"n"}}', "missing field `version`"),
    (INITIALIZE, '{"clientInfo":{"version":"1"}}', "missing field `name`"),
    (INITIALIZE, '{"clientInfo":{"name":5,"version":"1"}}', "invalid type: integer `5`, expected a string"),
    (INITIALIZE, '{"clientInfo":{"name":"n","version":null}}', "invalid type: null, expected a string"),
    (INITIALIZE, '{"clientInfo":{"name":"n","version":"1","title":[]}}', "invalid type: sequence, expected a string"),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":5}',
        "invalid type: integer `5`, expected struct InitializeCapabilities",
    ),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"experimentalApi":null}}',
        "invalid type: null, expected a boolean",
    ),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"extensions":[1]}}',
        "invalid type: sequence, expected a map",
    ),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"optOutNotificationMethods":"a"}}',
        'invalid type: string "a", expected a sequence',
    ),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"optOutNotificationMethods":["a",5,null]}}',
        "invalid type: integer `5`, expected a string",
    ),
)

FIRST_FAULT: Final[tuple[Row, ...]] = (
    (STATUS, '{"refreshToken":5,"includeToken":"x"}', "invalid type: integer `5`, expected a boolean"),
    (STATUS, '{"includeToken":"x","refreshToken":5}', 'invalid type: string "x", expected a boolean'),
    (INITIALIZE, '{"clientInfo":{"version":true,"name":[]}}', "invalid type: boolean `true`, expected a string"),
    (
        INITIALIZE,
        '{"clientInfo":{"title":true,"version":{},"name":5}}',
        "invalid type: boolean `true`, expected a string",
    ),
    (INITIALIZE, '{"clientInfo":{"title":5}}', "invalid type: integer `5`, expected a string"),
    (INITIALIZE, '{"clientInfo":{"title":"t"},"capabilities":5}', "missing field `name`"),
    (
        INITIALIZE,
        '{"capabilities":5,"clientInfo":{"title":"t"}}',
        "invalid type: integer `5`, expected struct InitializeCapabilities",
    ),
    (INITIALIZE, '{"capabilities":{"extensions":5}}', "invalid type: integer `5`, expected a map"),
    (
        INITIALIZE,
        (
            '{"clientInfo":{"name":"n","version":"1"},'
            '"capabilities":{"optOutNotificationMethods":["a",5],"experimentalApi":"x"}}'
        ),
        "invalid type: integer `5`, expected a string",
    ),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"extensions":true,"experimentalApi":"x"}}',
        "invalid type: boolean `true`, expected a map",
    ),
    (
        LOGIN,
        '{"chatgptPlanType":5,"accessToken":true,"type":"chatgptAuthTokens"}',
        "invalid type: integer `5`, expected a string",
    ),
    (
        LOGIN,
        '{"accessToken":true,"chatgptPlanType":5,"type":"chatgptAuthTokens"}',
        "invalid type: boolean `true`, expected a string",
    ),
    (
        LOGIN,
        '{"type":"chatgpt","chatgpt":1,"appBrand":5,"useHostedLoginSuccessPage":"x"}',
        "invalid type: integer `5`, expected string or map",
    ),
    (LOGIN, '{"region":5,"type":"amazonBedrock","apiKey":null}', "invalid type: integer `5`, expected a string"),
    (LOGIN, '{"type":"amazonBedrockAccessKeys","region":"r","sessionToken":"s"}', "missing field `accessKeyId`"),
)

QUOTED: Final[tuple[Row, ...]] = (
    (READ, r'{"refreshToken":"q\"uo\\te"}', r'invalid type: string "q\"uo\\te", expected a boolean'),
    (READ, r'{"refreshToken":"tab\tcr\rnl\n"}', r'invalid type: string "tab\tcr\rnl\n", expected a boolean'),
    (
        READ,
        r'{"refreshToken":"\u0000\u001f\u007f\u0080"}',
        r'invalid type: string "\0\u{1f}\u{7f}\u{80}", expected a boolean',
    ),
    (
        READ,
        r'{"refreshToken":"\u00a0\u2028\u3000"}',
        r'invalid type: string "\u{a0}\u{2028}\u{3000}", expected a boolean',
    ),
    (
        READ,
        r'{"refreshToken":"\u200b\u202e\ufeff\ue000"}',
        r'invalid type: string "\u{200b}\u{202e}\u{feff}\u{e000}", expected a boolean',
    ),
    (READ, r'{"refreshToken":"é😀`日本"}', r'invalid type: string "é😀`日本", expected a boolean'),
    (READ, '{"refreshToken":"it\'s"}', 'invalid type: string "it\'s", expected a boolean'),
    (READ, '{"refreshToken":1e300}', "invalid type: floating point `1e+300`, expected a boolean"),
    (READ, '{"refreshToken":0.0001}', "invalid type: floating point `0.0001`, expected a boolean"),
    (READ, '{"refreshToken":-0.0}', "invalid type: floating point `-0.0`, expected a boolean"),
    (READ, '{"refreshToken":18446744073709551615}', "invalid type: integer `18446744073709551615`, expected a boolean"),
    (READ, '{"refreshToken":-9223372036854775808}', "invalid type: integer `-9223372036854775808`, expected a boolean"),
)

NULLS: Final[tuple[Row, ...]] = (
    (STATUS, '{"includeToken":null,"refreshToken":null}', None),
    (
        LOGIN,
        '{"type":"amazonBedrockAccessKeys","accessKeyId":"a","secretAccessKey":"s","sessionToken":null,"region":"r"}',
        None,
    ),
    (LOGIN, '{"type":"chatgptAuthTokens","accessToken":"a","chatgptAccountId":"c","chatgptPlanType":null}', None),
    (INITIALIZE, '{"clientInfo":{"name":"n","title":null,"version":"1"},"capabilities":null}', None),
    (
        INITIALIZE,
        '{"clientInfo":{"name":"n","version":"1"},"capabilities":{"extensions":null,"optOutNotificationMethods":null}}',
        None,
    ),
    (INITIALIZE, '{"clientInfo":{"name":"n","version":"1"},"capabilities":{}}', None),
)

ROWS: Final = WRONG_PARAMS + WRONG_VALUES + FIRST_FAULT + QUOTED + NULLS
