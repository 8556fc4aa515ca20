"""`comfytui config`: every value with its source, and no secret in what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfytui.cli.main import main
from comfytui.cli.startup_server import remember_server

SECRET = "hunter2hunter2"
VARIABLES = ("COMFYTUI_LOG", *(f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")))

INLINE = [
    f'url = "http://me:{SECRET}@box"',
    f'url = "http://{SECRET}@box"',
    f'url = "box?token={SECRET}"',
    f'token = "{SECRET}"',
    f'token_env = "{SECRET}"',
    f'token_command = ["{SECRET}"]',
    f'token_command = ["ls", "{SECRET}"]',
    f'user = "me"\npassword = "{SECRET}"',
    f'user = "me"\npassword_env = "{SECRET}"',
    f'user = "me"\npassword_command = ["{SECRET}", "x"]',
    *(
        f"{table} = {{ key = {value} }}"
        for table in ("headers", "cookies", "query")
        for value in (
            f'"{SECRET}"',
            f'{{ env = "{SECRET}" }}',
            f'{{ command = ["{SECRET}"] }}',
            f'{{ command = ["ls", "{SECRET}"] }}',
            f'{{ value = "{SECRET}" }}',
            f'["{SECRET}"]',
        )
    ),
    f'tokken = "{SECRET}"',
    f'insecure = "{SECRET}"',
    f'url = "ftp://me:{SECRET}@box"',
    f'url = "http://me:{SECRET}/x@box"',
    f'ca = ["{SECRET}"]',
]
"""Entries of a server with a secret in each place where one can be, by mistake too."""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a config file, where nothing was used yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


def write(folder: Path, content: str) -> Path:
    """Write the config file of the user."""
    file = folder / "comfytui" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    file.chmod(0o600)
    return file


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[object, str, str]:
    """Run `comfytui config`; return the exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["config", *argv])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def values(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, dict[str, Any]]:
    """Return the values of the JSON document by their keys."""
    code, out, _ = run(capsys, "--json", *argv)
    document = json.loads(out)
    assert (code, document["version"]) == (0, 1)
    return {each["key"]: each for each in document["values"]}


def test_a_config_file_that_is_not_there_is_said_to_be_missing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert out.splitlines()[0].endswith("config.toml  (variable XDG_CONFIG_HOME, no such file)")


def test_each_value_is_a_line_with_its_source(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        home,
        '[servers.box]\nurl = "https://me:hunter2@gpu/comfy?k=v"\ninsecure = true\ndefault = true\n'
        '[servers.studio]\nurl = "studio"\nuser = "me"\npassword_env = "STUDIO_PASSWORD"\n'
        f'headers = {{ X-A = "b", X-B = {{ env = "UNSET_B" }}, X-C = {{ command = ["{sys.executable}", "-c"] }} }}\n',
    )
    monkeypatch.setenv("STUDIO_PASSWORD", "hunter2")
    code, out, err = run(capsys)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"config = {file}  (variable XDG_CONFIG_HOME)"
    assert lines[lines.index("server = box  (file default = true)") + 1 :] == [
        f"servers.box.url = https://***@gpu/comfy?***  (file {file})",
        f"servers.box.insecure = true  (file {file})",
        f"servers.box.default = true  (file {file})",
        f"servers.studio.url = http://studio:8188  (file {file})",
        f"servers.studio.user = me  (file {file})",
        "servers.studio.password_env = ***  (variable STUDIO_PASSWORD)",
        f"servers.studio.headers.X-A = ***  (file {file})",
        "servers.studio.headers.X-B.env = ***  (variable UNSET_B, not set)",
        f"servers.studio.headers.X-C.command = ***  (command {sys.executable})",
    ]


