"""The proxy of the environment is used for other machines, never for this one, by HTTP and websocket alike."""

from base64 import b64encode
from urllib.parse import urlsplit

import pytest

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import Unauthorized, Unreachable
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.server import Server
from tests.comfy.auth_servers import AuthServer, RecordingProxy, check_access, closed_reason
from tests.stub_servers import answering, everywhere, serving, unused_port

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "socks_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "server", "proxy"),
    [
        ({}, "box", None),
        ({"http_proxy": "http://p:1"}, "box", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https://box", "http://p:1"),
        ({"http_proxy": "p:1"}, "box", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "https://box", None),
        ({"https_proxy": "http://p:1"}, "box", None),
        ({"all_proxy": "http://p:1"}, "box", "http://p:1"),
        ({"all_proxy": "http://p:1", "http_proxy": "http://q:1"}, "box", "http://q:1"),
        ({"all_proxy": "http://p:1", "http_proxy": ""}, "box", "http://p:1"),
        ({"all_proxy": "http://p:1", "no_proxy": "box"}, "box", None),
        ({"all_proxy": "http://p:1", "no_proxy": "lan"}, "box.lan", None),
        ({"all_proxy": "http://p:1", "no_proxy": "*"}, "box", None),
        ({"all_proxy": "http://p:1", "no_proxy": "box:8000"}, "box:8188", "http://p:1"),
        ({"all_proxy": "http://p:1"}, "127.0.0.1", None),
        ({"all_proxy": "http://p:1"}, "localhost", None),
        ({"all_proxy": "http://p:1"}, "0.0.0.0:8188", None),
        ({"all_proxy": "http://p:1"}, "[::1]", None),
        ({"all_proxy": "http://p:1"}, "[fe80::1]:8188", "http://p:1"),
    ],
)
def test_the_environment_decides_the_proxy_of_a_server(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], server: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(Server.from_url(server)) == proxy


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
async def test_remote_servers_are_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    auth_server = AuthServer(lambda request: request.headers.get("X-Key") == "k")
    async with auth_server.open() as server, RecordingProxy(urlsplit(server.base).port or 0).open() as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("//", "//me:s3cret@"))
        await check_access(Server.from_url("box.invalid:8188", headers=[("X-Key", "k")]))
    assert proxy.requests == [("GET", "http://box.invalid:8188/api/prompt"), ("CONNECT", "box.invalid:8188")]
    assert proxy.logins == ["Basic " + b64encode(b"me:s3cret").decode()] * 2
    assert auth_server.seen == {("/api/prompt", True): 2, ("/ws", True): 1}


async def test_loopback_servers_are_reached_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    auth_server = AuthServer(lambda _: True)
    async with auth_server.open() as server, RecordingProxy(urlsplit(server.base).port or 0).open() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await check_access(server)
        await check_access(Server.from_url(server.base.replace("127.0.0.1", "localhost")))
    assert not proxy.requests
    assert auth_server.seen == {("/api/prompt", True): 4, ("/ws", True): 2}


async def test_an_unreachable_proxy_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:hunter2@127.0.0.1:{await unused_port()}")
    async with ComfyClient(Server.from_url("box.invalid:8188")) as client:
        with pytest.raises(Unreachable, match=r"proxy .* add box\.invalid to NO_PROXY") as caught:
            await client.queue_count()
    assert await closed_reason(Server.from_url("box.invalid:8188")) == str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_proxy_that_refuses_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(everywhere(answering("no", 502))) as url:
        monkeypatch.setenv("https_proxy", url)
        async with ComfyClient(Server.from_url("https://box.invalid")) as client:
            with pytest.raises(Unreachable, match="proxy"):
                await client.queue_count()
        assert "proxy" in await closed_reason(Server.from_url("https://box.invalid"))


async def test_a_proxy_that_requires_a_login_is_reported_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(everywhere(answering("no", 407))) as url:
        monkeypatch.setenv("http_proxy", url)
        async with ComfyClient(Server.from_url("box.invalid")) as client:
            with pytest.raises(Unauthorized, match=r"box\.invalid:8188 asks for a login \(407\): .* in HTTP_PROXY"):
                await client.queue_count()
        assert "proxy" in await closed_reason(Server.from_url("box.invalid"))


@pytest.mark.parametrize("proxy", ["http://[", "http://p:port"])
async def test_an_invalid_proxy_url_is_reported(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    assert "proxy" in await closed_reason(Server.from_url("box.invalid:8188"))
