"""Each login method of the config file, against servers that require it on HTTP and in the WebSocket handshake."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import Unauthorized
from comfytui.comfy.server import Server, parse_header
from comfytui.config.config import read_config
from tests.comfy.auth_servers import AuthServer, check_access, first_event

LOGIN = "Basic " + b64encode("me:s3cret ä".encode()).decode()
Check = Callable[[web.Request], bool]


def header(name: str, value: str) -> Check:
    return lambda request: request.headers.getall(name, []) == [value]


METHODS: dict[str, tuple[str, Check]] = {
    "bearer": ('token = "s3cret"', header("Authorization", "Bearer s3cret")),
    "bearer from the environment": ('token_env = "BOX_TOKEN"', header("Authorization", "Bearer s3cret-e")),
    "bearer from a program": ('token_command = ["echo", "s3cret-c"]', header("Authorization", "Bearer s3cret-c")),
    "basic": ('user = "me"\npassword = "s3cret ä"', header("Authorization", LOGIN)),
    "basic from a program": (
        'user = "me"\npassword_command = ["printf", "s3cret ä\\\\nmore\\\\n"]',
        header("Authorization", LOGIN),
    ),
    "user alone": ('user = "me"', header("Authorization", "Basic " + b64encode(b"me:").decode())),
    "headers": (
        'headers = { CF-Access-Client-Id = "id", CF-Access-Client-Secret = { env = "BOX_TOKEN" } }',
        lambda request: (
            request.headers.get("CF-Access-Client-Id") == "id"
            and request.headers.get("CF-Access-Client-Secret") == "s3cret-e"
        ),
    ),
    "cookies": (
        'cookies = { session = "s3cret", other = { command = ["echo", "b=2"] } }',
        lambda request: dict(request.cookies) == {"session": "s3cret", "other": "b=2"},
    ),
    "query": (
        'query = { token = "s3 cret&ä=+/", b = { env = "BOX_TOKEN" } }',
        lambda request: request.query.get("token") == "s3 cret&ä=+/" and request.query.get("b") == "s3cret-e",
    ),
    "all at once": (
        'token = "s3cret"\nheaders = { X-Key = "k" }\ncookies = { a = "b" }\nquery = { q = "r" }',
        lambda request: (
            request.headers["Authorization"] == "Bearer s3cret"
            and (request.headers["X-Key"], request.cookies["a"], request.query["q"]) == ("k", "b", "r")
        ),
    ),
}


def named_server(folder: Path, url: str, keys: str = "") -> Server:
    """Write a config file with the server `box`, and return that server."""
    file = folder / "config.toml"
    file.write_text(f'[servers.box]\nurl = "{url}"\n{keys}\n')
    return read_config(file).resolve("box")


@pytest.mark.parametrize("prefix", ["", "/user/x/proxy/8188"])
@pytest.mark.parametrize("method", METHODS)
async def test_a_login_method_is_accepted_on_http_and_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, prefix: str
) -> None:
    monkeypatch.setenv("BOX_TOKEN", "s3cret-e")
    keys, check = METHODS[method]
    auth_server = AuthServer(check)
    async with auth_server.open(prefix):
        server = named_server(tmp_path, auth_server.url, keys)
        await check_access(server)
    assert auth_server.seen == {(f"{prefix}/api/prompt", True): 2, (f"{prefix}/ws", True): 1}
    assert server.label == "box"
    assert "s3cret" not in f"{server!r} {server.label} {server.label_with_address}"


async def test_login_and_query_of_the_url_are_sent(tmp_path: Path) -> None:
    auth_server = AuthServer(
        lambda request: request.query_string.endswith("t=1&u=2") and "Authorization" in request.headers
    )
    async with auth_server.open():
        url = auth_server.url.replace("//", "//me:s3cret@") + "/?t=1"
        await check_access(named_server(tmp_path, url, 'query = { u = "2" }'))
    assert not [path for path, welcome in auth_server.seen if not welcome]


async def test_headers_of_the_command_line_take_precedence(tmp_path: Path) -> None:
    auth_server = AuthServer(header("Authorization", "Bearer newer"))
    async with auth_server.open():
        named_server(tmp_path, auth_server.url, 'token = "older"')
        given = [parse_header("authorization: Bearer newer")]
        await check_access(read_config(tmp_path / "config.toml").resolve("box", headers=given))
    assert not [path for path, welcome in auth_server.seen if not welcome]


@pytest.mark.parametrize("status", [401, 403, 302])
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (None, "asks for a login ({}): {}add the server and its login to the config file"),
        ("", "box asks for a login ({}): set token, user and password, headers or cookies in [servers.box]"),
        ('token = "s3cret"', "box refused this login ({}): set token"),
    ],
)
async def test_a_rejected_login_says_what_to_set(tmp_path: Path, status: int, keys: str | None, message: str) -> None:
    auth_server = AuthServer(lambda _: False, status)
    async with auth_server.open() as nameless:
        server = nameless if keys is None else named_server(tmp_path, auth_server.url, keys)
        async with ComfyClient(server) as client:
            with pytest.raises(Unauthorized) as over_http:
                await client.queue_count()
        with pytest.raises(Unauthorized) as at_the_socket:
            await first_event(server)
    dialog = "log in when comfytui asks for it, or " if status == 401 else "give --header, or "
    assert message.format(status, dialog) in str(over_http.value)
    assert str(at_the_socket.value) == str(over_http.value)
    assert "s3cret" not in str(over_http.value)
    assert auth_server.seen == {("/api/prompt", False): 1, ("/ws", False): 1}
