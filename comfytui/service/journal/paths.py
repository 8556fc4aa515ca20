"""Where the journal lies: a folder and files that only the user can read, and what is set aside in it."""

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
COMPANIONS = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database; they take its mode."""
MOUNTS = Path("/proc/self/mountinfo")
NETWORKS = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "smb3", "smbfs",
})  # fmt: skip
"""File systems that other machines write to as well: memory shared between processes ends at the machine."""


def state_folder() -> Path:
    """The user's state folder of comfytui."""
    from platformdirs import user_state_path

    return user_state_path("comfytui")


def prepare(file: Path) -> None:
    """Make the folder and the file, for the user alone; raises OSError where that cannot be."""
    folder = file.parent
    existed = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    # A folder of somebody's choice may be shared with other things; ours is ours, whoever made it first.
    if not existed or folder == state_folder():
        folder.chmod(FOLDER_MODE)
    descriptor = open_private(file)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{file.name} is not a regular file")
        os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)
    for companion in COMPANIONS:
        with suppress(OSError):
            file.with_name(file.name + companion).chmod(FILE_MODE)


def open_private(file: Path) -> int:
    """A descriptor of the file, made if need be, for the user alone."""
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)


def set_aside(file: Path) -> Path:
    """Rename a database and what SQLite keeps beside it, never over another file; returns the new name."""
    aside = _reserve(file)
    file.rename(aside)
    for companion in COMPANIONS:
        with suppress(FileNotFoundError):
            file.with_name(file.name + companion).rename(aside.with_name(aside.name + companion))
    return aside


def _reserve(file: Path) -> Path:
    """A name that nothing had, taken by an empty file of ours."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        name = f"{file.stem}-{moment}{f'-{number}' if number > 1 else ''}{file.suffix}"
        try:
            os.close(os.open(file.with_name(name), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        except FileExistsError:
            number += 1
        else:
            return file.with_name(name)


def on_network(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether the folder lies on a file system that other machines write to as well; False where nothing tells."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = folder.resolve()
    except OSError:
        return False
    found = [mount for line in lines if (mount := _mount(line)) and place.is_relative_to(mount[0])]
    # Of two mounts on one point, the later one covers the earlier.
    deepest = max(enumerate(found), key=lambda item: (len(item[1][0].parts), item[0]), default=None)
    return deepest is not None and deepest[1][1] in NETWORKS


def _mount(line: str) -> tuple[Path, str] | None:
    """Mount point and file system of a line of mountinfo."""
    head, _, tail = line.partition(" - ")
    fields, kinds = head.split(), tail.split()
    if len(fields) < 5 or not kinds:
        return None
    point = fields[4]
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return Path(point), kinds[0]
