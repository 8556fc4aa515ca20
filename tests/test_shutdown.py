"""However its terminal or the program itself is ended, it exits: soon, silently, and with its child processes."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal import ESCAPE, STOPPED, Terminal, terminal
from tests.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")

MODES_LEFT = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?25h", b"\x1b[?7h", b"\x1b[<u")
Ending = Callable[[Terminal], object]


def ends(it: Terminal, ending: Ending) -> int:
    """End a program, check that its demo server ends with it, and return its exit code."""
    (simulator,) = Path(f"/proc/{it.process.pid}/task/{it.process.pid}/children").read_text().split()
    server = os.pidfd_open(int(simulator))
    began = time.monotonic()
    ending(it)
    code = it.process.wait(TIMEOUT)
    print(f"ended with {code} after {time.monotonic() - began:.2f} s")
    assert select.select([server], [], [], TIMEOUT)[0], "the simulator outlived the program"
    print(f"its server after {time.monotonic() - began:.2f} s")
    os.close(server)
    return code


def term(it: Terminal) -> None:
    it.process.send_signal(signal.SIGTERM)


def press_ctrl_q(it: Terminal) -> None:
    it.send("\x11")


@pytest.mark.parametrize(("ending", "code"), [(press_ctrl_q, 0), (term, 143)])
def test_the_alternate_screen_is_left_empty(ending: Ending, code: int) -> None:
    """Tmux shows what is left of one that was enlarged in the shell's screen."""
    with terminal("demo") as it:
        it.shows("live")
        assert ends(it, ending) == code
        it.rest()
        left = it.written[: it.written.rindex(b"\x1b[?1049l")]
        assert b"\x1b[H\x1b[2J" in left[-60:]


def test_a_signal_restores_the_terminal() -> None:
    with terminal("demo") as it:
        before = it.modes()
        it.shows("live")
        assert it.modes() != before
        written = len(it.written)
        assert ends(it, term) == 143
        it.rest()
        for mode in MODES_LEFT:
            assert mode in it.written[written:]
        assert it.modes() == before
        assert b"Traceback" not in it.written


@pytest.mark.parametrize(
    ("controlling", "nohup"), [(True, False), (False, False), (True, True)], ids=["hung-up", "broken", "nohup"]
)
def test_it_ends_when_the_terminal_goes_away(controlling: bool, nohup: bool) -> None:
    with terminal("demo", controlling=controlling, nohup=nohup) as it:
        it.shows("live")
        assert ends(it, Terminal.hang_up) == 129


@pytest.mark.parametrize(("ending", "code"), [(term, 143), (Terminal.hang_up, 129)])
def test_it_ends_though_the_terminal_does_not_read(ending: Ending, code: int) -> None:
    with terminal("demo") as it:
        before = it.modes()
        it.shows("live")
        it.stall()
        assert ends(it, ending) == code
        if ending is term:
            assert it.modes() == before, "typed characters stay invisible"
            it.rest()
            assert b"Traceback" not in it.written


STUCK = """
import logging, pathlib, sys, threading, tty
from comfytui.ui.terminal.shutdown import Shutdown
logging.lastResort = None
hooks = [threading.Event().wait, lambda: 1 / 0, lambda: pathlib.Path(sys.argv[1]).write_text("kept")]
with Shutdown(lambda code: None, hooks):
    tty.setraw(0)
    print("ready", flush=True)
    threading.Event().wait()
"""


def test_an_application_that_does_not_exit_is_ended(tmp_path: Path) -> None:
    kept = tmp_path / "journal"
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, str(kept)],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(TIMEOUT) == 129
    assert kept.read_text() == "kept", "a hook that hangs and one that fails keep no other from its work"
    written = os.read(master, 65_536)
    for mode in MODES_LEFT:
        assert mode in written
    assert b"Traceback" not in written
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def is_stopped(it: Terminal) -> bool:
    """Return whether the program is suspended; reads its output, since it finishes writing before."""
    it.wait(0.01)
    return Path(f"/proc/{it.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_it_can_be_suspended_and_resumes_or_ends() -> None:
    with terminal("demo") as it:
        before = it.modes()
        it.shows("live")
        written = len(it.written)
        it.process.send_signal(signal.SIGTSTP)
        wait_until(lambda: is_stopped(it), "its suspension")
        it.rest()
        assert b"\x1b[?1049l" in it.written[written:]
        assert it.modes() == before
        written = len(it.written)
        it.process.send_signal(signal.SIGCONT)
        wait_until(lambda: b"\x1b[?1049h" in it.rest()[written:], "its return")
        it.shows("live")
        it.process.send_signal(signal.SIGTSTP)
        wait_until(lambda: is_stopped(it), "its second suspension")

        def kill_as_a_shell_does(it: Terminal) -> None:
            it.process.send_signal(signal.SIGTERM)
            it.process.send_signal(signal.SIGCONT)

        assert ends(it, kill_as_a_shell_does) == 143
        assert it.modes() == before


def test_in_an_orphaned_background_group_it_says_that_it_needs_the_foreground() -> None:
    orphaned = ("bash", "-c", '(set -m; "$0" -m comfytui demo </dev/tty &); sleep 60', sys.executable)
    with terminal(program=orphaned, controlling=True) as it:
        it.shows("run it in the foreground")
        assert "Traceback" not in it.output


def stop_and_continue(it: Terminal, *, shell: bool) -> None:
    """Stop the process without its noticing, let a `shell` use the terminal, and continue the process."""
    raw = it.modes()
    it.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(it), "the stop")
    if shell:
        it.restore_modes()
        it.shows(STOPPED)
    written = len(it.rest())
    it.process.send_signal(signal.SIGCONT)
    wait_until(lambda: b"\x1b[?1049h" in it.rest()[written:], "the screen after it")
    wait_until(lambda: it.modes() == raw, "the terminal's modes after it")
    it.shows("live")
    assert STOPPED not in it.text


def quit_by_key(it: Terminal) -> None:
    it.send(ESCAPE, "q")


@pytest.mark.parametrize(
    ("ending", "code", "shell"), [(quit_by_key, 0, True), (term, 143, False)], ids=["q", "SIGTERM"]
)
def test_after_a_stop_that_cannot_be_caught_it_resumes_and_ends(ending: Ending, code: int, shell: bool) -> None:
    with terminal("demo", controlling=True) as it:
        before = it.modes()
        it.shows("live")
        for _ in range(4):
            stop_and_continue(it, shell=shell)
        assert ends(it, ending) == code
        it.rest()
        assert it.modes() == before
        assert b"Traceback" not in it.written
