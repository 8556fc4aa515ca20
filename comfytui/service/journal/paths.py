"""The journal's folder and files, which only the user can read."""

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
COMPANIONS = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps beside a database; SQLite gives new ones the mode of the database."""
MOUNTS = Path("/proc/self/mountinfo")
NETWORKS = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "smb3", "smbfs",
})  # fmt: skip
"""File systems that other machines may write to as well: SQLite's shared memory works within one machine only."""


def state_folder() -> Path:
    """Return the user's state folder for comfytui."""
    from platformdirs import user_state_path

    return user_state_path("comfytui")


def create_private(file: Path) -> None:
    """Create a file and its folder if need be, and make them readable by the user alone.

    Raises:
        OSError: They cannot be created, or the path is not a regular file.
    """
    folder = file.parent
    existed = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    # A folder that the user chose may hold other things as well: it keeps its mode. The state folder is ours alone.
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
    """Open a file for reading and writing, creating it for the user alone; return its descriptor."""
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)


def quarantine(file: Path) -> Path:
    """Rename a database and its companions, never over another file; return the new path."""
    renamed = _reserve(file)
    file.rename(renamed)
    for companion in COMPANIONS:
        with suppress(FileNotFoundError):
            file.with_name(file.name + companion).rename(renamed.with_name(renamed.name + companion))
    return renamed


def _reserve(file: Path) -> Path:
    """Create an empty file under a name that was free; return its path."""
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
    """Return whether a folder is on a network file system; False if the mounts cannot be read."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        resolved = folder.resolve()
    except OSError:
        return False
    found = [mount for line in lines if (mount := _mount(line)) and resolved.is_relative_to(mount[0])]
    # Of two mounts on one mount point, the later one hides the earlier.
    deepest = max(enumerate(found), key=lambda item: (len(item[1][0].parts), item[0]), default=None)
    return deepest is not None and deepest[1][1] in NETWORKS


def _mount(line: str) -> tuple[Path, str] | None:
    """Return the mount point and the file system of a line of mountinfo, or None if it has another form."""
    head, _, tail = line.partition(" - ")
    fields, source = head.split(), tail.split()
    if len(fields) < 5 or not source:
        return None
    point = fields[4]
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return Path(point), source[0]
