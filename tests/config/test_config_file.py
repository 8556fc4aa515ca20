"""The config file: what it may contain, and the message for everything it may not."""

import os
import traceback
from pathlib import Path

import pytest

from comfytui.comfy.address import BadServer
from comfytui.comfy.server import Server
from comfytui.command_names import COMMANDS, PLANNED_COMMANDS
from comfytui.config.config import config_file, read_config
from comfytui.config.location import BadConfig
from comfytui.config.server_config import RESERVED_NAMES

SERVER = '[servers.box]\nurl = "http://10.0.0.5:8188"\n'
SECRET = "hunter2"


def write_config(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "config.toml"
    file.write_text(content)
    file.chmod(mode)
    return file


def test_a_missing_file_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_file() == tmp_path / "comfytui" / "config.toml"
    config = read_config()
    assert (config.servers, config.default, config.warning) == ({}, "", "")
    assert config.resolve("box") == Server.from_url("box")


def test_the_users_file_is_read_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "comfytui").mkdir()
    write_config(tmp_path / "comfytui", SERVER)
    assert list(read_config().servers) == ["box"]


def test_a_home_that_is_no_folder_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")
    assert not read_config().servers


@pytest.mark.parametrize("content", ["", "\ufeff", "# nothing\n", "[servers]\n"])
def test_a_file_without_servers_is_valid(tmp_path: Path, content: str) -> None:
    assert not read_config(write_config(tmp_path, content)).servers


def test_a_named_server_shows_its_name_and_an_address_stays_an_address(tmp_path: Path) -> None:
    other = '[servers.a_B-2]\nurl = "box.lan/prefix"\ndefault = true\ninsecure = true\n'
    config = read_config(write_config(tmp_path, SERVER + other))
    box = config.resolve(" box ")
    assert (box.name, box.label, box.address) == ("box", "box", "10.0.0.5:8188")
    assert box.label_with_address == "box (10.0.0.5:8188)"
    assert config.default == "a_B-2"
    assert config.resolve("a_B-2").base == "http://box.lan:8188/prefix"
    assert config.resolve("a_B-2").insecure
    assert config.resolve("Box") == Server.from_url("box")
    assert config.resolve("10.0.0.5").label == "10.0.0.5:8188"


def test_certificate_paths_are_relative_to_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keys = 'ca = "box.pem"\ncert = "~/mine.pem"\n'
    server = read_config(write_config(tmp_path, SERVER + keys)).resolve("box")
    assert (server.ca, server.cert) == (tmp_path / "box.pem", tmp_path / "home" / "mine.pem")
    given = read_config(tmp_path / "config.toml").resolve("box", ca=Path("other.pem"))
    assert (given.ca, given.cert) == (Path("other.pem"), tmp_path / "home" / "mine.pem")


