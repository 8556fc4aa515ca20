"""Runs the real program in a terminal against a hostile server, and presses random keys."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.hostile.payloads import ESCAPES
from tests.terminal import ENTER, ESCAPE, F5, Terminal, terminal

MEMORY = 300 * 2**20
KEY_SECONDS, QUIT_SECONDS = 0.5, 2.0
"""Limits on an otherwise idle machine."""
BUSY_FACTOR = 5
"""How many times longer it may take on a busy machine."""
MAX_KEY_SECONDS = 60.0
"""Seconds until a key fails even if the program got no processor."""
HELP, QUESTION = "─ Keys ─", "y yes   n no"
"""Text on the screen when help is open, and when a question is asked."""
KEYS = (
    F5,
    ENTER,
    ESCAPE,
    "j",
    "k",
    "g",
    "G",
    "s",
    "y",
    "n",
    "l",
    "r",
    "x",
    "p",
    "1",
    "2",
    "3",
    "\x1b[6~",
    "\t",
    "\x12",
)
"""The random keys; none of them ends the program."""
_CONTROL_CHARACTERS = re.compile(
    "[\x00-\x07\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_POINTER = re.compile(r"\x1b]22;[a-z-]*\x07")
"""How Textual sets the shape of the mouse pointer."""
_COMMANDS = re.compile(r"\x1b[\]PX^_ck]")
"""Escape sequences that carry text: for a title, the clipboard or a mode of the terminal."""


@contextmanager
def hostile_server(seed: int, attack_rate: float, log: Path) -> Iterator[str]:
    """Run a hostile server.

    Args:
        seed: Seed of its attacks.
        attack_rate: Share of its responses and frames that are attacks (0..1).
        log: File that gets a line per attack.

    Yields:
        The server's URL.
    """
    with log.open("wb") as log_file:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.server", str(seed), str(attack_rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
        )
        assert child.stdin
        assert child.stdout
        try:
            yield child.stdout.readline().decode().strip()
        finally:
            child.stdin.close()
            child.stdout.close()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@dataclass
class Measurements:
    """The highest figures of a session."""

    key_seconds: float = 0.0
    key_own_seconds: float = 0.0
    """Without the time in which the program waited for a processor."""
    retries: int = 0
    """Number of keys that were sent again."""
    quit_seconds: float = 0.0
    memory: int = 0
    decoder_memory: int = 0
    exited_by_itself: bool = False
    """Whether the program exited with a message without having been asked to."""

    def note_key(self, seconds: float, waited: float) -> None:
        """Record the seconds that a key took, and those in which the program waited for a processor."""
        self.key_seconds = max(self.key_seconds, seconds)
        self.key_own_seconds = max(self.key_own_seconds, seconds - waited)

    def __str__(self) -> str:
        strict = self.key_own_seconds <= KEY_SECONDS and self.quit_seconds <= QUIT_SECONDS
        return (
            f"key {self.key_seconds:.2f} s ({self.key_own_seconds:.2f} s of its own), quit {self.quit_seconds:.2f} s, "
            f"{self.retries} retries, memory {self.memory >> 20} MB, decoder {self.decoder_memory >> 20} MB"
            f"{'' if strict else ', SLOW'}{', exited by itself' if self.exited_by_itself else ''}"
        )


class FuzzSession:
    """One run of the program with random keys from one seed; checks what it writes, uses and leaves behind."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = Random(seed)
        self.folder = folder
        self.measurements = Measurements()
        for name in ("home", "state", "config", "output"):
            (folder / name).mkdir(parents=True)

    def run(self, url: str, seconds: float, size: tuple[int, int]) -> None:
        """Press keys for so many seconds, quit, and check the terminal and the files.

        Args:
            url: The server to use.
            seconds: How long to press keys.
            size: Columns and rows of the terminal.
        """
        folder = {name: str(self.folder / name) for name in ("home", "state", "config", "output", "log")}
        with terminal(
            url,
            "--output",
            folder["output"],
            columns=size[0],
            rows=size[1],
            HOME=folder["home"],
            XDG_STATE_HOME=folder["state"],
            XDG_CONFIG_HOME=folder["config"],
            COMFYTUI_LOG=folder["log"],
        ) as it:
            it.shows("live")
            it.send(ESCAPE, "n", "a red fox", F5)
            it.shows(" of 4")
            over = time.monotonic() + seconds
            while time.monotonic() < over and it.process.poll() is None:
                it.send(*self.rng.choices(KEYS, k=self.rng.randint(1, 6)))
                self._measure_memory(it)
                self._open_help(it)
            self._quit(it)
            self._check_terminal(it)
        self._check_files()

    def _measure_memory(self, it: Terminal) -> None:
        """Record the peak memory of the program and its child processes."""
        pid = it.process.pid
        self.measurements.memory = max(self.measurements.memory, _memory(pid))
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                self.measurements.decoder_memory = max(self.measurements.decoder_memory, _memory(int(child)))

    def _open_help(self, it: Terminal) -> None:
        """Leave all text fields, open help, and record how long that takes."""
        for last in (False, True):
            it.send(ESCAPE, ESCAPE)
            if it.process.poll() is not None or self._help_appears(it, last=last):
                it.send(ESCAPE)
                return
            # A dialog with other keys may have opened at the wrong moment.
            self.measurements.retries += 1

    def _help_appears(self, it: Terminal, *, last: bool) -> bool:
        began, waited = time.monotonic(), _waited(it.process.pid)
        it.send("?")
        while HELP not in it.text and it.process.poll() is None:
            if QUESTION in it.text:
                it.send("n", "?")
                began, waited = time.monotonic(), _waited(it.process.pid)
            elapsed = time.monotonic() - began
            if elapsed - (_waited(it.process.pid) - waited) > KEY_SECONDS * BUSY_FACTOR or elapsed > MAX_KEY_SECONDS:
                assert not last, (
                    f"no reaction to a key within {elapsed:.1f} s; {self.measurements}; the screen was:\n{it.text}"
                )
                return False
            it.wait(0.02)
        self.measurements.note_key(time.monotonic() - began, _waited(it.process.pid) - waited)
        return True

    def _quit(self, it: Terminal) -> None:
        self._measure_memory(it)
        if it.process.poll() is not None:
            self.measurements.exited_by_itself = True
            return
        began = last_press = time.monotonic()
        it.send("q")
        pressed = 1
        while it.process.poll() is None:
            elapsed = time.monotonic() - began
            assert elapsed < QUIT_SECONDS * BUSY_FACTOR, (
                f"it still runs after {elapsed:.1f} s; the screen was:\n{it.text}"
            )
            if QUESTION in it.text:
                # The question may be about unsent images, or another one that was opened meanwhile.
                it.send(*("y" if "Close anyway?" in it.text else "nq"))
            elif elapsed > QUIT_SECONDS * pressed:
                # The help screen was still closing, and got the key.
                pressed += 1
                last_press = time.monotonic()
                it.send("q")
            self._measure_memory(it)
            it.wait(0.02)
        self.measurements.retries += pressed - 1
        self.measurements.quit_seconds = time.monotonic() - last_press
        it.rest()

    def _check_terminal(self, it: Terminal) -> None:
        written = _POINTER.sub("", it.written.decode(errors="replace"))
        assert "Traceback" not in written, it.text
        assert it.process.returncode in {0, 1}, it.text
        for forbidden in (_CONTROL_CHARACTERS, _COMMANDS):
            found = [ascii(written[max(0, at.start() - 40) : at.end() + 40]) for at in forbidden.finditer(written)]
            assert found == [], found
        assert [ascii(escape) for escape in ESCAPES if escape in written] == []
        assert self.measurements.memory < MEMORY, self.measurements
        assert self.measurements.decoder_memory < MEMORY, self.measurements

    def _check_files(self) -> None:
        """Check that only documented files were written: the state, the log, and regular files in one folder."""
        paths = [path.relative_to(self.folder) for path in self.folder.rglob("*")]
        own = {"home", "output", "state", "config", "log", "attacks"}
        assert [path for path in paths if path.parts[0] not in own] == []
        assert [path for path in paths if path.parts[0] in {"home", "config"} and len(path.parts) > 1] == []
        state = {path.parts[1] for path in paths if path.parts[0] == "state" and len(path.parts) > 1}
        assert state <= {"comfytui"}
        for path in (self.folder / "output").iterdir():
            assert path.is_file()
            assert not path.is_symlink()
            assert not path.name.startswith((".", "-", "/")), path
        assert not list(Path("/tmp").glob("comfytui-pwned*"))
        assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        """The content of the program's log."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


def _memory(pid: int) -> int:
    """Return the peak memory of a process in bytes; 0 if it has exited."""
    try:
        fields = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()
    except OSError:
        return 0
    return int(fields[0]) * 1024 if fields else 0


def _waited(pid: int) -> float:
    """Return the seconds for which a process's main thread waited for a processor."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
