"""The settings of a thread: whose word counts, and what a turn changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app_server.config.settings import ModelProvider, Settings
from app_server.threads.settings import ThreadSettings, absolute, settle
from protocol.thread import ThreadResumeParams, ThreadStartParams
from protocol.turn import TurnStartParams
from tests.unit.threads.support import OTHER, THREAD, settings


def settled(stored: Any = None, config: dict[str, Any] | None = None, **wishes: Any) -> ThreadSettings:
    made = Settings(codex_home=Path("/home"), **(config or {}))
    wish = ThreadStartParams.model_validate(wishes)
    provider = stored and "stored"
    return settle(made, wish, "/server", lambda provider: f"default of {provider}", stored, provider)


def turn(**changes: Any) -> TurnStartParams:
    return TurnStartParams.model_validate({"threadId": THREAD, "input": [], **changes})


STORED = {
    "model": "stored",
    "cwd": "/stored",
    "effort": "low",
    "approval_policy": "never",
    "sandbox_policy": {"type": "workspace-write"},
}
CONFIG = {"model": "configured", "model_reasoning_effort": "high", "approval_policy": "untrusted"}


def test_without_a_word_from_anybody_there_are_defaults() -> None:
    made = settled()
    assert (made.model, made.provider, made.cwd) == ("default of openai", "openai", "/server")
    assert (made.approval_policy.root, made.approvals_reviewer, made.sandbox.root.type) == (
        "on-request",
        "user",
        "readOnly",
    )
    assert made.permission_profile is not None
    assert made.permission_profile.id == ":read-only"


def test_the_configuration_counts_more_than_defaults() -> None:
    made = settled(config={**CONFIG, "sandbox_mode": "danger-full-access"})
    assert (made.model, made.effort, made.approval_policy.root) == ("configured", "high", "untrusted")
    assert (made.sandbox.root.type, made.permission_profile) == ("dangerFullAccess", None)


def test_what_the_thread_had_counts_more_than_the_configuration() -> None:
    made = settled(STORED, CONFIG)
    assert (made.model, made.provider, made.cwd, made.effort) == ("stored", "stored", "/stored", "low")
    assert (made.approval_policy.root, made.sandbox.root.type) == ("never", "workspaceWrite")


def test_the_word_of_the_client_counts_most() -> None:
    made = settled(
        STORED,
        CONFIG,
        model="wished",
        cwd="/wished",
        approvalPolicy="untrusted",
        sandbox="read-only",
        modelProvider="w",
    )
    assert (made.model, made.provider, made.cwd) == ("wished", "w", "/wished")
    assert (made.approval_policy.root, made.sandbox.root.type, made.permission_profile) == (
        "untrusted",
        "readOnly",
        None,
    )


@pytest.mark.parametrize(
    "stored",
    [
        {"model": 5, "cwd": None, "effort": "", "approval_policy": "odd", "sandbox_policy": "odd"},
        {"approval_policy": ["never"], "sandbox_policy": {"type": ["x"]}},
        {},
    ],
)
def test_what_makes_no_sense_in_a_file_does_not_count(stored: Any) -> None:
    made = settled(stored, CONFIG)
    assert (made.model, made.cwd, made.effort, made.approval_policy.root) == (
        "configured",
        "/server",
        "high",
        "untrusted",
    )


@pytest.mark.parametrize(
    ("folder", "base", "whole"), [("sub", "/a", "/a/sub"), ("/b", "/a", "/b"), ("", "/a", "/a"), ("..", "/a", "/a/..")]
)
def test_a_folder_is_made_absolute(folder: str, base: str, whole: str) -> None:
    assert absolute(folder, base) == whole


def test_a_turn_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    before = settings(tmp_path)
    after = before.for_turn(turn(model="other", effort="high", summary="none", cwd="sub", serviceTier="priority"))
    assert after == replace(
        before, model="other", effort="high", summary="none", cwd=str(tmp_path / "sub"), service_tier="priority"
    )
    assert before.for_turn(turn(model="")) is before


def test_another_sandbox_is_no_profile_any_more(tmp_path: Path) -> None:
    before = replace(settings(tmp_path), permission_profile=settled().permission_profile)
    after = before.for_turn(turn(sandboxPolicy={"type": "dangerFullAccess"}))
    assert (after.sandbox.root.type, after.permission_profile) == ("dangerFullAccess", None)


def test_a_mode_wins_over_the_settings_beside_it(tmp_path: Path) -> None:
    mode = {"mode": "plan", "settings": {"model": "of the mode", "reasoning_effort": "low"}}
    after = settings(tmp_path).for_turn(turn(collaborationMode=mode, model="beside", effort="high"))
    assert (after.plan_mode, after.model, after.effort) == (True, "of the mode", "low")


def test_a_mode_that_says_nothing_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    mode = {"mode": "default", "settings": {"model": ""}}
    after = settings(tmp_path).for_turn(turn(collaborationMode=mode, effort="high"))
    assert (after.plan_mode, after.model, after.effort) == (False, "test-model", "high")


def test_what_is_stored_of_it_brings_it_back(tmp_path: Path) -> None:
    changes = turn(model="other", effort="high", approvalPolicy="never", sandboxPolicy={"type": "workspaceWrite"})
    made = settings(tmp_path).for_turn(changes)
    wish = ThreadResumeParams.model_validate({"threadId": OTHER})
    again = settle(made.config, wish, "/server", lambda _: "default", made.context(), "mock")
    assert (again.model, again.effort, again.approval_policy, again.cwd, again.sandbox.root.type) == (
        "other",
        "high",
        made.approval_policy,
        made.cwd,
        "workspaceWrite",
    )


def test_the_providers_of_the_thread_are_those_of_its_configuration(tmp_path: Path) -> None:
    assert isinstance(settings(tmp_path).config.model_providers["mock"], ModelProvider)
