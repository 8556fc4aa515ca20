"""Servers that require a login, at the start and later, for HTTP and the WebSocket."""

from typing import Any

import pytest

from comfytui.comfy.address import BadServer
from comfytui.comfy.server import basic_auth
from comfytui.service.service import SessionService
from comfytui.session.connection.inputs import ErrorKind, RequestError, RequestUnauthorised
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from comfytui.ui.screens.login import LOGIN_REFUSED, LOGIN_REQUIRED, LoginScreen, authorization
from tests.comfy.auth_servers import AuthServer
from tests.ui.screen import SIZES, Screen, screen


async def log_in(it: Screen, *, user: str = "", password: str = "", token: str = "") -> None:
    """Fill the fields in from the first to the last, and press enter in the last one."""
    for text in (user, password, token):
        await it.press(*text)
        await it.press("tab")
    await it.press("shift+tab", "enter")


@pytest.mark.parametrize("size", SIZES)
async def test_wrong_login_is_asked_for_again(size: tuple[int, int]) -> None:
    auth_server = AuthServer(lambda request: request.headers.get("Authorization") == basic_auth("me:secret"))
    async with auth_server.open() as server, screen(server.base, size) as it:
        await it.shows(LOGIN_REQUIRED)
        assert f"Log in to {server.address}" in it.text
        await log_in(it, user="me", password="wrong")
        await it.shows(LOGIN_REFUSED)
        assert "me" in it.text.split("User")[1].split()
        await it.press(*"secret")
        assert "secret" not in it.text
        await it.press("enter")
        await it.shows("live")
        assert LOGIN_REFUSED not in it.text
    assert {path for path, welcome in auth_server.seen if welcome} >= {"/api/prompt", "/ws"}


async def test_token_is_accepted_as_login() -> None:
    auth_server = AuthServer(lambda request: request.headers.getall("Authorization", []) == ["Bearer t0ken"])
    async with auth_server.open() as server, screen(server.base.replace("//", "//me:old@")) as it:
        await it.shows(LOGIN_REFUSED)
        await log_in(it, token="t0ken")
        await it.shows("live")


async def test_cancelled_login_ends_program_like_unreachable_server() -> None:
    auth_server = AuthServer(lambda _: False)
    async with auth_server.open() as server:
        async with screen(server.base) as it:
            await it.shows(LOGIN_REQUIRED)
            await it.press("escape")
            await it.until(lambda: it.app.return_code == 1, "the end")
        async with screen(None) as it:
            await it.write("url", server.base)
            await it.press("enter")
            await it.shows(LOGIN_REQUIRED)
            await it.press("escape")
            await it.shows("log in when comfytui asks")


@pytest.mark.parametrize("status", [403, 302])
async def test_other_statuses_ask_for_no_login(status: int) -> None:
    async with AuthServer(lambda _: False, status).open() as server, screen(server.base) as it:
        await it.until(lambda: it.app.return_code == 1, "the end")


async def test_expired_login_is_renewed_and_pending_batch_submitted() -> None:
    async with SimServer(SimConfig(steps_per_second=0, load_seconds=0)) as sim, screen(sim.url) as it:
        await it.shows("dreamshaper_8")
        for field, text in (("width", "64"), ("height", "64"), ("images", "2")):
            await it.write(field, text)
        refused = sim.faults.fail(401)
        await it.press("f5")
        await it.shows(LOGIN_REQUIRED)
        await it.press("escape")
        await it.shows("Not logged in: ctrl+r to log in.")
        await it.shows("unauthorised")
        assert "reconnects now" not in it.text
        assert it.app.return_code is None
        await it.press("escape", "ctrl+r")
        await it.shows(LOGIN_REQUIRED)
        await log_in(it, user="me", password="wrong")
        await it.shows(LOGIN_REFUSED)
        refused.end()
        await it.press(*"right", "enter")
        await it.shows("2 of 2 done")
        assert len(sim.submitted) == 2


async def test_late_refusal_of_earlier_request_asks_for_no_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give = SessionService.log_in

    def refused_late(service: SessionService, *login: Any) -> None:
        give(service, *login)
        late = RequestError(ErrorKind.LOGIN_REQUIRED, "The server refused what was asked before.")
        service._connection._driver.take(RequestUnauthorised(late))

    monkeypatch.setattr(SessionService, "log_in", refused_late)
    async with SimServer(SimConfig(steps_per_second=0, load_seconds=0)) as sim:
        refused = sim.faults.fail(401)
        async with screen(sim.url) as it:
            await it.shows(LOGIN_REQUIRED)
            refused.end()
            await log_in(it, token="t0ken")
            await it.shows("live")
            await it.shows("dreamshaper_8")
            await it.press("f1")
            assert not [each for each in it.app.screen_stack if isinstance(each, LoginScreen)]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (("me", "pass:word", ""), basic_auth("me:pass:word")),
        ((" me ", " p ", ""), basic_auth("me: p ")),
        (("me", "", ""), basic_auth("me:")),
        (("me", "ä€", ""), basic_auth("me:ä€")),
        (("", "", " t "), "Bearer t"),
    ],
)
def test_a_login_or_a_token_becomes_an_authorization_header(given: tuple[str, str, str], value: str) -> None:
    assert authorization(*given) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("", "", ""), "Enter a user and password, or a token."),
        (("", "secret", ""), "Enter a user and password, or a token."),
        (("me", "secret", "secret"), "not both"),
        (("", "secret", "secret"), "not both"),
        (("me:secret", "x", ""), "cannot contain a colon"),
        (("", "", "secret\u20ac"), "not allowed in a header"),
        (("", "", "a\nb"), "not allowed in a header"),
    ],
)
def test_invalid_login_is_reported(given: tuple[str, str, str], message: str) -> None:
    with pytest.raises(BadServer, match=message) as caught:
        authorization(*given)
    assert "secret" not in str(caught.value)
