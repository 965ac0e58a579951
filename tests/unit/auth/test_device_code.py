"""A login with a device code: how the issuer is asked, how often, and what its answers mean (wire.md section 8)."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import pytest

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import CredentialsNotSaved, DeviceCodeNotEnabled, DeviceCodeUnavailable
from app_server.auth.login.device_code import DeviceCodeLogin
from app_server.auth.login.oauth import OAuthClient
from app_server.fake_openai.tokens import Account
from tests.unit.auth.login_support import CLIENT_ID, DEADLINE, Logins, Stepwise, commit_after_a_while, logins
from tests.unit.auth.samples import jwt


@pytest.fixture
async def issuer() -> AsyncIterator[Logins]:
    async with logins() as issuer:
        yield issuer


class Clock:
    """Lets no time pass, remembers how much should have, and approves a login after so many waits."""

    def __init__(self, issuer: Logins, approve_after: int = 1) -> None:
        self.waits: list[float] = []
        self.login: DeviceCodeLogin | None = None
        self._issuer = issuer
        self._approve_after = approve_after

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()
        if len(self.waits) == self._approve_after:
            assert self.login is not None
            self._issuer.fake.approve_device(self.login.user_code)
        assert len(self.waits) <= self._approve_after, "it waits although the login is approved"


async def waits_of(issuer: Logins, *, waits: int = 1) -> list[float]:
    """Log in, with approval after so many waits; the seconds of each wait."""
    clock = Clock(issuer, waits)
    clock.login = await issuer.device(sleep=clock.sleep)
    running = issuer.carry_out(clock.login)
    assert await running.result() is None
    assert len(running.committed) == 1
    return clock.waits


# Getting a code


async def test_starting_asks_for_a_code_and_says_where_to_enter_it(issuer: Logins) -> None:
    login = await issuer.device()
    assert UUID(login.login_id).version == 4
    assert login.verification_url == f"{issuer.fake.base_url}/codex/device"
    assert len(login.user_code) == 10
    (request,) = issuer.fake.requests
    assert (request.route, request.fields()) == ("device_usercode", {"client_id": CLIENT_ID})


async def test_the_older_name_of_the_user_code_will_do(issuer: Logins) -> None:
    issuer.fake.fault("device_usercode", json={"device_auth_id": "d", "usercode": "AB-CD"})
    assert (await issuer.device()).user_code == "AB-CD"


async def test_an_issuer_without_device_codes_is_told_apart(issuer: Logins) -> None:
    issuer.fake.fault("device_usercode", status=404)
    with pytest.raises(DeviceCodeNotEnabled) as failure:
        await issuer.device()
    assert failure.value.message == (
        "device code login is not enabled for this Codex server. Use the browser login or verify the server URL."
    )


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        ({"status": 500}, "device code request failed with status 500 Internal Server Error"),
        ({"status": 403}, "device code request failed with status 403 Forbidden"),
        ({"status": 599}, "device code request failed with status 599 <unknown status code>"),
        ({"drop": True}, "error sending request for url ({url}/api/accounts/deviceauth/usercode)"),
        ({"malformed": True}, "device code response is invalid"),
        ({"json": {}}, "device code response is invalid"),
        ({"json": {"device_auth_id": "d", "user_code": 5}}, "device code response is invalid"),
        ({"json": {"device_auth_id": "", "user_code": "c"}}, "device code response is invalid"),
        ({"json": {"device_auth_id": "d", "user_code": ""}}, "device code response is invalid"),
    ],
)
async def test_without_a_code_there_is_no_login(issuer: Logins, effect: dict[str, Any], text: str) -> None:
    issuer.fake.fault("device_usercode", **effect)
    with pytest.raises(DeviceCodeUnavailable) as failure:
        await issuer.device()
    assert failure.value.message == f"failed to request device code: {text.format(url=issuer.fake.base_url)}"


async def test_asking_has_a_time_limit() -> None:
    timeouts = []

    async def send(*_: Any, timeout: float, **__: Any) -> Any:
        timeouts.append(timeout)
        raise OSError("timed out")

    with pytest.raises(DeviceCodeUnavailable, match="timed out"):
        await DeviceCodeLogin.start(OAuthClient(send, "http://issuer", "app"))
    assert timeouts == [30.0]


# The way of a login


async def test_an_approved_login_is_committed_without_an_api_key(issuer: Logins) -> None:
    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login)
    assert await running.result() is None
    (tokens,) = running.committed
    assert tokens.account_id == "acct-1"
    assert tokens.api_key is None
    _, poll, exchange = issuer.fake.requests
    assert set(poll.fields()) == {"device_auth_id", "user_code"}
    assert poll.fields()["user_code"] == login.user_code
    assert exchange.fields()["grant_type"] == "authorization_code"
    assert exchange.fields()["redirect_uri"] == f"{issuer.fake.base_url}/deviceauth/callback"


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        (None, 5.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        (7, 7.0),
        ("2.5", 2.5),
        ("0", 1.0),
        (0, 1.0),
        ("", 5.0),
        ("soon", 5.0),
        ("-3", 5.0),
        (-3, 5.0),
        ("nan", 5.0),
        ("1e999", 5.0),
        (True, 5.0),
        ([7], 5.0),
    ],
)
async def test_the_interval_is_the_issuers_if_it_can_be_read_and_is_no_tight_loop(
    issuer: Logins, interval: Any, seconds: float
) -> None:
    answer = {"device_auth_id": "d", "user_code": "c", **({} if interval is None else {"interval": interval})}
    issuer.fake.fault("device_usercode", json=answer)
    issuer.fake.fault("device_token", status=403)
    waits: list[float] = []
    waiting = anyio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        waiting.set()
        await anyio.sleep_forever()

    running = issuer.carry_out(await issuer.device(sleep=sleep))
    with anyio.fail_after(DEADLINE):
        await waiting.wait()
    await running.cancel()
    assert waits == [seconds]


async def test_the_least_interval_can_be_lowered(issuer: Logins) -> None:
    issuer.fake.configure(device_interval="0.01")
    login = await issuer.device(min_interval=0.01, sleep=anyio.sleep)
    running = issuer.carry_out(login)
    await issuer.fake.requests.wait_for("device_token", count=3)
    issuer.fake.approve_device(login.user_code)
    assert await running.result() is None


@pytest.mark.parametrize("status", [403, 404])
async def test_these_statuses_mean_that_the_user_has_not_decided(issuer: Logins, status: int) -> None:
    issuer.fake.fault("device_token", status=status, times=3)
    assert await waits_of(issuer, waits=3) == [5.0, 5.0, 5.0]


async def test_an_issuer_that_says_so_with_another_status_is_understood(issuer: Logins) -> None:
    issuer.fake.fault("device_token", status=400, json={"error": "authorization_pending"})
    assert await waits_of(issuer) == [5.0]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "slow_down"}),
        (403, {"error": {"code": "slow_down"}}),
        (429, {"code": "slow_down"}),
    ],
)
async def test_slow_down_adds_five_seconds_for_good(issuer: Logins, status: int, body: Any) -> None:
    issuer.fake.fault("device_token", status=status, json=body, times=2)
    assert await waits_of(issuer, waits=3) == [10.0, 15.0, 15.0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
async def test_too_many_requests_and_faults_of_the_issuer_are_waited_out(issuer: Logins, status: int) -> None:
    issuer.fake.fault("device_token", status=status, body="")
    assert await waits_of(issuer) == [5.0]


@pytest.mark.parametrize(("value", "seconds"), [("12", 12.0), ("0.5", 5.0), ("-1", 5.0), ("soon", 5.0), ("", 5.0)])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed_when_it_is_longer(issuer: Logins, status: int, value: str, seconds: float) -> None:
    issuer.fake.fault("device_token", status=status, headers={"Retry-After": value})
    assert await waits_of(issuer) == [seconds]


@pytest.mark.parametrize(("seconds", "usegmt"), [(100, True), (100, False), (-100, True)])
async def test_retry_after_may_be_a_date(issuer: Logins, seconds: int, usegmt: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=usegmt)
    issuer.fake.fault("device_token", status=503, headers={"Retry-After": date})
    (wait,) = await waits_of(issuer)
    assert wait == 5 if seconds < 0 else 90 < wait <= 100


async def test_a_date_without_a_time_zone_is_no_date(issuer: Logins) -> None:
    issuer.fake.fault("device_token", status=503, headers={"Retry-After": "Sat, 21 Nov 2099 08:00:00 -0000"})
    assert await waits_of(issuer) == [5.0]


async def test_a_network_that_fails_for_a_moment_is_not_fatal(issuer: Logins) -> None:
    issuer.fake.fault("device_token", drop=True, times=2)
    assert await waits_of(issuer, waits=2) == [5.0, 5.0]


# Failures


async def test_a_denied_login_ends(issuer: Logins) -> None:
    login = await issuer.device()
    issuer.fake.deny_device(login.user_code)
    running = issuer.carry_out(login)
    assert await running.result() == "device auth failed with status 400 Bad Request"
    assert running.committed == []


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        ({"status": 401}, "device auth failed with status 401 Unauthorized"),
        ({"status": 302, "body": ""}, "device auth failed with status 302 Found"),
        ({"malformed": True}, "error decoding response body"),
        ({"json": {"authorization_code": "c"}}, "error decoding response body"),
        ({"json": {"authorization_code": 1, "code_verifier": "v"}}, "error decoding response body"),
    ],
)
async def test_an_answer_that_cannot_lead_anywhere_ends_the_login(
    issuer: Logins, effect: dict[str, Any], text: str
) -> None:
    issuer.fake.fault("device_token", **effect)
    assert await issuer.carry_out(await issuer.device()).result() == text


TOKENS = {"id_token": jwt({}), "access_token": "a", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (
            {"status": 400, "json": {"error_description": "bad"}},
            "device code exchange failed: token endpoint returned status 400 Bad Request: bad",
        ),
        ({"drop": True}, "device code exchange failed: error sending request for url ({url}/oauth/token)"),
        ({"malformed": True}, "device code exchange failed: OAuth token response is invalid"),
        ({"json": {**TOKENS, "id_token": "x"}}, "invalid ID token format"),
    ],
)
async def test_a_code_that_comes_to_nothing_ends_the_login(issuer: Logins, effect: dict[str, Any], text: str) -> None:
    issuer.fake.fault("token", **effect)
    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login)
    assert await running.result() == text.format(url=issuer.fake.base_url)
    assert running.committed == []


async def test_a_login_of_another_workspace_ends(issuer: Logins) -> None:
    issuer.fake.add_account(Account(account_id="c"), current=True)
    login = await issuer.device(workspaces=("a",))
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login)
    assert await running.result() == "Login is restricted to workspace id(s) a."
    assert running.committed == []


async def test_tokens_that_cannot_be_saved_are_no_success(issuer: Logins) -> None:
    async def refuse(_: ManagedTokens) -> None:
        raise CredentialsNotSaved("No space left on device")

    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    assert await issuer.carry_out(login, refuse).result() == "No space left on device"


@pytest.mark.parametrize("effect", [{"status": 403}, {"hang": True}, {"status": 503}])
async def test_a_login_that_nobody_approves_times_out(issuer: Logins, effect: dict[str, Any]) -> None:
    issuer.fake.fault("device_token", times=None, **effect)
    login = await issuer.device(timeout=0.05)
    assert await issuer.carry_out(login).result() == "device auth timed out after 15 minutes"


# Cancelling


async def test_cancelling_between_two_questions_is_immediate(issuer: Logins) -> None:
    waiting = anyio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await anyio.sleep_forever()

    login = await issuer.device(sleep=sleep)
    running = issuer.carry_out(login)
    await waiting.wait()
    with anyio.fail_after(0.5):
        await running.cancel()
    assert running.cancelled


@pytest.mark.parametrize("route", ["device_token", "token"])
async def test_cancelling_while_the_issuer_is_asked_commits_nothing(issuer: Logins, route: str) -> None:
    issuer.fake.fault(route, hang=True)
    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login)
    await issuer.fake.requests.wait_for(route)
    with anyio.fail_after(0.5):
        await running.cancel()
    issuer.fake.release()
    assert running.cancelled
    assert running.committed == []


async def test_cancelling_during_the_commit_cancels_the_commit(issuer: Logins) -> None:
    committing = anyio.Event()

    async def commit(saved: list[ManagedTokens], tokens: ManagedTokens) -> None:
        committing.set()
        await anyio.sleep_forever()
        saved.append(tokens)

    saved: list[ManagedTokens] = []
    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login, partial(commit, saved))
    await committing.wait()
    await running.cancel()
    assert running.cancelled
    assert saved == running.committed == []


async def test_cancelled_at_any_await_point_it_commits_nothing(issuer: Logins) -> None:
    number = 0
    while True:
        login = await issuer.device()
        issuer.fake.approve_device(login.user_code)
        committed: list[ManagedTokens] = []
        with anyio.CancelScope() as scope:
            await Stepwise(login.run(partial(commit_after_a_while, committed)), number, scope.cancel)
        if not scope.cancel_called:  # it had fewer suspensions than that
            break
        assert scope.cancelled_caught
        assert committed == []
        number += 1
    assert number > 5
    assert len(committed) == 1


@pytest.mark.parametrize("fault", [None, ("device_token", {"drop": True}), ("token", {"status": 400})])
async def test_no_secret_is_logged_or_shown(issuer: Logins, caplog: pytest.LogCaptureFixture, fault: Any) -> None:
    caplog.set_level(logging.DEBUG)
    if fault is not None:
        issuer.fake.fault(fault[0], **fault[1])
    login = await issuer.device()
    issuer.fake.approve_device(login.user_code)
    running = issuer.carry_out(login)
    failure = await running.result()
    poll, exchange = issuer.fake.requests.of("device_token")[0].fields(), issuer.fake.requests.of("token")[0].fields()
    secrets = [poll["device_auth_id"], exchange["code"], exchange["code_verifier"]]
    for tokens in running.committed:
        kept = (tokens.id_token, tokens.access_token, tokens.refresh_token, tokens.login_owner_id)
        secrets += [secret.get_secret_value() for secret in kept if secret is not None]
    shown = "\n".join([caplog.text, str(failure), repr(login), repr(running.committed)])
    assert "HTTP Request" in shown
    assert [secret for secret in secrets if secret in shown] == []
