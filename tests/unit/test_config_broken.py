"""Broken configuration: always a warning that says where, always the default for what is broken, never a failure."""

import os
from pathlib import Path

import pytest

from app_server.config import ConfigWarning, Settings, TextPosition, TextRange, load_settings
from app_server.config.toml_source import MAX_BYTES, locate

# TOML of the value of each key that is wrong, in every way that seemed worth a try.
NO_STRING = ("5", "1.5", "true", "[]", "{}", "nan", "[1]", "-7", "0x10", "{ a = 1 }")
NO_URL = (*NO_STRING, '"zz"', '"ftp://a"', '"http://"', '"http://u:p@a"', '"http://a b"', '"http://a#b"')
NO_BASE_URL = (*NO_URL, '"http://a?q=1"', '"http://a:99999"', '"http://a:x"', '"http://::1"', '"http:/a"', '"//a"')
NO_VARIANT = (*NO_STRING, '"zz"', '"FILE"', '""', '"file "', "2020-01-01")
NO_BOOLEAN = ("0", "1", '"true"', "[]", "{}", "1.0")
NO_COUNT = ("-1", "1.5", '"5"', "true", "[]", "{}", "inf", "nan")
NO_SIZE = (*NO_COUNT, "0", "99999999999999999999")
NO_TOKENS = (*NO_COUNT, "0", "99999999999999999999")
NO_LONG_TIME = ("-1", "0", "nan", "inf", "-inf", "604801", '"5"', "true", "[]", "{}")
NO_SECONDS = ("-1", "-0.1", "nan", "inf", "-inf", "3601", '"5"', "true", "[]", "{}", "9" * 400)

