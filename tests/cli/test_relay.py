"""`comfytui relay` as a process: what it prints, what it serves, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from comfytui.cli.exit_codes import ExitCode
from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.threaded_servers import threaded_server, unused_port

RELAY = (sys.executable, "-m", "comfytui", "relay")
TIMEOUT = 60
MOST_SECONDS_TO_END = 5.0
"""On a busy machine; else it is one."""


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def comfyui() -> Iterator[str]:
    """The URL of a ComfyUI."""
    with EmbeddedServer(SimConfig()) as server:
        yield server.url


class Process:
    """A relay that runs; `url` is where."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*RELAY, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stderr
        self.first_line = self.process.stderr.readline().rstrip()
        self.url = self.first_line.rpartition(" ")[2]

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal, and return the exit code and the rest of both outputs."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


@contextmanager
def relay_process(*arguments: str) -> Iterator[Process]:
    running = Process(*arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.communicate()


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*RELAY, *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, ExitCode.INTERRUPTED)])
def test_it_says_where_it_serves_and_ends_with_a_signal(comfyui: str, number: signal.Signals, code: int) -> None:
    with relay_process(comfyui, "--port", "0") as relay:
        name = comfyui.removeprefix("http://")
        assert re.fullmatch(rf"The relay of {name} serves at http://127\.0\.0\.1:[0-9]+", relay.first_line)
        answer = httpx.get(f"{relay.url}/api/progress", trust_env=False).json()
        assert answer["events"] == []
        assert relay.end(number) == (code, "", "")