def test_the_server_comes_from_the_argument_the_last_start_the_file_or_the_default(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def server(*argv: str) -> tuple[str, str]:
        value = values(capsys, *argv)["server"]
        return value["value"], value["source"]

    assert server() == ("127.0.0.1:8188 or 127.0.0.1:8000", "default")
    write(home, '[servers.box]\nurl = "box"\n[servers.spare]\nurl = "spare"\ndefault = true\n')
    assert server() == ("spare", "file")
    remember_server("box")
    assert server() == ("box", "state")
    assert server("spare") == ("spare", "argument")
    assert server("http://me:hunter2@other?key=hunter2") == ("http://***@other:80?***", "argument")


def test_a_given_server_is_shown_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, '[servers.box]\nurl = "box"\n[servers.spare]\nurl = "spare"\n')
    assert [key for key in values(capsys, "box") if key.startswith("servers.")] == ["servers.box.url"]


def test_a_given_file_is_named_as_the_option(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write(home, '[servers.box]\nurl = "box"\n').rename(home / "other.toml")
    shown = values(capsys, "--config", str(other))
    assert (shown["config"]["source"], shown["config"]["origin"]) == ("option", "--config")
    assert shown["servers.box.url"]["origin"] == str(other)


def test_the_environment_is_named_with_the_logins_of_proxies_hidden(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://me:hunter2@proxy:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hunter2@proxy")
    _, out, _ = run(capsys)
    lines = out.splitlines()
    assert "https_proxy = http://***@proxy:3128  (variable https_proxy)" in lines
    assert "all_proxy = ***  (variable ALL_PROXY)" in lines


def test_the_file_of_the_log_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "comfytui", "config"],
        env={**os.environ, "COMFYTUI_LOG": "/dev/null"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "log = /dev/null  (variable COMFYTUI_LOG)\n" in done.stdout


def test_an_invalid_entry_says_what_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(home, '[servers.wrong]\nurl = "box"\nuser = 3\n[servers.box]\nurl = "box"\nca = "no.pem"\n')
    code, out, _ = run(capsys)
    assert code == 0
    assert f"servers.wrong.user: this must be text in quotes (file {file})" in out
    assert f"servers.box.ca = {file.parent / 'no.pem'}  (file {file}; there is no such file)" in out


@pytest.mark.parametrize("content", [f"token = {SECRET}", f'tokken = "{SECRET}"', None])
def test_a_file_that_cannot_be_read_is_wrong_usage(
    home: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    file = home / "comfytui" / "config.toml" if content is None else write(home, content)
    code, out, err = run(capsys, "--config", str(file))
    assert (code, out) == (2, "")
    assert str(file) in err
    assert SECRET not in err


def test_no_command_is_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = home / "trace"
    write(home, f'[servers.box]\nurl = "box"\ntoken_command = ["touch", "{trace}"]\n')
    code, out, _ = run(capsys)
    assert (code, "servers.box.token_command = ***  (command touch)" in out) == (0, True)
    assert not trace.exists()


def test_texts_of_the_file_cannot_control_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, '[servers."a\\u001b[31m"]\nurl = "box"\n[servers.box]\nurl = "box"\nuser = "\\u001b]0;x\\u0007me"\n')
    _, out, err = run(capsys)
    assert "\x1b" not in out + err
    assert "servers.box.user = me" in out


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.lists(st.sampled_from(INLINE), min_size=1, max_size=3), as_json=st.booleans(), mode=st.booleans())
def test_no_secret_of_any_kind_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], entry: list[str], as_json: bool, mode: bool
) -> None:
    lines = {line.partition(" =")[0]: line for each in entry for line in each.splitlines()}
    lines.setdefault("url", 'url = "box"')
    content = "\n".join(["[servers.box]", *lines.values()])
    write(home, content).chmod(0o644 if mode else 0o600)
    code, out, err = run(capsys, *["--json"] * as_json)
    assert code == 0
    assert SECRET not in out + err


@pytest.mark.parametrize("entry", INLINE)
def test_no_secret_is_written_at_its_place(home: Path, capsys: pytest.CaptureFixture[str], entry: str) -> None:
    url = "" if entry.startswith("url") else 'url = "box"\n'
    write(home, f"[servers.box]\n{url}{entry}\n")
    code, out, err = run(capsys, "box")
    assert code == 0
    assert "servers.box" in out
    assert SECRET not in out + err