HOSTILE = {
    "chatgpt_base_url": (*NO_BASE_URL, '""'),
    "openai_base_url": NO_BASE_URL,
    "cli_auth_credentials_store": NO_VARIANT,
    "forced_login_method": NO_VARIANT,
    "forced_chatgpt_workspace_id": ("5", "[1]", '["a", 1]', "true", "{}", '"a,b"', "[[]]", "2020-01-01"),
    "model_provider": (*NO_STRING, '"zz"', '""', '"OpenAI"'),
    "model_providers": ("5", '"x"', "[]", "true", "[{}]"),
    "model": NO_STRING,
    "model_reasoning_effort": NO_STRING,
    "model_reasoning_summary": NO_VARIANT,
    "model_context_window": NO_TOKENS,
    "model_auto_compact_token_limit": NO_TOKENS,
    "model_verbosity": NO_VARIANT,
    "service_tier": NO_STRING,
    "instructions": NO_STRING,
    "model_instructions_file": NO_STRING,
    "developer_instructions": NO_STRING,
    "compact_prompt": NO_STRING,
    "approval_policy": (
        *("5", "true", "[]", "{}", '"zz"', '"granular"', "{ granular = 5 }", "{ granular = { rules = true } }"),
        "{ granular = { rules = 1, sandbox_approval = true, mcp_elicitations = true } }",
    ),
    "approvals_reviewer": NO_VARIANT,
    "sandbox_mode": NO_VARIANT,
    "app_server": ("5", '"x"', "[]", "true"),
    "app_server.max_line_bytes": NO_SIZE,
    "app_server.max_concurrent_requests": NO_SIZE,
    "app_server.max_queued_bytes": NO_SIZE,
    "app_server.external_refresh_timeout": (*NO_SECONDS, "0"),
    "app_server.drain_timeout": NO_SECONDS,
    "app_server.upstream_timeout": (*NO_SECONDS, "0"),
    "app_server.login_callback_ports": ("-1", "65536", "[]", '"1455"', "[1.5]", "[true]", "{}", "[1,2,3,4,5,6,7,8,9]"),
    "app_server.dynamic_tool_timeout": NO_LONG_TIME,
    "app_server.user_input_timeout": NO_LONG_TIME,
    "app_server.max_image_bytes": NO_SIZE,
    "model_providers.x": ("5", '"x"', "[]", "true"),
    "model_providers.x.name": (*NO_STRING, '""', '"  "'),
    "model_providers.x.base_url": NO_BASE_URL,
    "model_providers.x.env_key": NO_STRING,
    "model_providers.x.experimental_bearer_token": NO_STRING,
    "model_providers.x.requires_openai_auth": NO_BOOLEAN,
    "model_providers.x.request_max_retries": NO_COUNT,
    "model_providers.x.stream_max_retries": NO_COUNT,
    "model_providers.x.stream_idle_timeout_ms": NO_COUNT,
    "model_providers.x.supports_websockets": NO_BOOLEAN,
    "model_providers.x.http_headers": ("5", '"x"', "[]"),
    "model_providers.x.http_headers.a": NO_STRING,
    "model_providers.x.env_http_headers": ("5", '"x"', "[]"),
    "model_providers.x.query_params": ("5", '"x"', '["a"]'),
    "model_providers.x.wire_api": (*NO_STRING, '"chat"', '"zz"', '""'),
    "model_providers.openai": ('{ name = "mine" }', "5"),
    "model_providers.ollama": ("{}",),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def load(home: Path, text: str | bytes | None = None, *overrides: str) -> tuple[Settings, list[ConfigWarning]]:
    if text is not None:
        (home / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(overrides, {"CODEX_HOME": str(home)})


def without_provider_x(settings: Settings) -> Settings:
    others = {name: provider for name, provider in settings.model_providers.items() if name != "x"}
    return settings._replace(model_providers=others)


@pytest.mark.parametrize(("key", "values"), HOSTILE.items(), ids=HOSTILE)
def test_a_wrong_value_in_the_file_is_pointed_at_and_only_that_value_is_the_default(
    home: Path, key: str, values: tuple[str, ...]
) -> None:
    path = str(home / "config.toml")
    start = len(key) + len(" = ") + 1
    for value in values:
        line = f"{key} = {value} # why?"
        settings, warnings = load(home, f'# a comment\nsome_key = "kept"\n{line}\n')
        assert without_provider_x(settings) == Settings(home), value
        assert [warning.summary for warning in warnings] == [f"Invalid configuration; ignoring `{key}`."], value
        assert warnings[0].path == path
        place = TextRange(TextPosition(3, start), TextPosition(3, start + len(value) - 1))
        assert warnings[0].range == place, value
        assert (warnings[0].details or "").startswith(f"{path}:3:{start}: "), value


@pytest.mark.parametrize(("key", "values"), HOSTILE.items(), ids=HOSTILE)
def test_a_wrong_value_in_an_argument_is_named_and_the_files_value_stays(
    home: Path, key: str, values: tuple[str, ...]
) -> None:
    kept = 'model = "kept"\nmodel_provider = "kept"\n[model_providers.kept]\nbase_url = "http://kept"'
    for value in values:
        settings, warnings = load(home, kept, f"{key}={value}")
        assert (settings.model, settings.model_provider) == ("kept", "kept"), value
        assert settings.provider.base_url == "http://kept", value
        named = [(f"Invalid configuration; ignoring `{key}`.", None)]
        assert [(warning.summary, warning.path) for warning in warnings] == named, value
        assert (warnings[0].details or "").startswith(f"-c {key}: "), value


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("model = 5", "1:9: invalid type: integer `5`, expected a string"),
        ("model = 1.0", "1:9: invalid type: floating point `1.0`, expected a string"),
        ("model = nan", "1:9: invalid type: floating point `NaN`, expected a string"),
        ("model = true", "1:9: invalid type: boolean `true`, expected a string"),
        ("model = [1]", "1:9: invalid type: sequence, expected a string"),
        ("model = { a = 1 }", "1:9: invalid type: map, expected a string"),
        (
            'cli_auth_credentials_store = "zz"',
            "1:30: unknown variant `zz`, expected one of `file`, `keyring`, `auto`, `ephemeral`",
        ),
        ('forced_login_method="zz"', "1:21: unknown variant `zz`, expected `chatgpt` or `api`"),
        ("[model_providers.x]\nsupports_websockets=1", "2:21: invalid type: integer `1`, expected a boolean"),
    ],
)
def test_the_details_are_those_of_the_reference(home: Path, text: str, details: str) -> None:
    _, warnings = load(home, text)
    assert [warning.details for warning in warnings] == [f"{home / 'config.toml'}:{details}"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('model="a"\nfoo = = 3\n', 2, 7),
        ('model="a" junk', 1, 11),
        ('model = "a"\r\nb = = 1', 2, 5),
        ("model=tru", 1, 7),
        ("model", 1, 6),
        ("[a", 1, 3),
        ('model="""abc\n\n', 3, 1),
        ("x=[1,2\n3]", 2, 1),
        ("\x00", 1, 1),
        ('model="\\uD800"', 1, 14),
    ],
)
def test_a_file_that_is_no_toml_is_pointed_into_and_means_defaults(
    home: Path, text: str, line: int, column: int
) -> None:
    settings, warnings = load(home, text)
    assert settings == Settings(home)
    path = str(home / "config.toml")
    assert [(warning.summary, warning.path) for warning in warnings] == [
        ("Invalid configuration; using defaults.", path)
    ]
    assert warnings[0].range == TextRange(TextPosition(line, column), TextPosition(line, column))
    assert (warnings[0].details or "").startswith(f"{path}:{line}:{column}: ")
    assert "(at " not in (warnings[0].details or "")


