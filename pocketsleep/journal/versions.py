"""Which SQLite may write ahead.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when two connections write or checkpoint at once
(https://sqlite.org/wal.html#walresetbug). A rollback journal cannot meet that bug, so it is used there.
"""

from __future__ import annotations

FIXED = (3, 51, 3)
BACKPORTS = ((3, 50, 7), (3, 44, 6))  # the fix on an older branch, from this patch release on


def parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def wal_is_safe(version: str) -> bool:
    "Whether this SQLite has the fix."
    number = parse(version)
    return number >= FIXED or any(number[:2] == fixed[:2] and number >= fixed for fixed in BACKPORTS)


def choose(version: str) -> tuple[str, str]:
    "The journal mode for this SQLite, and why."
    if wal_is_safe(version):
        return "wal", f"SQLite {version} has the fix for the WAL reset bug"
    return "delete", f"SQLite {version} can corrupt in WAL mode (fixed in 3.51.3, 3.50.7, 3.44.6)"
