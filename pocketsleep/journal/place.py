"""Where a journal may lie. SQLite's locks do not hold across a network, and a folder that is synchronised is
copied in the middle of a write, and to other machines."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from pocketsleep.errors import JournalError

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.rclone"}
)
_SYNCED = (  # how the folders of synchronising programs begin
    "dropbox", "onedrive", "google drive", "googledrive", "my drive", "icloud", "mobile documents", "cloudstorage",
    "nextcloud", "owncloud", "pcloud", "box sync", "syncthing", "seafile",
)  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def check(path: Path) -> None:
    "JournalError when the file would lie in a synchronised folder or on another machine."
    whole = path.expanduser().absolute()
    synced = [part for part in whole.parent.parts if part.casefold().startswith(_SYNCED)]
    if synced:
        raise _refuse(path, f"is in `{synced[0]}`, a folder that is synchronised")
    mounts = ""
    with contextlib.suppress(OSError):
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    if str(whole).startswith("\\\\") or filesystem(whole.parent, mounts) in _NETWORK:
        raise _refuse(path, "is on a network drive")


def _refuse(path: Path, why: str) -> JournalError:
    return JournalError(
        f"the journal `{path}` {why}",
        hint="choose a folder on this machine: `POCKETSLEEP_HOME=/some/folder pocketsleep doctor`",
    )


def filesystem(folder: Path, mountinfo: str) -> str:
    "The kind of file system a folder is on, out of Linux's /proc/self/mountinfo; '' when it is not told."
    found, longest = "", -1
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if len(columns := fields.split()) < 5 or not rest:
            continue
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), columns[4])
        if folder.is_relative_to(mount) and len(mount) >= longest:  # a later mount hides an earlier one
            found, longest = rest.split()[0], len(mount)
    return found