def test_arguments_count_beside_a_broken_file(home: Path) -> None:
    settings, warnings = load(home, "broken = =", "model=m")
    assert settings.model == "m"
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "text", ["x=" + "[" * 5000, "x=" + "9" * 5000, "x = 2020-13-45", "a.b = 1\na.b.c = 2", "[a]\n[a]", "x={a=1,\n"]
)
def test_odd_toml_is_a_warning_too(home: Path, text: str) -> None:
    settings, warnings = load(home, text)
    assert settings == Settings(home)
    assert [warning.summary for warning in warnings] == ["Invalid configuration; using defaults."]


def test_every_beginning_of_a_configuration_can_be_loaded(home: Path) -> None:
    text = "model = \"é\"\n[app_server]\nlogin_callback_ports = [1, 2]\n[model_providers.\"a b\"]\nname = '''x\ny'''\n"
    for data in (text.encode()[:length] for length in range(len(text.encode()) + 1)):
        _, warnings = load(home, data)
        assert len(warnings) <= 1


def test_a_byte_order_mark_is_no_mistake(home: Path) -> None:
    settings, warnings = load(home, b'\xef\xbb\xbfmodel = "a"')
    assert (settings.model, warnings) == ("a", [])


def test_a_file_that_is_not_utf8_is_a_warning_that_says_where(home: Path) -> None:
    settings, warnings = load(home, b'model = "\xff"')
    assert settings == Settings(home)
    assert [warning.details for warning in warnings] == [
        f"Failed to read config file {home / 'config.toml'}: not UTF-8 at byte 9"
    ]


def test_a_file_that_cannot_be_read_is_a_warning(home: Path) -> None:
    path = home / "config.toml"

    def only_warning() -> ConfigWarning:
        settings, warnings = load(home)
        assert settings == Settings(home)
        (warning,) = warnings
        assert warning.summary == "Invalid configuration; using defaults."
        assert warning.path == str(path)
        return warning

    path.mkdir()
    assert only_warning().details
    path.rmdir()
    os.mkfifo(path)
    assert "not a file" in (only_warning().details or "")
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "not a file" in (only_warning().details or "")
    path.unlink()
    path.symlink_to(path)
    assert only_warning().details
    path.unlink()
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "longer than" in (only_warning().details or "")


def test_a_home_that_is_a_file_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _, warnings = load(tmp_path / "file")
    assert "Not a directory" in (warnings[0].details or "")


def test_a_dangling_link_is_no_configuration(home: Path) -> None:
    (home / "config.toml").symlink_to(home / "nowhere")
    assert load(home) == (Settings(home), [])


