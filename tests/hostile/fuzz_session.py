"""The real program in a terminal, with keys pressed at random, while a server lies to it."""

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
"""What is promised on a machine that has nothing else to do."""
PATIENCE = 5
"""How many times as long a busy machine may take."""
LONGEST = 60.0
"""Seconds until a key is given up for which the program had no processor."""
HELP, QUESTION = "─ Keys ─", "y yes   n no"
"""What stands on the screen when help is shown, and when something is asked."""
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
"""What is pressed between two questions; none of them ends the program."""
_HIDDEN = re.compile(
    "[\x00-\x07\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_POINTER = re.compile(r"\x1b]22;[a-z-]*\x07")
"""How Textual sets the pointer of the mouse."""
_COMMANDS = re.compile(r"\x1b[\]PX^_ck]")
"""Escape sequences that set a title, a clipboard or a mode of the terminal by text."""


@contextmanager
def hostile_server(seed: int, share: float, log: Path) -> Iterator[str]:
    """The URL of a server that lies in so large a share of its answers; each lie is a line in `log`."""
    with log.open("wb") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.server", str(seed), str(share)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
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
class Measured:
    """What a round took at most."""

    key_seconds: float = 0.0
    key_own_seconds: float = 0.0
    """Without those in which the machine had no processor for the screen."""
    again: int = 0
    """Keys that were pressed once more."""
    quit_seconds: float = 0.0
    memory: int = 0
    decoder_memory: int = 0
    over_by_itself: bool = False
    """Whether the program ended with a sentence, before it was asked to."""

    def note_key(self, seconds: float, waited: float) -> None:
        """Note how long a key took, and for how much of it the screen waited for a processor."""
        self.key_seconds = max(self.key_seconds, seconds)
        self.key_own_seconds = max(self.key_own_seconds, seconds - waited)

    def __str__(self) -> str:
        strict = self.key_own_seconds <= KEY_SECONDS and self.quit_seconds <= QUIT_SECONDS
        return (
            f"key {self.key_seconds:.2f} s ({self.key_own_seconds:.2f} s of its own), quit {self.quit_seconds:.2f} s, "
            f"{self.again} again, memory {self.memory >> 20} MB, decoder {self.decoder_memory >> 20} MB"
            f"{'' if strict else ', SLOW'}{', ended by itself' if self.over_by_itself else ''}"
        )


class Round:
    """One program, one server, one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = Random(seed)
        self.folder = folder
        self.measured = Measured()
        for name in ("home", "state", "config", "output"):
            (folder / name).mkdir(parents=True)

    def play(self, url: str, seconds: float, size: tuple[int, int]) -> None:
        """Press keys for so long, quit, and look at what was left."""
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
                it.send(*self.chance.choices(KEYS, k=self.chance.randint(1, 6)))
                self._look(it)
                self._ask_for_help(it)
            self._quit(it)
            self._check_terminal(it)
        self._check_files()

    def _look(self, it: Terminal) -> None:
        """Note how much memory the program and what it started had so far."""
        pid = it.process.pid
        self.measured.memory = max(self.measured.memory, _memory(pid))
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                self.measured.decoder_memory = max(self.measured.decoder_memory, _memory(int(child)))

    def _ask_for_help(self, it: Terminal) -> None:
        """Go where letters are commands, and see how long it takes until one is answered."""
        for last in (False, True):
            it.send(ESCAPE, ESCAPE)
            if it.process.poll() is not None or self._is_answered(it, last=last):
                it.send(ESCAPE)
                return
            # Something with other keys may have come up at the wrong moment.
            self.measured.again += 1

    def _is_answered(self, it: Terminal, *, last: bool) -> bool:
        began, waited = time.monotonic(), _waited(it.process.pid)
        it.send("?")
        while HELP not in it.text and it.process.poll() is None:
            if QUESTION in it.text:
                it.send("n", "?")
                began, waited = time.monotonic(), _waited(it.process.pid)
            gone = time.monotonic() - began
            if gone - (_waited(it.process.pid) - waited) > KEY_SECONDS * PATIENCE or gone > LONGEST:
                assert not last, f"no answer to a key within {gone:.1f} s; {self.measured}; the screen was:\n{it.text}"
                return False
            it.wait(0.02)
        self.measured.note_key(time.monotonic() - began, _waited(it.process.pid) - waited)
        return True

    def _quit(self, it: Terminal) -> None:
        self._look(it)
        if it.process.poll() is not None:
            self.measured.over_by_itself = True
            return
        began = last_press = time.monotonic()
        it.send("q")
        pressed = 1
        while it.process.poll() is None:
            gone = time.monotonic() - began
            assert gone < QUIT_SECONDS * PATIENCE, f"it runs on after {gone:.1f} s; the screen was:\n{it.text}"
            if QUESTION in it.text:
                # About images that are not sent, or of another kind, which came up meanwhile.
                it.send(*("y" if "Close anyway?" in it.text else "nq"))
            elif gone > QUIT_SECONDS * pressed:
                # The help was still on its way out, and took the key.
                pressed += 1
                last_press = time.monotonic()
                it.send("q")
            self._look(it)
            it.wait(0.02)
        self.measured.again += pressed - 1
        self.measured.quit_seconds = time.monotonic() - last_press
        it.rest()

    def _check_terminal(self, it: Terminal) -> None:
        written = _POINTER.sub("", it.written.decode(errors="replace"))
        assert "Traceback" not in written, it.text
        assert it.process.returncode in {0, 1}, it.text
        for forbidden in (_HIDDEN, _COMMANDS):
            found = [ascii(written[max(0, at.start() - 40) : at.end() + 40]) for at in forbidden.finditer(written)]
            assert found == [], found
        assert [ascii(escape) for escape in ESCAPES if escape in written] == []
        assert self.measured.memory < MEMORY, self.measured
        assert self.measured.decoder_memory < MEMORY, self.measured

    def _check_files(self) -> None:
        """Only what the program says that it writes is there: its state, its log, and plain files in one folder."""
        paths = [path.relative_to(self.folder) for path in self.folder.rglob("*")]
        own = {"home", "output", "state", "config", "log", "lies"}
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
        """What the program said in its log."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


def _memory(pid: int) -> int:
    """Bytes that a process had at most; none if it is over."""
    try:
        words = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()
    except OSError:
        return 0
    return int(words[0]) * 1024 if words else 0


def _waited(pid: int) -> float:
    """Seconds for which a process's main thread was ready to run and had no processor."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
