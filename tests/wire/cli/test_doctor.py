"""``app-server doctor``; what counts as a problem is tested in ``tests/unit/diagnosis``."""

import json
from pathlib import Path
from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import Commands, Outcome
from tests.support.upstream import managed_login, store


def findings(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """By name; the last one of each."""
    return {finding["name"]: finding for finding in json.loads(outcome.out)["findings"]}


async def test_a_fresh_home_with_an_upstream_is_fine(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    outcome = await commands.run("doctor")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("\nEverything is as it should be.\n")
    for name in ("software", "configuration", "store", "locks", "login", "callbackPorts", "certificates", "proxy"):
        assert f"  ok   {name} " in outcome.out
    assert f"{fake.base_url} answers" in outcome.out
    assert f"{fake.base_url}/backend-api answers" in outcome.out
    assert not [*home.parent.glob("home/*")]
    assert {request.bearer for request in fake.requests} == {None}


async def test_an_upstream_that_does_not_answer_stands_in_the_way(home: Path) -> None:
    outcome = await Commands(None, home).run("doctor")
    assert outcome.status == 1
    assert " ERROR issuer " in outcome.out
    assert " ERROR backend " in outcome.out


async def test_as_json_it_is_the_result_of_account_diagnose(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    tokens = fake.mint(expires_in=-60)
    file = store(home, managed_login(tokens))
    file.chmod(0o644)
    proxy = "http://user:canary@127.0.0.1:1"
    outcome = await commands.run(
        "doctor",
        "--json",
        "--offline",
        env={"HTTPS_PROXY": proxy, "SSL_CERT_FILE": "/nowhere", "CODEX_ACCESS_TOKEN": "at-canary-0123456789"},
        overrides=("chatgpt_base_url=canary",),
    )
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert report["login"] == {
        "authMode": "personalAccessToken",
        "source": "environment",
        "email": None,
        "planType": "unknown",
        "accountId": None,
        "expiresAt": None,
        "renewable": False,
        "usable": True,
    }
    found = findings(outcome)
    assert found["store"]["status"] == "warning"
    assert "chmod 600" in found["store"]["details"]
    assert found["certificates"]["status"] == "warning"
    assert found["proxy"]["summary"].endswith("https: http://127.0.0.1:1, with credentials (HTTPS_PROXY).")
    assert {"issuer", "backend"}.isdisjoint(found)
    assert found["configuration"]["status"] == "warning"
    assert "outranks the stored login (ChatGPT, plan plus, user@example.com)" in found["login"]["summary"]
    assert not [secret for secret in ("canary", tokens.access_token, tokens.refresh_token) if secret in outcome.said]
    assert len(fake.requests) == 0
