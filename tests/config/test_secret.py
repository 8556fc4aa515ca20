"""Secrets from the environment and from programs, and what is said when there is none."""

import sys
import traceback
from pathlib import Path

import pytest

from comfytui.config import secret as secrets
from comfytui.config.secret import BadConfig, Command, Literal, Secret, Variable

SECRET = "hunter2"


def told_by(code: str) -> Secret:
    return Secret("file, key", Command((sys.executable, "-c", code)))


def refused(secret: Secret) -> str:
    with pytest.raises(BadConfig) as caught:
        secret.read()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("printed", ["hunter2", "hunter2\\n", "hunter2\\r\\n", "hunter2\\nuser: me\\n"])
def test_a_program_tells_a_secret_in_its_first_line(printed: str) -> None:
    assert told_by(f"print('{printed}', end='')").read() == SECRET


def test_no_shell_stands_between() -> None:
    assert Secret("", Command(("echo", "$HOME; echo *"))).read() == "$HOME; echo *"


def test_a_program_gets_no_input() -> None:
    assert told_by("import sys; print(repr(sys.stdin.read()))").read() == "''"


def test_a_variable_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_TOKEN", SECRET)
    assert Secret("", Variable("BOX_TOKEN")).read() == SECRET


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    # A token put there by mistake would otherwise be repeated.
    monkeypatch.delenv(SECRET, raising=False)
    if value is not None:
        monkeypatch.setenv(SECRET, value)
    assert refused(Secret("file, key", Variable(SECRET))).startswith("file, key: the variable that it names is not set")


@pytest.mark.parametrize("name", ["BOX_TOKEN", "TOKEN", "TOKEN2", "_TOKEN", "S3_KEY"])
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name, raising=False)
    assert refused(Secret("file, key", Variable(name))) == (
        f"file, key: the variable {name} is not set in the environment."
    )


@pytest.mark.parametrize(
    "name", ["AKIA3X7EXAMPLE9QLMNO", "JBSWY3DPEHPK3PXP", "sk_live_51H", "Bearer X", "A" * 41, "X_\n", "É_X", "3_X", ""]
)
def test_what_may_be_a_secret_in_the_wrong_place_is_not_quoted(name: str) -> None:
    assert refused(Secret("key", Variable(name))) == "key: the variable that it names is not set in the environment."


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("print('hunter2'); raise SystemExit(3)", "ended with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with code -9"),
        ("pass", "is empty"),
        ("print(); print('hunter2')", "is empty"),
        (r"import sys; sys.stdout.buffer.write(b'hunter2\xff')", "not text"),
    ],
)
def test_a_program_that_tells_none(code: str, sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    noisy = f"import sys; print('hunter2', file=sys.stderr); {code}"
    said = refused(told_by(noisy))
    assert said.startswith("file, key: ")
    assert sentence in said
    assert capfd.readouterr() == ("", "")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be started (No such file" in refused(Secret("", Command((str(tmp_path / SECRET),))))


def test_a_program_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.5)
    assert "took more than 0.5 seconds" in refused(
        told_by("import threading; print('hunter2', flush=True); threading.Event().wait()")
    )


def test_secrets_stay_out_of_the_representation() -> None:
    for source in (Literal(SECRET), Variable(SECRET), Command((SECRET,))):
        assert SECRET not in repr(Secret("file, key", source))