BAD = {
    "top": ("server = 1", "server: unknown key"),
    "servers": ("servers = 1", "servers: this must be a table"),
    "server": ('servers.box = "http://box"', "servers.box: this must be a table"),
    "unknown": (SERVER + 'tokken = "hunter2"', "servers.box.tokken: unknown key"),
    "no url": ("[servers.box]\ninsecure = true", "servers.box.url: set the address of the server"),
    "empty url": ('[servers.box]\nurl = ""', "servers.box.url: this is empty"),
    "bad url": ('[servers.box]\nurl = "https://me:hunter2@box/@x"', "servers.box.url: Write an @"),
    "ftp": ('[servers.box]\nurl = "ftp://me:hunter2@box"', "servers.box.url: Unsupported scheme"),
    "url type": ("[servers.box]\nurl = 8188", "servers.box.url: this must be text in quotes"),
    "name": ('[servers."my box"]\nurl = "box"', "servers.my box: a name has letters"),
    "dots": ('[servers."box.lan"]\nurl = "box"', "servers.box.lan: a name has letters"),
    "option": ('[servers.-box]\nurl = "box"', "servers.-box: a name has letters"),
    "flag": (SERVER + 'insecure = "yes"', "servers.box.insecure: this must be true or false"),
    "default type": (SERVER + "default = 1", "servers.box.default: this must be true or false"),
    "two defaults": (
        SERVER + 'default = true\n[servers.b]\nurl = "b"\ndefault = true',
        "servers.b.default: box is already the default",
    ),
    "token type": (SERVER + "token = 1", "servers.box.token: this must be text in quotes"),
    "empty token": (SERVER + 'token = ""', "servers.box.token: this is empty"),
    "token line": (
        SERVER + 'token = "hunter2\\nHost: evil"',
        "servers.box.token: The value of the header Authorization",
    ),
    "two tokens": (
        SERVER + 'token = "hunter2"\ntoken_env = "X"',
        "servers.box.token_env: token is already set",
    ),
    "env": (SERVER + "token_env = 1", "servers.box.token_env: this must be text in quotes"),
    "env name": (
        SERVER + 'token_env = "T=hunter2"',
        "servers.box.token_env: this must be the name of an environment variable",
    ),
    "command text": (SERVER + 'token_command = "echo hunter2"', "servers.box.token_command: this must be a list"),
    "no command": (SERVER + "token_command = []", "servers.box.token_command: this must be a list"),
    "command types": (SERVER + 'token_command = ["echo", 1]', "servers.box.token_command: this must be a list"),
    "command zero": (SERVER + 'token_command = ["echo\\u0000"]', "servers.box.token_command: this must be a list"),
    "password alone": (SERVER + 'password = "hunter2"', "servers.box.user: a password needs a user"),
    "two passwords": (
        SERVER + 'user = "me"\npassword_env = "X"\npassword_command = ["hunter2"]',
        "servers.box.password_command: password_env is already set",
    ),
    "colon": (SERVER + 'user = "me:hunter2"', "servers.box.user: a user name cannot contain a colon"),
    "token and user": (SERVER + 'token = "hunter2"\nuser = "me"', "servers.box.user: token already sets a login"),
    "token and header": (
        SERVER + 'token = "hunter2"\nheaders = { authorization = "hunter2" }',
        "servers.box.headers.authorization: token already sets a login",
    ),
    "headers type": (SERVER + 'headers = "X: hunter2"', "servers.box.headers: this must be a table"),
    "header type": (SERVER + "headers = { X = 1 }", "servers.box.headers.X: this must be text in quotes"),
    "header source": (SERVER + 'headers = { X = { evn = "A" } }', "servers.box.headers.X: this must be text in quotes"),
    "header sources": (SERVER + 'headers.X = { env = "A", command = ["a"] }', "servers.box.headers.X: this must be"),
    "header command": (SERVER + 'headers.X = { command = "a" }', "servers.box.headers.X.command: this must be a list"),
    "header name": (SERVER + 'headers = { "X Y" = "hunter2" }', "servers.box.headers.X Y: A header reads"),
    "header line": (
        SERVER + 'headers = { Y = "hunter2\\r\\nZ: 1" }',
        "servers.box.headers.Y: The value",
    ),
    "our header": (
        SERVER + 'headers = { Host = "hunter2" }',
        "servers.box.headers.Host: The header Host cannot be set",
    ),
    "cookie": (SERVER + 'cookies = { a = "hunter2; b=c" }', "servers.box.cookies.a: this has characters"),
    "cookie name": (SERVER + 'cookies = { "a b" = "hunter2" }', "servers.box.cookies.a b: this has characters"),
    "two cookies": (
        SERVER + 'headers = { cookie = "hunter2" }\ncookies = { a = "b" }',
        "servers.box.cookies: headers already has a Cookie",
    ),
    "query": (SERVER + 'query = "token=hunter2"', "servers.box.query: this must be a table"),
    "ca type": (SERVER + "ca = true", "servers.box.ca: this must be text in quotes"),
    "nobody": (SERVER + 'cert = "~no-such-user/x.pem"', "servers.box.cert: no user has this home"),
    "escape": (SERVER + '"\\u001b[31mred" = 1', "servers.box.red: unknown key"),
} | {
    name: (f'[servers.{name}]\nurl = "box"', f"servers.{name}: {name} is a command") for name in sorted(RESERVED_NAMES)
}


