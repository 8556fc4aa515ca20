"""Addresses, headers and TLS settings are parsed and validated; secrets are never displayed."""

import ssl
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.address import BadServer
from comfytui.comfy.server import Server, parse_header


@pytest.mark.parametrize(
    ("text", "queue", "shown"),
    [
        ("box", "http://box:8188/queue", "box:8188"),
        (" box ", "http://box:8188/queue", "box:8188"),
        ("box:8000", "http://box:8000/queue", "box:8000"),
        ("BOX.lan/", "http://box.lan:8188/queue", "box.lan:8188"),
        ("http://box", "http://box:80/queue", "box:80"),
        ("http://box:8188/", "http://box:8188/queue", "box:8188"),
        ("ws://box:8188", "http://box:8188/queue", "box:8188"),
        ("wss://box", "https://box/queue", "https://box"),
        ("https://box:443", "https://box/queue", "https://box"),
        ("HTTPS://box:8188", "https://box:8188/queue", "https://box:8188"),
        ("box/user/x/proxy/8188/", "http://box:8188/user/x/proxy/8188/queue", "box:8188/user/x/proxy/8188"),
        ("https://host/user/x/proxy/8188", "https://host/user/x/proxy/8188/queue", "https://host/user/x/proxy/8188"),
        ("https://host/user/a b", "https://host/user/a%20b/queue", "https://host/user/a%20b"),
        ("[::1]:8189", "http://[::1]:8189/queue", "[::1]:8189"),
        ("[::1]", "http://[::1]:8188/queue", "[::1]:8188"),
        ("http://box:8188/#workflow", "http://box:8188/queue", "box:8188"),
        ("bücher.example", "http://xn--bcher-kva.example:8188/queue", "xn--bcher-kva.example:8188"),
        ("box?token=s3cret", "http://box:8188/queue?token=s3cret", "box:8188"),
        ("https://me:s3cret@box/p/?token=t&b=2", "https://box/p/queue?token=t&b=2", "https://box/p"),
    ],
)
def test_addresses_are_completed(text: str, queue: str, shown: str) -> None:
    server = Server.from_url(text)
    assert server.http_url("/queue") == queue
    assert server.label == shown


@pytest.mark.parametrize("text", ["box", "http://box", "https://box/p", "https://box:8188", "[::1]:80", "box:1/p"])
def test_the_label_is_an_address_of_the_same_server(text: str) -> None:
    server = Server.from_url(text)
    assert Server.from_url(server.label) == server


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "ws://box:8188/ws?clientId=a%20b"),
        ("https://box/p/?token=s3cret", "wss://box/p/ws?clientId=a%20b&token=s3cret"),
    ],
)
def test_the_websocket_url_is_below_the_base(text: str, url: str) -> None:
    assert Server.from_url(text).ws_url("a b") == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "://box",
        "ftp://box",
        "file:///etc/passwd",
        "http:/box",
        "box:",
        "box:port",
        "box:0",
        "box:65536",
        "box:-1",
        "::1",
        "[::1",
        "http://[nonsense]",
        "my box",
        "bo\nx",
        "bo\x1b[31mx",
        "bo\udce9x",
        "http://box<script>",
        "a" * 64 + ".example",
        "..",
    ],
)
def test_bad_addresses_are_reported_in_one_message(text: str) -> None:
    with pytest.raises(BadServer) as caught:
        Server.from_url(text)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 160


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hunter2/x@box",
        "https://me:hunter2?x@box",
        "https://me:hunter2#x@box",
        "https://me:99/hunter2@box",
        "https://me:hunter2@box:port",
        "me:hunter2@:8188",
        "me:hunter2@bo x",
        "hunter2://me:hunter2@box",
        "https://hunter2:me@[box",
        "https://me:hunter2\x07@box",
    ],
)
def test_a_bad_address_does_not_repeat_the_password(text: str) -> None:
    with pytest.raises(BadServer) as caught:
        Server.from_url(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_no_password_is_ever_displayed(password: str) -> None:
    secret = f"Zq{password}Zq"
    try:
        server = Server.from_url(f"https://me:{secret}@box.example/x")
    except BadServer as error:
        displayed = str(error)
    else:
        displayed = f"{server!r} {server} {server.label} {server.http_url('/x')} {server.ws_url('id')}"
    assert "Zq" not in displayed


def test_a_login_in_the_address_is_basic_auth() -> None:
    server = Server.from_url("https://me%40home:p%2Fä ss@box")
    scheme, _, login = server.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(login).decode()) == ("Basic", "me@home:p/ä ss")


