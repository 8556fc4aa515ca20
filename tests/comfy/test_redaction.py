"""Secrets that a server echoes are redacted in errors, events and logs, in whatever encoding."""

import json
import logging
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.server import ServerConnection

from comfytui.comfy.answer_redaction import redacted_event
from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import PromptRefused
from comfytui.comfy.protocol.events import Executed, ExecutionError, Logs, NodeText, Output
from comfytui.comfy.redaction import LogFormatter, Redactor, redactor_of
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.event_stream import stream_events
from comfytui.sanitize import sanitize, sanitize_lines, strip_hidden
from tests.comfy.websocket.test_event_stream import websocket_server
from tests.stub_servers import answering, everywhere, serving

PASSWORD = 'p@ss"w\\örd'
CREDENTIAL_HEADERS = [
    ("Authorization", "Bearer tok/en+1"),
    ("X-API-Key", "k3y-of-mine"),
    ("Cookie", "sid=c00kie-1; theme=dark1"),
]
SECRETS = ("tok/en+1", "k3y-of-mine", "c00kie-1", "qu3ry value")


def server_at(url: str) -> Server:
    return Server.from_url(f"{url}/?token=qu3ry%20value", headers=CREDENTIAL_HEADERS)


def with_login(url: str = "http://box") -> Server:
    return Server.from_url(url.replace("://", f"://me:{quote(PASSWORD, safe='')}@"))


def encodings_of(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), b64encode(secret.encode()).decode()


def echo() -> str:
    """Return what a server may echo of the secrets."""
    forms = [
        form for secret in SECRETS for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode())
    ]
    return " ".join([*forms, "Bearer tok/en+1", "GET /api/prompt?token=qu3ry%20value HTTP/1.1", "sid=c00kie-1;"])


def assert_redacted(value: object) -> None:
    shown = str(value)
    assert "***" in shown
    for secret in SECRETS:
        for form in encodings_of(secret):
            assert form not in shown


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        f"me:{PASSWORD}",
        quote(PASSWORD, safe=""),
        quote(PASSWORD, safe="").lower(),
        b64encode(f"me:{PASSWORD}".encode()).decode(),
        json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
        repr(PASSWORD)[1:-1],
    ],
)
def test_a_password_is_redacted_in_every_encoding(form: str) -> None:
    assert Redactor(with_login()).text(f"<<{form}>>") == "<<***>>"


def test_user_names_and_values_too_short_for_a_secret_are_not_redacted() -> None:
    server = Server.from_url("http://me:abc@box", headers=[("X-Mode", "on")])
    assert Redactor(server).text("me, on abc") == "me, on abc"


def test_without_secrets_no_text_is_redacted() -> None:
    assert Redactor(Server.from_url("box")).text("a *** b") == "a *** b"


ORDINARY = "default is not in the default list of ComfyUI 0.33: application/json, comfy, comfyui-team"


@pytest.mark.parametrize(
    "options",
    [
        {"headers": [("comfy-user", "default")]},
        {"headers": [("X-Tenant", "comfy")]},
        {"headers": [("X-Team", "comfyui-team")]},
        {"headers": [("Accept", "application/json")]},
        {"headers": [("Cookie", "theme=default; from=comfyui")]},
        {"query": "user=default&team=comfyui-team"},
    ],
)
def test_ordinary_values_of_headers_and_queries_are_not_redacted(options: dict[str, Any]) -> None:
    assert Redactor(Server.from_url("box", **options)).text(ORDINARY) == ORDINARY


@pytest.mark.parametrize(
    "options",
    [
        {"headers": [("X-API-Key", "comfy")]},
        {"headers": [("Authorization", "Bearer comfy")]},
        {"headers": [("Cookie", "theme=dark; sid=comfy")]},
        {"query": "size=2&access_token=comfy"},
    ],
)
def test_a_short_secret_is_redacted_only_as_a_whole_word(options: dict[str, Any]) -> None:
    redactor = Redactor(Server.from_url("box", **options))
    assert redactor.text("key=comfy, ComfyUI, Comfyx comfy") == "key=***, ComfyUI, Comfyx ***"
    for before in ("%20", r"\n", r"\x1b", r"\u00e4", "\x1b[m", "\x1b[1;31m", "_"):
        assert redactor.text(f"a{before}comfy!") == f"a{before}***!"