def test_streams_end_when_the_relay_is_told_to_stop(comfyui: str) -> None:
    with (
        relay_process(comfyui, "--port", "0") as relay,
        httpx.stream("GET", f"{relay.url}/api/generate/progress", trust_env=False, timeout=TIMEOUT) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
        relay.process.send_signal(signal.SIGTERM)
        assert ": the relay stops" in list(lines)
        assert relay.process.wait(TIMEOUT) == 0


def test_half_sent_requests_do_not_keep_the_relay_from_ending(comfyui: str) -> None:
    head = b"GET /api/queue HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    body = b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    with relay_process(comfyui, "--port", "0") as relay, ExitStack() as stack:
        address = httpx.URL(relay.url)
        for sent in (head, body) * 40:
            connection = socket.create_connection((address.host, address.port or 0))
            stack.enter_context(connection).sendall(sent)
        assert httpx.get(f"{relay.url}/healthz", trust_env=False).status_code == 200
        began = time.monotonic()
        assert relay.end(signal.SIGTERM) == (0, "", "")
        assert time.monotonic() - began < MOST_SECONDS_TO_END


def test_a_server_that_cannot_be_reached_does_not_end_the_relay() -> None:
    address = f"127.0.0.1:{unused_port()}"
    with relay_process(address, "--port", "0") as relay:
        assert relay.process.stderr
        line = relay.process.stderr.readline()
        assert line.startswith(f"Nothing listens at {address}: ")
        assert httpx.get(f"{relay.url}/api/progress", trust_env=False).status_code == 200
        assert relay.end(signal.SIGTERM)[0] == 0


def test_a_login_that_the_server_requires_is_told_once() -> None:
    with threaded_server(401) as server, relay_process(server.url, "--port", "0") as relay:
        assert relay.process.stderr
        name = server.url.removeprefix("http://")
        assert relay.process.stderr.readline() == (
            f"{name} asks for a login: give --header, or add the login to the config file.\n"
        )
        deadline = time.monotonic() + TIMEOUT
        while len(server.requests) < 2:  # A socket and a poll.
            assert time.monotonic() < deadline, "It is not asked again"
            time.sleep(0.05)
        code, _, err = relay.end(signal.SIGTERM)
        assert (code, err) == (0, "")


FAILING = """
from comfytui.headless.feed import Feed

def fail(self, state):
    raise LookupError("no luck")

Feed.update = fail

from comfytui.cli.main import main

main()
"""


def test_a_session_that_stops_by_itself_ends_the_relay(comfyui: str) -> None:
    failing = [sys.executable, "-c", FAILING, "relay", comfyui, "--port", "0"]
    done = subprocess.run(failing, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    serves, *rest = done.stderr.splitlines()
    assert serves.startswith("The relay of ")
    assert rest == ["Error: The session of the relay has stopped (LookupError: no luck): start it again."]
    assert (done.returncode, done.stdout) == (ExitCode.FAILED, "")


def test_a_port_that_is_taken_is_said_in_one_sentence(comfyui: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(comfyui, "--port", str(port))
    assert (done.returncode, done.stdout) == (ExitCode.FAILED, "")
    assert done.stderr == (
        f"Error: The relay cannot listen on 127.0.0.1 port {port} (Address already in use): "
        "choose another --host or --port.\n"
    )


@pytest.mark.parametrize("library", ["aiohttp", "aiohttp_sse"])
def test_without_its_libraries_it_says_what_to_install(tmp_path: Path, comfyui: str, library: str) -> None:
    (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError(name={library!r})")
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [*RELAY, comfyui],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.stderr == f"Error: The relay needs {library}: run pip install 'comfytui[relay]'.\n"
    assert done.returncode == ExitCode.FAILED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token-env", "A", "--token-command", "b"], "Give --token-env or --token-command, not both."),
        (["--token-env", "NO_SUCH_TOKEN"], "--token-env: the variable NO_SUCH_TOKEN is not set in the environment."),
        (["--token-command", "false"], "--token-command: the command ended with code 1; run it by hand to see why."),
        (["--token-command", "'"], "--token-command: a quotation mark is not closed."),
        (["--token-command", ""], "--token-command: "),
    ],
)
def test_a_token_that_cannot_be_read_is_a_usage_error(comfyui: str, arguments: list[str], message: str) -> None:
    done = run(comfyui, *arguments)
    assert done.returncode == ExitCode.USAGE
    assert f"Error: {message}" in done.stderr


NO_TOKEN = "a token has printable ASCII characters and no spaces, and at least one."


@pytest.mark.parametrize(
    "text", ["two words", "tab\there", "bell\a", "\x1b[31mred", "schlüssel", "nb\xa0sp", " ", "\t"]
)
def test_a_text_that_no_client_could_send_is_no_token(
    comfyui: str, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELAY_TOKEN", text)
    (tmp_path / "token").write_text(f"{text}\n", encoding="utf-8")
    for option, value in (("--token-env", "RELAY_TOKEN"), ("--token-command", f"cat {tmp_path / 'token'}")):
        done = run(comfyui, "--port", "0", option, value)
        assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
        assert done.stderr.endswith(f"Error: {option}: {NO_TOKEN}\n")
        assert not text.strip() or text not in done.stderr


def test_white_space_around_a_token_is_no_part_of_it(
    comfyui: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELAY_TOKEN", " s3cret \n")
    (tmp_path / "token").write_bytes(b"\t s3cret \r\n and more")
    for option, value in (("--token-env", "RELAY_TOKEN"), ("--token-command", f"cat {tmp_path / 'token'}")):
        with relay_process(comfyui, "--port", "0", option, value) as relay:
            shown = {"Authorization": "Bearer s3cret"}
            assert httpx.get(f"{relay.url}/api/queue", headers=shown, trust_env=False).status_code == 200


def test_another_address_needs_a_token(comfyui: str) -> None:
    done = run(comfyui, "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == ExitCode.USAGE
    assert (
        "Error: A relay that listens on an address other than 127.0.0.1 needs a token (--token-env or --token-command)."
    ) in done.stderr


def test_what_is_no_origin_is_a_usage_error(comfyui: str) -> None:
    done = run(comfyui, "--allow-origin", "app.example/", "--port", "0")
    assert done.returncode == ExitCode.USAGE
    assert "Error: app.example/ is not an origin such as https://example.org." in done.stderr


def test_the_token_lets_in_and_is_never_shown(comfyui: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token, log = "one-that-nobody-sees", tmp_path / "log"
    monkeypatch.setenv("RELAY_TOKEN", token)
    monkeypatch.setenv("COMFYTUI_LOG", str(log))
    with relay_process(comfyui, "--port", "0", "--token-env", "RELAY_TOKEN") as relay:
        with httpx.Client(base_url=relay.url, trust_env=False, timeout=TIMEOUT) as client:
            assert client.get("/api/progress").status_code == 401
            assert client.get("/api/progress", params={"token": token}).status_code == 200
            assert client.get("/api/progress", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            texts = [client.get("/api/nothing", params={"token": token}).text]
        address = httpx.URL(relay.url)
        for line in (
            f"GET /?token={token} HTTP/9.1",
            f"GET /?token={token}{'x' * 9000} HTTP/1.1",
            f"{token} / HTTP/1.1",
        ):
            with socket.create_connection((address.host, address.port or 0)) as raw:
                raw.sendall(f"{line}\r\n\r\n".encode())
                texts.append(raw.makefile().read())
        code, out, err = relay.end(signal.SIGTERM)
    assert code == 0
    assert token not in "".join([*texts, out, err, log.read_text()])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_curl_shows_the_stream(comfyui: str, version: str) -> None:
    with relay_process(comfyui, "--port", "0") as relay:
        address = f"{relay.url}/api/generate/progress"
        with subprocess.Popen(["curl", "-sN", version, address], stdout=subprocess.PIPE, text=True) as curl:
            assert curl.stdout
            assert curl.stdout.readline() == "retry: 3000\n"
            assert relay.end(signal.SIGTERM)[0] == 0
            assert ": the relay stops\n" in curl.stdout.readlines()
        assert curl.returncode == 0


def test_an_unknown_job_is_an_error_in_json(comfyui: str) -> None:
    with relay_process(comfyui, "--port", "0") as relay:
        response = httpx.get(f"{relay.url}/api/generate/progress?promptId=x", trust_env=False, timeout=TIMEOUT)
        assert response.status_code == 404
        assert json.loads(response.text) == {"error": "There is no job with this id."}