def test_unknown_settings_are_a_typo_only_in_our_own_table(home: Path) -> None:
    _, warnings = load(home, "model_typo = 1\n[app_server]\ndrain = 1\n", "app_server.lines=1", "zz.a=1")
    (warning,) = warnings
    assert "2 unknown" in warning.summary
    assert "`app_server.drain`" in (warning.details or "")
    assert "`app_server.lines`" in (warning.details or "")


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("CODEX_APP_SERVER_LOGIN_ISSUER", ("zz", "http://u:canary@a", "ftp://canary", "http://canary/?a=b")),
        ("CODEX_REFRESH_TOKEN_URL_OVERRIDE", ("canary", "http://canary#a", "http://canary\udcff")),
        ("CODEX_REVOKE_TOKEN_URL_OVERRIDE", ("canary",)),
        ("CODEX_AUTHAPI_BASE_URL", ("canary",)),
        ("CODEX_APP_SERVER_LOGIN_CLIENT_ID", ("\udcffcanary",)),
        ("APP_SERVER_MAX_LINE_BYTES", ("canary", "1", "-1", "1.5", "1e9", "9" * 5000)),
        ("APP_SERVER_MAX_CONCURRENT_REQUESTS", ("0", "canary")),
        ("APP_SERVER_MAX_QUEUED_BYTES", ("0",)),
        ("APP_SERVER_DRAIN_TIMEOUT", ("-1", "nan", "inf", "canary", "1,2")),
        ("APP_SERVER_UPSTREAM_TIMEOUT", ("0",)),
        ("APP_SERVER_EXTERNAL_REFRESH_TIMEOUT", ("0",)),
        ("APP_SERVER_DYNAMIC_TOOL_TIMEOUT", ("0", "canary")),
        ("APP_SERVER_USER_INPUT_TIMEOUT", ("0", "canary")),
        ("APP_SERVER_MAX_IMAGE_BYTES", ("0", "canary")),
        ("APP_SERVER_LOGIN_CALLBACK_PORTS", ("canary", "1,,2", "1;2", "70000", ",")),
    ],
)
def test_a_wrong_variable_is_named_without_its_value(home: Path, variable: str, values: tuple[str, ...]) -> None:
    for value in values:
        settings, warnings = load_settings([], {"CODEX_HOME": str(home), variable: value})
        assert settings == Settings(home)
        (warning,) = warnings
        assert (warning.details or "").startswith(f"{variable}: ")
        assert "canary" not in repr(warning)


def test_strings_are_never_shown_as_they_may_be_secrets(home: Path) -> None:
    keys = [key for key, values in HOSTILE.items() if '"x"' in values or key.endswith(("_bytes", "_url", "retries"))]
    assert len(keys) > 5
    for key in keys:
        _, warnings = load(home, f'{key} = "sk-canary"')
        assert len(warnings) == 1
        assert "canary" not in repr(warnings)


def test_warnings_are_bounded(home: Path) -> None:
    lines = "\n".join(f"h{number} = 1" for number in range(150))
    _, warnings = load(home, f"[model_providers.x.http_headers]\n{lines}\n")
    assert 10 <= len(warnings) <= 100


@pytest.mark.parametrize(
    ("text", "keys", "place"),
    [
        ("[a]\nmodel=1\n[b]\nmodel  =  2  # no", ("b", "model"), (4, 11, 4, 11)),
        ('x = "model = 1"\nmodel = [\n  1,\n]', ("model",), (2, 9, 2, 9)),
        ('x = """\nmodel = 1\n"""\nmodel = 2', ("model",), (4, 9, 4, 9)),
        ('x = { a = 1, model = "#,}" }', ("x", "model"), (1, 22, 1, 26)),
        ('my_model = 1\n"model" = 2', ("model",), (2, 11, 2, 11)),
        ("[ x.y ] # z", ("x", "y"), (1, 5, 1, 5)),
        ("a.b.c = 1", ("a", "b", "c"), (1, 9, 1, 9)),
        ("[[x]]\ny = 1", ("x",), (1, 3, 1, 3)),
        ("x = 1", ("y",), None),
        ("x = 1", ("",), None),
    ],
)
def test_values_are_found_where_they_stand(
    text: str, keys: tuple[str, ...], place: tuple[int, int, int, int] | None
) -> None:
    found = locate(text, keys)
    assert found == (place and TextRange(TextPosition(*place[:2]), TextPosition(*place[2:])))
