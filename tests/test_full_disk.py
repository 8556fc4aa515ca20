"""A really full disk while images are saved, on machines that allow mounting one."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.sim.graphs import text_to_image
from tests.terminal import ESCAPE, F5, PROGRAM, terminal

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
SMALL_DISK = "mount -t tmpfs -o size=8k tmpfs "


def may_mount(folder: Path) -> bool:
    """Return whether a private file system may be mounted."""
    try:
        subprocess.run([*OWN_MOUNTS, "sh", "-c", f"{SMALL_DISK} {folder}"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def test_a_full_disk_is_reported_and_the_program_goes_on(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("needs a mount namespace")
    # Only this shell and the program see the disk, so the shell lists what is left on it.
    shell = f'{SMALL_DISK} {tmp_path} && "$@"; code=$?; echo "left behind: $(ls {tmp_path} | wc -l)"; exit $code'
    program = (*OWN_MOUNTS, "sh", "-c", shell, "sh", *PROGRAM)
    (graph := tmp_path.with_suffix(".json")).write_text(json.dumps(text_to_image(size=256)))
    demo = ("demo", "--other-clients", "0", "--output", str(tmp_path), "--workflow", str(graph))
    with terminal(*demo, program=program) as it:
        it.shows("live")
        it.send(F5)
        it.shows("4 of 4 done")
        it.send(ESCAPE, "g", "s")
        it.shows("The disk is full: nothing was saved")
        it.send(ESCAPE, "q")
        assert it.exit_code() == 0
        assert "left behind: 0" in it.output
        assert "Traceback" not in it.output
