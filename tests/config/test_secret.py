"""Secrets from the environment and from commands, and the messages where there is none."""

import sys
import traceback
from pathlib import Path

import pytest

from comfytui.config.location import BadConfig, Location
from comfytui.config.secret import CommandSecret, EnvironmentSecret, InlineSecret, Secret

SECRET = "hunter2"
AT = Location(Path("file"), "key")


def printed_by(code: str) -> Secret:
    return Secret(AT, CommandSecret((sys.executable, "-c", code)))


def message_of(secret: Secret, timeout: float = 30.0) -> str:
    with pytest.raises(BadConfig) as caught:
        secret.read(timeout)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("printed", ["hunter2", "hunter2\\n", "hunter2\\r\\n", "hunter2\\nuser: me\\n"])
def test_the_first_line_of_a_commands_output_is_the_secret(printed: str) -> None:
    assert printed_by(f"print('{printed}', end='')").read() == SECRET


def test_commands_run_without_a_shell() -> None:
    assert Secret(AT, CommandSecret(("echo", "$HOME; echo *"))).read() == "$HOME; echo *"


def test_a_command_gets_no_input() -> None:
    assert printed_by("import sys; print(repr(sys.stdin.read()))").read() == "''"


def test_a_variable_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_TOKEN", SECRET)
    assert Secret(AT, EnvironmentSecret("BOX_TOKEN")).read() == SECRET


@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_variable_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    # The name may be a token that was put there by mistake.
    monkeypatch.delenv(SECRET, raising=False)
    if value is not None:
        monkeypatch.setenv(SECRET, value)
    assert message_of(Secret(AT, EnvironmentSecret(SECRET))).startswith(
        "file, key: the variable that it names is not set"
    )


@pytest.mark.parametrize("name", ["BOX_TOKEN", "TOKEN", "TOKEN2", "_TOKEN", "S3_KEY"])
def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name, raising=False)
    assert message_of(Secret(AT, EnvironmentSecret(name))) == (
        f"file, key: the variable {name} is not set in the environment."
    )


@pytest.mark.parametrize(
    "name", ["AKIA3X7EXAMPLE9QLMNO", "JBSWY3DPEHPK3PXP", "sk_live_51H", "Bearer X", "A" * 41, "X_\n", "É_X", "3_X", ""]
)
def test_a_variable_name_that_may_be_a_secret_is_not_quoted(name: str) -> None:
    assert (
        message_of(Secret(AT, EnvironmentSecret(name)))
        == "file, key: the variable that it names is not set in the environment."
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('hunter2'); raise SystemExit(3)", "ended with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with code -9"),
        ("pass", "is empty"),
        ("print(); print('hunter2')", "is empty"),
        (r"import sys; sys.stdout.buffer.write(b'hunter2\xff')", "not text"),
    ],
)
def test_a_command_without_a_secret_is_an_error(code: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    noisy = f"import sys; print('hunter2', file=sys.stderr); {code}"
    said = message_of(printed_by(noisy))
    assert said.startswith("file, key: ")
    assert message in said
    assert capfd.readouterr() == ("", "")


def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    assert "cannot be started (No such file" in message_of(Secret(AT, CommandSecret((str(tmp_path / SECRET),))))


def test_a_command_that_does_not_end_times_out() -> None:
    endless = printed_by("import threading; print('hunter2', flush=True); threading.Event().wait()")
    assert "took more than 0.5 seconds" in message_of(endless, timeout=0.5)


def test_secrets_stay_out_of_repr() -> None:
    for source in (InlineSecret(SECRET), EnvironmentSecret(SECRET), CommandSecret((SECRET,))):
        assert SECRET not in repr(Secret(AT, source))
