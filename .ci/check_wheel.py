"""Installs a built wheel as a user does, with no checkout beside it, and runs its commands: `check_wheel.py WHEEL`."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path

COMMANDS = ("completion", "config", "demo", "sim")
TIMEOUT = 60.0
"""Seconds for the program to start and to end."""
CTRL_Q = b"\x11"


def main(wheel: str) -> None:
    """Check a wheel in a temporary folder.

    Args:
        wheel: Path of the wheel.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        pip, program = (str(folder / "venv" / "bin" / each) for each in ("pip", "comfytui"))
        subprocess.run([pip, "install", "--quiet", wheel], check=True)
        pages = {each.name for each in (folder / "venv" / "share" / "man" / "man1").glob("comfytui*")}
        assert pages == {"comfytui.1", *(f"comfytui-{each}.1" for each in COMMANDS)}, f"the man pages are {pages}"
        os.environ["HOME"] = name  # nothing of the user's settings counts, and none is written
        for arguments in (["--version"], ["--help"], *([command, "--help"] for command in COMMANDS)):
            subprocess.run([program, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        subprocess.run([pip, "install", "--quiet", f"{wheel}[demo]"], check=True)
        print("the simulated server answers as ComfyUI", simulated_version(program, folder))
        shown = demo_output(program, folder)
        print(f"the demo has painted its form ({len(shown):,} bytes), and ended on ctrl+q")


def simulated_version(program: str, folder: Path) -> str:
    """Start `comfytui sim`, and return the version that it answers with over HTTP."""
    with subprocess.Popen([program, "sim", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True) as sim:
        assert sim.stdout is not None
        try:
            url = sim.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"{url}/system_stats", timeout=TIMEOUT) as answer:
                return str(json.load(answer)["system"]["comfyui_version"])
        finally:
            sim.terminate()


def demo_output(program: str, folder: Path) -> bytes:
    """Run `comfytui demo` in a terminal until its form is there, and leave it; return what it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(program, [program, "demo"], {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"})
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
    written, over = b"", False
    while chunk := _read(terminal):
        written += chunk
        if not over and b"Generate" in written:
            over = True
            os.write(terminal, CTRL_Q)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert over, f"no form in {written!r}"
    assert code == 0, f"the demo ended with {code}: {written!r}"
    return written


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports so that the program has closed its side.
        return b""


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
