"When something was said, as far as its date tells: files give days, moments with a zone and without, or nothing."

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str) -> datetime | None:
    "An ISO 8601 date as a moment, None when it is none. Without a zone it is taken for UTC."
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def before(one: str, other: str) -> bool:
    "Whether one date is surely before another; a day alone is before none of its hours."
    first, second = moment(one), moment(other)
    if first is None or second is None:
        return False
    if min(len(one), len(other)) <= len("2026-01-01"):
        return first.date() < second.date()
    return first < second