def test_only_secret_cookies_of_the_server_are_redacted() -> None:
    server = Server.from_url("box")
    server.cookies.snapshot = (("theme", "midnight"), ("sid", "midnight-blue"), ("x", "6f9619ff8b86"))
    assert Redactor(server).text("midnight; midnight-blue; 6f9619ff8b86") == "midnight; ***; ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CF-Access-Client-Id", "5f3a9c1b.access"),
        ("comfy-user", "anna_6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("X-Tenant", "correct horse battery staple"),
        ("X-Tenant", "qwertyuiopasdfghjklzxcvbnm"),
        ("X-Tenant", "20261126"),
    ],
)
def test_a_random_looking_value_is_redacted_whatever_its_name(name: str, value: str) -> None:
    redactor = Redactor(Server.from_url("box", headers=[(name, value)]))
    assert redactor.text(f"no: {value}; {quote(value)}") == "no: ***; ***"
    assert Redactor(Server.from_url("box", query=f"{name}={quote(value)}")).text(f"no: {value}.") == "no: ***."


async def test_a_rejection_that_echoes_the_request_is_redacted() -> None:
    error = {"type": "x", "message": echo(), "details": echo()}
    body: dict[str, Any] = {"error": error, "node_errors": {"1": {"class_type": "K", "errors": [error]}}}
    async with serving(everywhere(answering(body, 400))) as url, ComfyClient(server_at(url)) as client:
        with pytest.raises(PromptRefused) as caught:
            await client.submit({}, prompt_id="p", client_id="me", tag={})
    assert_redacted(caught.value)
    assert_redacted(caught.value.node_errors)


async def test_node_warnings_and_history_errors_are_redacted() -> None:
    errors = {"1": {"class_type": "K", "errors": [{"message": echo(), "details": echo()}]}}
    failure = {"node_id": "1", "exception_message": echo(), "traceback": [echo()], "prompt_id": "p"}
    entry = {
        "prompt": [1, "p", {"1": {"inputs": {"text": SECRETS[0]}}}, {}, []],
        "outputs": {"9": {"text": [echo()]}},
        "status": {"status_str": "error", "messages": [["execution_error", failure]]},
    }
    body = {"prompt_id": "p", "number": 1, "node_errors": errors}
    routes = everywhere(answering(body)) | {"GET /api/history/p": answering({"p": entry})}
    async with serving(dict(reversed(routes.items()))) as url, ComfyClient(server_at(url)) as client:
        assert_redacted((await client.submit({}, prompt_id="p", client_id="me", tag={})).node_errors)
        found = await client.history_entry("p")
    assert found is not None
    assert_redacted(found.error)
    assert_redacted(found.text)
    assert SECRETS[0] in str(found.item.graph)  # It may be submitted again.


async def test_texts_of_frames_are_redacted() -> None:
    output = {"text": [echo()], "images": [{"filename": SECRETS[1]}]}
    frames: list[tuple[str, dict[str, Any]]] = [
        ("execution_error", {"prompt_id": "p", "exception_message": echo(), "traceback": [echo()]}),
        ("logs", {"entries": [{"m": echo()}]}),
        ("executed", {"prompt_id": "p", "node": "9", "output": output}),
    ]

    async def handle(connection: ServerConnection) -> None:
        for kind, data in frames:
            await connection.send(json.dumps({"type": kind, "data": data}))
        await connection.send(b"\0\0\0\3\0\0\0\1" + b"9" + echo().encode())

    async with websocket_server(handle) as url, aclosing(stream_events(server_at(url), "me")) as stream:
        received = [await anext(stream) for _ in range(5)][1:]
    assert [type(event) for event in received] == [ExecutionError, Logs, Executed, NodeText]
    for event in received:
        match event:
            case Executed(outputs=outputs, text=text):
                assert outputs == (Output(SECRETS[1], node="9"),)  # The name is sent back to the server.
                assert_redacted(text)
            case _:
                assert_redacted(event)


async def test_a_session_cookie_of_the_server_is_redacted() -> None:
    body = {"error": "no: session=abc-def-123"}
    routes = everywhere(answering(body, 400, Set_Cookie="session=abc-def-123; Path=/"))
    async with serving(routes) as url, ComfyClient(Server.from_url(url)) as client:
        with pytest.raises(PromptRefused, match=r"no: session=\*\*\*"):
            await client.submit({}, prompt_id="p", client_id="me", tag={})


LOGIN = "Basic " + b64encode(b"me:hunter2 secret?>").decode()


