"""A disk that is really full while pictures are saved, where this machine lets us make one."""

import subprocess
from pathlib import Path

import pytest

from tests.terminal import ESCAPE, F5, PROGRAM, terminal

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
SMALL_DISK = "mount -t tmpfs -o size=8k tmpfs "


def may_mount(folder: Path) -> bool:
    """Whether a file system of our own may be mounted, seen by our own processes alone."""
    try:
        subprocess.run([*OWN_MOUNTS, "sh", "-c", f"{SMALL_DISK} {folder}"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def test_a_full_disk_is_told_and_the_program_goes_on(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("needs a mount namespace")
    # The disk is seen by the program alone, so it lists what is left there when the program has ended.
    shell = f'{SMALL_DISK} {tmp_path} && "$@"; echo "left behind: $(ls {tmp_path} | wc -l)"'
    program = (*OWN_MOUNTS, "sh", "-c", shell, "sh", *PROGRAM)
    demo = ("demo", "--steps-per-second", "100", "--foreign", "0", "--output", str(tmp_path))
    with terminal(*demo, program=program) as it:
        it.shows("live")
        it.send(F5)
        it.shows("4 of 4 done")
        it.send(ESCAPE, "g", "s")
        it.shows("The disk is full: nothing was saved")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
        assert "left behind: 0" in it.said