def open_all(file: Path) -> None:
    config = read_config(file)
    for name in config.servers:
        config.resolve(name)


def message_of(file: Path) -> str:
    """Return the message about a file; no secret is in it or in its traceback."""
    with pytest.raises(BadConfig) as caught:
        open_all(file)
    message = str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert message.isprintable()
    assert message.endswith(".")
    return message


@pytest.mark.parametrize("case", BAD)
def test_an_error_is_one_message_with_file_and_key(tmp_path: Path, case: str) -> None:
    content, start = BAD[case]
    file = write_config(tmp_path, content)
    assert message_of(file).startswith(f"{file}, {start}")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'[servers.box]\nurl = "http://me:hunter2@box', "end of document"),
        (b"[servers.box]\ntoken = hunter2", "line 2, column 9"),
        (b"[servers.box]\nhunter2 = 1\nhunter2 = 2\n", "line 3"),
        (b'[servers.box]\ntoken = "hunter2\xff"', "UTF-8"),
        (b"a = " + b"[" * 5_000, "config.toml"),
    ],
)
def test_invalid_toml_is_reported_with_its_position(tmp_path: Path, content: bytes, place: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    assert place in message_of(file)


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    assert "No such file" in message_of(tmp_path / "none.toml")
    assert "directory" in message_of(tmp_path)


@pytest.mark.parametrize("key", ["ca", "cert"])
def test_an_unreadable_certificate_names_its_key(tmp_path: Path, key: str) -> None:
    file = write_config(tmp_path, f'[servers.box]\nurl = "https://box"\n{key} = "no.pem"\n')
    assert message_of(file).startswith(f"{file}, servers.box.{key}: There is no file {tmp_path / 'no.pem'}: check")
    for name in ("no.pem", "other.pem"):
        (tmp_path / name).write_text("none")
    assert message_of(file).startswith(f"{file}, servers.box.{key}: No certificate can be read")
    with pytest.raises(BadServer, match=r"^No certificate can be read from .*other.pem"):
        read_config(file).resolve("box", ca=tmp_path / "other.pem", cert=tmp_path / "other.pem")


def test_commands_are_reserved_names() -> None:
    assert {*COMMANDS, *PLANNED_COMMANDS} == RESERVED_NAMES


WITH_SECRET = ['token = "hunter2"', 'user = "me"\npassword = "hunter2"', 'headers = { X = "hunter2" }']
WITH_SECRET += ['cookies = { a = "hunter2" }', 'query = { token = "hunter2" }']
WITHOUT_SECRET = [
    "",
    'token_env = "X"',
    'user = "me"\npassword_command = ["pass"]',
    'headers = { X = { env = "X" } }',
]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
@pytest.mark.parametrize(
    "keys", [*WITH_SECRET, '[servers.b]\nurl = "http://me:hunter2@b"', '[servers.b]\nurl = "b/?t=1"']
)
def test_warns_of_secrets_that_others_can_read(tmp_path: Path, keys: str, mode: int) -> None:
    (tmp_path / "a folder").mkdir()
    file = write_config(tmp_path / "a folder", SERVER + keys, mode)
    assert f"chmod 600 '{file}'" in read_config(file).warning
    assert SECRET not in f"{read_config(file)!r} {read_config(file).warning}"
    file.chmod(0o600)
    assert not read_config(file).warning


@pytest.mark.parametrize("keys", WITHOUT_SECRET)
def test_no_warning_for_a_readable_file_without_secrets(tmp_path: Path, keys: str) -> None:
    assert not read_config(write_config(tmp_path, SERVER + keys, 0o644)).warning


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("keys", ['token_command = ["pass"]', 'headers = { X = { command = ["pass"] } }', *WITH_SECRET])
def test_warns_of_a_file_that_others_can_change(tmp_path: Path, keys: str, mode: int) -> None:
    file = write_config(tmp_path, SERVER + keys, mode)
    warning = read_config(file).warning
    assert warning.startswith("Others can change this file, and so which programs it runs")
    assert warning.endswith(f"chmod 600 {file}")
    file.chmod(0o600)
    assert not read_config(file).warning


BAD_SERVERS = [case for case in BAD if case not in {"top", "servers"}]


@pytest.mark.parametrize("case", BAD_SERVERS)
def test_an_invalid_entry_disables_only_itself(tmp_path: Path, case: str) -> None:
    content, start = BAD[case]
    if case == "server":
        content = '[servers]\nbox = "http://box"\ngood.url = "10.0.0.9"'
    else:
        content = '[servers.good]\nurl = "10.0.0.9"\n' + content
    config = read_config(write_config(tmp_path, content))
    assert config.resolve("good").label == "good"
    summaries = dict(config.summaries())
    assert summaries["good"] == "10.0.0.9:8188"
    (message,) = [summary for summary in summaries.values() if summary.startswith("! ")]
    assert message.startswith(f"! {start}")
    assert SECRET not in f"{config!r} {summaries}"


def test_warns_of_secrets_in_an_invalid_entry(tmp_path: Path) -> None:
    assert read_config(write_config(tmp_path, SERVER + 'tokne = 1\ntoken = "hunter2"', 0o644)).warning


@pytest.mark.parametrize(
    "keys",
    ['user = "me"\npassword_env = "BOX_PASSWORD"', 'token_command = ["pass"]', 'headers = { X = { env = "BOX_X" } }'],
)
def test_no_warning_for_an_invalid_entry_without_secrets(tmp_path: Path, keys: str) -> None:
    assert not read_config(write_config(tmp_path, f"{SERVER}tokne = 1\n{keys}", 0o644)).warning
    assert not read_config(write_config(tmp_path, f'{SERVER}tokne_env = "BOX_TOKEN"\n{keys}', 0o644)).warning


@pytest.mark.parametrize(
    "keys",
    [
        'url = "http://me:hunter2@box"',
        'url = "box?token=hunter2"',
        'headers = { X = "hunter2" }',
        "password = 1234",
        'tokne = "hunter2"',
        'pasword = ["hunter2"]',
        'url = "box"\ncookies = { s = { evn = "hunter2" } }',
    ],
)
def test_warns_of_an_invalid_entry_that_may_hold_a_secret(tmp_path: Path, keys: str) -> None:
    file = write_config(tmp_path, f"[servers.box]\ninsecure = 1\n{keys}", 0o644)
    assert read_config(file).warning.startswith("Others can read the secrets in this file")


def test_an_invalid_default_counts_unless_another_server_is_the_default(tmp_path: Path) -> None:
    wrong = SERVER + "default = true\ntokne = 1\n"
    assert read_config(write_config(tmp_path, wrong)).default == "box"
    assert read_config(write_config(tmp_path, wrong + '[servers.b]\nurl = "b"\ndefault = true')).default == "b"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gpubox", "gpu-box"),
        ("GPU-Box", "gpu-box"),
        ("gpu-bx", "gpu-box"),
        ("dmeo", "demo"),
        ("smi", "sim"),
        ("gpu-box", ""),
        ("gallery.example.org", ""),
        ("10.0.0.5:8188", ""),
        ("http://gpu", ""),
        ("", ""),
    ],
)
def test_a_similar_name_is_suggested(tmp_path: Path, typed: str, meant: str) -> None:
    config = read_config(write_config(tmp_path, SERVER.replace("box", "gpu-box")))
    assert config.suggestion(typed) == (f"Did you mean comfytui {meant}?" if meant else "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_without_read_permission_is_reported(tmp_path: Path) -> None:
    assert "Permission denied" in message_of(write_config(tmp_path, SERVER, 0o000))