@pytest.mark.parametrize(
    "split",
    [
        "hun\u200bter2 secret?>",
        "hunter2\u2060 secret?\u00ad>",
        "hun\x1b[31mter2 secret?>",
        "hunter2 sec\x1b]0;title\nof two lines\x07ret?>",
        "hunter2 sec\x00ret?>",
        "hunter2\r\nsecret?>",
        "hun\u200dter2\u2028secret?>",
        "h\ufe0funter2 secret?>",
    ],
)
@pytest.mark.parametrize("shown", [sanitize, sanitize_lines, strip_hidden])
def test_a_secret_that_appears_only_after_sanitizing_is_redacted(split: str, shown: Callable[[str], str]) -> None:
    redactor = Redactor(Server.from_url("box", headers=[("Authorization", LOGIN)]))
    redacted = shown(redactor.text(f"first\n\tno: {split}!"))
    assert "hunter2" not in redacted
    assert "no: ***!" in redacted


def test_a_text_without_secrets_is_returned_unchanged() -> None:
    text = "\x1b[31mCUDA\x1b[m error\n\tin \u200bline 3\r\n"
    assert Redactor(server_at("http://box")).text(text) == text


def test_a_secret_with_hidden_characters_is_redacted_raw_and_as_displayed() -> None:
    redactor = Redactor(Server.from_url("box", headers=[("X-API-Key", "k3y\u00adof\u200bmine")]))
    assert redactor.text("k3y\u00adof\u200bmine k3yofmine") == "*** ***"


@pytest.mark.parametrize(
    "form",
    [
        b64encode(b"me:hunter2 secret?>").decode().rstrip("="),
        urlsafe_b64encode(b"me:hunter2 secret?>").decode(),
        urlsafe_b64encode(b"hunter2 secret?>").decode(),
        b64encode(b"hunter2 secret?>").decode().rstrip("="),
        "hunter2%20secret%3f%3e",
        "hunter2%20secret%3F%3e",
        "hunter2+secret%3f%3E",
    ],
)
def test_a_login_is_redacted_in_other_encodings(form: str) -> None:
    redactor = Redactor(Server.from_url("box", headers=[("Authorization", LOGIN)]))
    assert redactor.text(f"<<{form}>>") == "<<***>>"


async def test_names_of_the_graph_are_kept_and_other_names_redacted() -> None:
    graph = {SECRETS[1]: {"class_type": "K", "inputs": {SECRETS[1]: 1}}}
    error = {"message": "no", "details": "", "extra_info": {"input_name": SECRETS[1]}}
    of_server = {"message": "no", "details": "", "extra_info": {"input_name": echo()}}
    errors = {
        SECRETS[1]: {"class_type": "K", "errors": [error]},
        f"9 {SECRETS[2]}": {"class_type": f"Class_{SECRETS[2]}", "errors": [of_server]},
    }
    body: dict[str, Any] = {"error": {"type": "x", "message": "no"}, "node_errors": errors}
    async with serving(everywhere(answering(body, 400))) as url, ComfyClient(server_at(url)) as client:
        with pytest.raises(PromptRefused) as caught:
            await client.submit(graph, prompt_id="p", client_id="me", tag={})
    own, other = caught.value.node_errors
    assert (own.node_id, own.class_type, own.input_name) == (SECRETS[1], "K", SECRETS[1])
    assert (other.node_id, other.class_type) == ("9 ***", "Class_***")
    assert_redacted(other)


def test_id_and_class_of_the_node_that_raised_are_redacted() -> None:
    error = ExecutionError("p", node_id="k3y-of-mine", node_type="Node_k3y-of-mine")
    redacted = redacted_event(Redactor(server_at("http://box")), error)
    assert redacted == ExecutionError("p", node_id="***", node_type="Node_***")


async def test_the_version_of_a_server_is_redacted() -> None:
    memory = {"ram_total": 1, "ram_free": 1}
    body = {"system": {"comfyui_version": "0.33 k3y-of-mine", **memory}, "devices": []}
    routes = everywhere(answering(body))
    async with serving(routes) as url, ComfyClient(server_at(url)) as client:
        assert (await client.system_stats()).version == "0.33 ***"


def test_previous_credentials_are_still_redacted() -> None:
    first = server_at("http://box")
    second = first.with_authorization("Bearer s3cond-login")
    third = second.with_authorization("Bearer th1rd-login")
    redactor_of(first)
    redactor_of(second, first)
    redactor_of(third, second)
    assert redactor_of(third).text("tok/en+1 s3cond-login th1rd-login") == "*** *** ***"


def test_log_records_are_redacted_for_all_credentials() -> None:
    server = server_at("http://box")
    for login in (server, server.with_authorization("Bearer later-login")):
        redactor_of(login)
    try:
        raise RuntimeError(f"{echo()} later-login")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "to %s", (echo(),), sys.exc_info())
    redacted = LogFormatter("%(message)s").format(record)
    assert "RuntimeError" in redacted
    assert_redacted(redacted)
    assert "later-login" not in redacted
