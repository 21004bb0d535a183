"""How a call of a tool ended, by its result: strictly, and for English. What is not certain is neither failed nor fine.

A failure of the moment (a server that was busy, a network that was away) says nothing of how the call was made: it is not certain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

Outcome = Literal["failed", "fine", ""]
LOOKED_AT = 400  # characters of a result in which a word of doubt may stand

# "ValueError: ...", "Input validation error: ...", "Error calling convert", "2 validation errors for ...", "Missing argument"
_NAMED = r"(?:\w+ )?(?:argument|parameter|field|property)"
_FAILED = re.compile(
    r"\W{0,3}(?!(?:no|zero|0|without|last|previous)\b)(?:(?:[\w'-]+ ){0,3}(?:\w*error|\w*exception|failure)\s*(?:[:!(\[>–—-]|\Z)"
    r"|error (?:calling|executing|running|processing|parsing|while|in|code|\d)|traceback \(most recent call"
    rf"|[1-9]\d* validation errors?\b|invalid\b|failed to\b|failed:|(?:missing|unknown|unexpected|unrecogni[sz]ed) {_NAMED}"
    r"|http(?:/\d(?:\.\d)?)? 4\d\d\b)", re.IGNORECASE)
_DOUBTED = re.compile(
    r"error|exception|traceback|invalid|\bfail|denied|forbidden|unauthori[sz]ed|missing|required|not found|unknown|unsupported"
    r"|refused|cannot|can't|could ?n[o']t|unable|\bmust\b|warning", re.IGNORECASE)
_PASSING = re.compile(
    r"time[ds]?[ -]?out|rate.?limit|too many requests|\b429\b|temporar|try again later|unavailable|overloaded|connection|network"
    r"|internal server error|bad gateway|http(?:/\d(?:\.\d)?)? 5\d\d\b", re.IGNORECASE)
_NO_ERROR = ("", "none", "no", "no error", "null", "false", "ok")
_TELLING = ("error", "errors", "is_error", "isError", "success", "ok")


def outcome(result: str) -> Outcome:
    "Of a JSON object its own fields say it, of other text how it begins."
    found = _read(result)
    if isinstance(found, dict):
        return _of_object(found)
    said = (found if isinstance(found, str) else result).strip()
    if _FAILED.match(said):
        return "" if _PASSING.search(said) else "failed"
    return _fine(said)


def _of_object(found: Mapping[str, Any]) -> Outcome:
    failed, fine = _says_failed(found), _says_fine(found)
    if failed:
        return "" if fine or _PASSING.search(json.dumps(found)) else "failed"
    if any(_counts(found.get(name), 1) for name in ("error", "errors")) or _counts(found.get("status"), 400):
        return ""
    return _fine(json.dumps({name: value for name, value in found.items() if name not in _TELLING}))


def _says_failed(found: Mapping[str, Any]) -> bool:
    status = found.get("status")
    return (any(_is_error(found.get(name)) for name in ("error", "errors")) or found.get("is_error") is True
            or found.get("isError") is True or found.get("success") is False or found.get("ok") is False
            or (isinstance(status, str) and status.casefold() in ("error", "failed")))


def _says_fine(found: Mapping[str, Any]) -> bool:
    status = found.get("status")
    said = isinstance(status, str) and status.casefold() in ("ok", "success")
    return said or found.get("success") is True or found.get("ok") is True


def _is_error(value: Any) -> bool:
    "A number is none: it may count the errors that a tool looked for."
    if isinstance(value, str):
        return value.strip().casefold() not in _NO_ERROR
    return value is True or (isinstance(value, dict | list) and bool(value))


def _counts(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _fine(said: str) -> Outcome:
    return "fine" if said and not _DOUBTED.search(said[:LOOKED_AT]) else ""


def _read(result: str) -> Any:
    "What a result says as JSON, None where it is none."
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        return None
