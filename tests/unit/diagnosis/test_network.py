"""CA files, proxies and upstreams: what is told of them, and what is not."""

from pathlib import Path

import pytest

from app_server.backend.http import HttpClient
from app_server.config import Settings
from app_server.diagnosis.network import examine_certificates, examine_proxy, examine_upstream
from app_server.fake_openai.server import FakeOpenAI

# Of nobody: its key was thrown away.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUdSQVIjwWYJd4zij/kM+XaNs+/VAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwODQyMjFaGA8yMTI2MTAyODA4NDIy
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJVI
AV9scQlGkjp5oZfbAq1BEIX7pxqFF/oZmpZKo+2bPYeY77VG9gbXX539RbikVvBr
y/csUbz0Shy2/JI49/ajUzBRMB0GA1UdDgQWBBTJ4GInRp+Xf8FErW7HMMPqdObx
ADAfBgNVHSMEGDAWgBTJ4GInRp+Xf8FErW7HMMPqdObxADAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIDhre6tKe+4qJ6stbgVu2Kjc6Wbr4jCDekng
SG0nXAYcAiB2M+tjb2emawRXKDbFWD7Hetp1qDRf7fl6jivtPQa1cw==
-----END CERTIFICATE-----
"""

BOTH_PROXIES = (
    "Requests go through a proxy; http: http://[::1]:80, with credentials (HTTP_PROXY); all: socks5://h:1 (ALL_PROXY)."
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> dict[str, str]:
    """Requests read the process's own environment, so this has to be it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.mark.parametrize(
    ("variables", "summary"),
    [
        ({}, "No proxy is used."),
        ({"HTTPS_PROXY": ""}, "No proxy is used."),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, "No proxy is used."),
        (
            {"HTTPS_PROXY": "http://proxy.example:3128/"},
            "Requests go through a proxy; https: http://proxy.example:3128 (HTTPS_PROXY).",
        ),
        (
            {"https_proxy": "http://user:canary@proxy", "HTTPS_PROXY": "http://canary"},
            "Requests go through a proxy; https: http://proxy, with credentials (https_proxy).",
        ),
        (
            {"HTTP_PROXY": "canary@[::1]:80", "ALL_PROXY": "socks5://h:1"},
            BOTH_PROXIES,
        ),
        (
            {"HTTPS_PROXY": "http://user:can/ary@proxy:1"},
            "Requests go through a proxy; https: a URL that cannot be read (HTTPS_PROXY).",
        ),
        (
            {"HTTPS_PROXY": "http://canary:canary"},
            "Requests go through a proxy; https: a URL that cannot be read (HTTPS_PROXY).",
        ),
        (
            {"HTTPS_PROXY": "canary@"},
            "Requests go through a proxy; https: a URL that cannot be read (HTTPS_PROXY).",
        ),
    ],
)
async def test_a_proxy_is_told_by_its_name_without_its_credentials(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], summary: str
) -> None:
    (finding,) = await examine_proxy(environment(monkeypatch, variables))
    assert finding.status == ("warning" if "cannot be read" in summary else "ok")
    assert finding.summary == summary


async def test_what_does_not_go_through_the_proxy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "localhost,.example"}
    (finding,) = await examine_proxy(environment(monkeypatch, variables))
    assert finding.details == "Except for: localhost,.example (NO_PROXY)"


async def test_without_a_ca_file_the_system_decides(settings: Settings) -> None:
    (finding,) = await examine_certificates(settings, {})
    assert (finding.status, finding.details) == ("ok", None)


async def test_a_ca_file_is_counted_and_named_by_its_variable(settings: Settings, tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text(CERTIFICATE)
    settings = settings._replace(ca_certificate=str(pem))
    (finding,) = await examine_certificates(settings, {"SSL_CERT_FILE": str(pem), "CODEX_CA_CERTIFICATE": ""})
    assert finding.summary == f"The authority in {pem} (SSL_CERT_FILE) is trusted besides those of the system."


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("canary", "no certificate in PEM")])
async def test_a_ca_file_that_cannot_be_used_is_told(
    settings: Settings, tmp_path: Path, content: str | None, reason: str
) -> None:
    pem = tmp_path / "ca.pem"
    if content is not None:
        pem.write_text(content)
    settings = settings._replace(ca_certificate=str(pem))
    (finding,) = await examine_certificates(settings, {"CODEX_CA_CERTIFICATE": str(pem)})
    assert finding.status == "warning"
    assert finding.summary == f"The CA file {pem} of CODEX_CA_CERTIFICATE cannot be used."
    assert reason in (finding.details or "")
    assert "canary" not in (finding.details or "")


async def test_any_answer_shows_that_an_upstream_is_there() -> None:
    async with FakeOpenAI.running() as fake:
        client = HttpClient()
        (there,) = await examine_upstream(client, "issuer", fake.base_url, needed=True)
        (unknown,) = await examine_upstream(client, "issuer", f"{fake.base_url}/nothing/here", needed=True)
        await client.aclose()
    assert (there.status, unknown.status) == ("ok", "ok")
    assert there.summary.startswith(f"{fake.base_url} answers within ")


@pytest.mark.parametrize(("needed", "status"), [(True, "error"), (False, "warning")])
async def test_an_upstream_that_does_not_answer_matters_where_it_is_needed(needed: bool, status: str) -> None:
    client = HttpClient()
    (finding,) = await examine_upstream(client, "issuer", "http://127.0.0.1:1", needed=needed)
    await client.aclose()
    assert (finding.name, finding.status, finding.summary) == ("issuer", status, "http://127.0.0.1:1 does not answer.")


async def test_an_upstream_that_is_silent_is_not_waited_for_for_long() -> None:
    async with FakeOpenAI.running() as fake:
        fake.fault("*", hang=True)
        client = HttpClient()
        (finding,) = await examine_upstream(client, "backend", fake.base_url, needed=True, timeout=0.1)
        await client.aclose()
    assert (finding.status, finding.details) == ("error", "It was silent for 0.1 s.")


@pytest.mark.parametrize(("status", "expected"), [(401, "ok"), (404, "ok"), (503, "warning"), (407, "error")])
async def test_an_upstream_with_a_problem_of_its_own_is_told(status: int, expected: str) -> None:
    async with FakeOpenAI.running() as fake:
        fake.fault("*", status=status)
        client = HttpClient()
        (finding,) = await examine_upstream(client, "backend", fake.base_url, needed=True)
        await client.aclose()
    assert finding.status == expected
    assert f"status {status}" in finding.summary


async def test_a_proxy_that_makes_no_sense_is_a_finding_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, {"HTTP_PROXY": "canary://nonsense"})
    client = HttpClient()
    (finding,) = await examine_upstream(client, "issuer", "http://127.0.0.1:1", needed=True)
    await client.aclose()
    assert (finding.status, finding.summary) == ("error", "No request can be made.")
    assert "canary" not in (finding.details or "")