def test_an_authorization_header_overrides_a_login_in_the_address() -> None:
    server = Server.from_url("https://me:pw@box", headers=[("authorization", "Bearer t")])
    assert dict(server.headers) == {"authorization": "Bearer t"}


def test_the_last_of_two_headers_of_one_name_counts() -> None:
    server = Server.from_url("box", headers=[("X-Key", "a"), ("x-key", "b")])
    assert dict(server.headers) == {"x-key": "b"}


def test_the_name_is_the_label() -> None:
    server = Server.from_url("http://me:pw@10.0.0.5:8188/p", name="gpu-box", query="token=t")
    assert (server.label, server.address, server.label_with_address) == (
        "gpu-box",
        "10.0.0.5:8188/p",
        "gpu-box (10.0.0.5:8188/p)",
    )
    assert server.http_url("/queue") == "http://10.0.0.5:8188/p/queue?token=t"


def test_label_and_repr_hold_no_secrets() -> None:
    server = Server.from_url("https://me:s3cret@box/?token=s3cret", headers=[("X-API-Key", "s3cret")])
    assert "s3cret" not in f"{server!r}{server}{server.label}"
    assert b64decode("bWU6czNjcmV0") == b"me:s3cret"
    assert "bWU6czNjcmV0" not in repr(server)


def test_servers_compare_and_hash_by_value() -> None:
    one, other = (Server.from_url("box?t=1", headers=[("A", "b")]) for _ in range(2))
    assert one == other
    assert len({one, other, Server.from_url("box")}) == 2


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost", True),
        ("comfy.localhost", True),
        ("127.0.0.1", True),
        ("127.3.2.1:80", True),
        ("[::1]", True),
        ("0.0.0.0:8188", True),
        ("192.168.1.5", False),
        ("box", False),
        ("localhost.example", False),
    ],
)
def test_loopback_addresses_are_recognised(text: str, loopback: bool) -> None:
    assert Server.from_url(text).loopback is loopback


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("X-API-Key: abc", ("X-API-Key", "abc")),
        ("Authorization:Bearer a:b", ("Authorization", "Bearer a:b")),
        ("  Cookie : a=b; c=d ", ("Cookie", "a=b; c=d")),
        ("X-Empty:", ("X-Empty", "")),
    ],
)
def test_headers_are_split_into_name_and_value(text: str, header: tuple[str, str]) -> None:
    assert parse_header(text) == header


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        ": hunter2",
        "X Key: hunter2",
        "X-Key: hunter2\r\nHost: evil",
        "X-Key: hunter2ä",
        "X-Key: hunter2\x00",
        "Origin: hunter2",
        "host: hunter2",
        "Sec-Fetch-Site: hunter2",
        "Content-Length: hunter2",
        "",
    ],
)
def test_bad_headers_are_reported_without_their_value(text: str) -> None:
    with pytest.raises(BadServer) as caught:
        parse_header(text)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_plain_http_has_no_tls_and_https_verifies_certificates() -> None:
    assert Server.from_url("box").tls is None
    server = Server.from_url("https://box")
    assert server.tls is server.tls
    assert server.tls is not None
    assert server.tls.verify_mode is ssl.CERT_REQUIRED
    assert server.tls.check_hostname


def test_insecure_verifies_no_certificate() -> None:
    tls = Server.from_url("https://box", insecure=True).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("content", [None, "no certificate"])
@pytest.mark.parametrize("option", ["ca", "cert"])
def test_unreadable_certificates_are_reported_at_once(tmp_path: Path, option: str, content: str | None) -> None:
    path = tmp_path / "box.pem"
    if content is not None:
        path.write_text(content)
    files = {option: path}
    with pytest.raises(BadServer, match=r"box\.pem"):
        Server.from_url("https://box", ca=files.get("ca"), cert=files.get("cert"))
