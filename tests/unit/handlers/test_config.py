"""``config/read`` on the wire; what it tells is tested beside ``app_server.config``."""

import json
from pathlib import Path
from typing import Any

import pytest

from app_server.config import Configuration, Settings
from app_server.handlers.config import ConfigHandlers
from protocol.config import CONFIG_READ
from protocol.errors import InvalidRequest


async def read(tmp_path: Path, params: Any) -> Any:
    handlers = ConfigHandlers(Configuration(Settings(tmp_path, model="m")))
    reply = await handlers.read(CONFIG_READ.decode(params))
    return json.loads(reply.result.to_json())


@pytest.mark.parametrize(
    "params", [{}, {"includeLayers": False}, {"cwd": None}, {"cwd": "relative"}, {"cwd": "/nonexistent"}]
)
async def test_the_settings_are_told(tmp_path: Path, params: Any) -> None:
    answer = await read(tmp_path, params)
    assert answer["config"]["model"] == "m"
    assert answer["origins"] == {}
    assert answer["layers"] is None


async def test_layers_are_told_to_those_who_ask(tmp_path: Path) -> None:
    assert (await read(tmp_path, {"includeLayers": True}))["layers"] == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (None, "missing field `params`"),
        ({"includeLayers": None}, "invalid type: null, expected a boolean"),
        ({"includeLayers": 5}, "invalid type: integer `5`, expected a boolean"),
        (5, "invalid type: integer `5`, expected struct ConfigReadParams"),
    ],
)
async def test_bad_params_are_refused(tmp_path: Path, params: Any, text: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await read(tmp_path, params)
    assert error.value.message == f"Invalid request: {text}"
