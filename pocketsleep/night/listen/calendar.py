"""When what a note speaks of is over: the one date in it, as it was meant on the day on which it was said.

"on 14 December", said in November 2026, is 14 December 2026, and over the day after; "in March" is over when March is. A date
without a year is the next one. What has no end that can be told for sure ("soon", "in the spring", two dates) has none, nor has
what was over when it was said: a house that was built in 1911 is lived in still.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH, _DAY, _YEAR = rf"(?:{'|'.join(MONTHS)})", rf"(?:{'|'.join(DAYS)})", r"(?:[12]\d{3})"
_TH = r"(?:st|nd|rd|th)?"
_CHRISTMAS = 26  # of December: when it is over
_PART = r"(?: (?P<part>morning|afternoon|evening|night))?(?! (?:morning|afternoon|evening|night)s)"
_OTHER = re.compile(rf"\b(?:and|or|from|since|between|before|after|around) (?:the )?(?:\d{{1,2}}{_TH} )?(?:{_MONTH}|{_DAY})\b|"
                    r"\bon (?:the )?\d{1,2}(?:st|nd|rd|th)\b")  # a second time, of no form below


@dataclass(frozen=True, slots=True)
class Time:
    "Where a text says when (start, end), its last day, and the same said so that it stays true."

    start: int
    end: int
    last: date
    said: str
    weekly: bool  # a day of the week: what has no other date may be so every week
    yearly: bool = False  # without a year: what is then may be so every year


_Found = tuple[date, str]
_Rule = tuple[re.Pattern[str], Callable[[re.Match[str], date], _Found | None]]


def time_in(text: str, since: date) -> Time | None:
    "The one time that a text names, None where it names none, more than one, one that was over, or one that no calendar has."
    found: list[Time] = []
    for pattern, read in _RULES:
        for hit in pattern.finditer(text):
            if any(one.start < hit.end() and hit.start() < one.end for one in found):
                continue
            if (when := _safely(read, hit, since)) is None:
                return None
            weekly, yearly = read is _weekday and hit["word"] in ("on", "until"), read in _YEARLY and not hit["year"]
            found.append(Time(hit.start(), hit.end(), *when, weekly, yearly))
    if len(found) != 1 or found[0].last < since:
        return None
    return None if _OTHER.search(text, 0, found[0].start) or _OTHER.search(text, found[0].end) else found[0]


def _safely(read: Callable[[re.Match[str], date], _Found | None], hit: re.Match[str], since: date) -> _Found | None:
    try:
        return read(hit, since)
    except (ValueError, OverflowError):  # 31 June; the year 10000
        return None


def _on(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _next(day: int, month: int, year: str | None, since: date) -> date:
    "The day that is meant: without a year the first one that is not past. 29 February may be some years off."
    if year:
        return date(int(year), month, day)
    for ahead in range(9):
        try:
            found = date(since.year + ahead, month, day)
        except ValueError:
            continue
        if found >= since:
            return found
    raise ValueError(f"{day} {month}")


def _month(name: str) -> int:
    return MONTHS.index(name) + 1


def _end_of(month: int, year: str | None, since: date) -> date:
    "The last day of a month: of this one while it lasts, else of the next so called."
    chosen = int(year) if year else since.year + (month < since.month)
    return date(chosen, month, monthrange(chosen, month)[1])


def _range(hit: re.Match[str], since: date) -> _Found:
    last = _next(int(hit["to"]), _month(hit["month"]), hit["year"], since)
    first = f"{hit['from']} {hit['first']}".strip() if hit["first"] else hit["from"]
    return last, f"from {first} to {_on(last)}"


def _date(hit: re.Match[str], since: date) -> _Found:
    last = _next(int(hit["day"]), _month(hit["month"]), hit["year"], since)
    return last, f"{hit['word']} {_on(last)}"


def _whole_month(hit: re.Match[str], since: date) -> _Found:
    "Said in November, \"in November\" may be the next one."
    if _month(hit["month"]) == since.month and not hit["year"] and not hit["word"].endswith("end of"):
        raise ValueError(hit[0])
    last = _end_of(_month(hit["month"]), hit["year"], since)
    return last, f"{hit['word']} {MONTHS[last.month - 1]} {last.year}"


def _year(hit: re.Match[str], since: date) -> _Found:
    return date(int(hit["year"]), 12, 31), hit[0]


def _christmas(hit: re.Match[str], since: date) -> _Found:
    last = _next(_CHRISTMAS, 12, hit["year"], since)
    return last, f"{hit['word']} Christmas {last.year}"


def _weekday(hit: re.Match[str], since: date) -> _Found:
    "The next one so called, never the day itself. \"Next Friday\" said on a Monday may be a week later: what is sure is its month."
    ahead = (DAYS.index(hit["day"]) - since.weekday() - 1) % 7 + 1
    last = since + timedelta(ahead)
    if hit["word"] != "next" or since.weekday() + ahead > 6 > since.weekday():
        return last, f"{'until' if hit['word'] == 'until' else 'on'} {_part_of(hit)}{_on(last)}"
    later = last + timedelta(7)
    if later.month != last.month:
        raise ValueError(hit[0])
    return later, f"in {MONTHS[last.month - 1]} {last.year}"


def _part_of(hit: re.Match[str]) -> str:
    return f"the {hit['part']} of " if hit["part"] else ""


def _near(hit: re.Match[str], since: date) -> _Found:
    last = since + timedelta(hit["when"].lower().startswith("tomorrow"))
    return last, f"on {_part_of(hit)}{_on(last)}"


def _next_one(hit: re.Match[str], since: date) -> _Found:
    "Next week, weekend, month or year, and this one."
    later = hit["which"].lower() == "next"
    if hit["unit"] == "year":
        return date(since.year + later, 12, 31), f"in {since.year + later}"
    if hit["unit"] == "month":
        last = _end_of(since.month % 12 + 1, None, since) if later else _end_of(since.month, None, since)
        return last, f"in {MONTHS[last.month - 1]} {last.year}"
    monday = since - timedelta(since.weekday()) + timedelta(7 * later)
    if hit["unit"] == "weekend":
        return monday + timedelta(6), f"on the weekend of {_on(monday + timedelta(5))}"
    return monday + timedelta(6), f"in the week of {_on(monday)}"


def _rule(pattern: str, read: Callable[[re.Match[str], date], _Found | None]) -> _Rule:
    return re.compile(rf"(?<![\w-]){pattern}(?![\w-])"), read


_YEARLY = (_range, _date, _whole_month, _christmas)
# Longer ones first: what one has read no other reads again.
_RULES: tuple[_Rule, ...] = (
    _rule(rf"from (?:the )?(?P<from>\d{{1,2}}){_TH}(?: (?:of )?(?P<first>{_MONTH}))? (?:to|until|till) (?:the )?"
          rf"(?P<to>\d{{1,2}}){_TH}(?: of)? (?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?", _range),
    _rule(rf"(?P<word>on|until|by)(?: {_DAY},?)?(?: the)? (?P<day>\d{{1,2}}){_TH}(?: of)? (?P<month>{_MONTH})"
          rf"(?:,? (?P<year>{_YEAR}))?", _date),
    _rule(rf"(?P<word>on|until|by)(?: {_DAY},?)? (?P<month>{_MONTH}) (?:the )?(?P<day>\d{{1,2}}){_TH}"
          rf"(?:,? (?P<year>{_YEAR}))?", _date),
    _rule(rf"(?P<word>in|until|until the end of)(?: early| late| mid)? (?P<month>{_MONTH})(?: of)?(?:,? (?P<year>{_YEAR}))?",
          _whole_month),
    _rule(rf"(?:in|until) (?P<year>{_YEAR})", _year),
    _rule(rf"(?P<word>at|over|for|until) Christmas(?: (?P<year>{_YEAR}))?", _christmas),
    _rule(rf"(?P<word>on|until|this|next) (?P<day>{_DAY}){_PART}", _weekday),
    _rule(rf"(?P<when>[Tt]omorrow|[Tt]oday|[Tt]onight){_PART}", _near),
    _rule(r"(?P<which>[Nn]ext|[Tt]his) (?P<unit>week|weekend|month|year)", _next_one),
)
