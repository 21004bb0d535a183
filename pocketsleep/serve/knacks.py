"""What is known of calls of a program's tools, for a request that offers these tools.

Names in it may once have come out of a tool's result (night/knacks.py). So it is said only of a tool that the request itself
offers, and of an argument that this tool's schema has, where the schema allows what is said: nothing reaches the prompt but names
that the program wrote there, in sentences of ours.

What a page or a mail might gain by it is bounded, too. "Give `bcc`, too" is said only of what the program itself requires; "leave
out `dry_run`" only once two conversations have shown it: the error of one does not reach into all that come after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pocketsleep.journal import Journal
from pocketsleep.nouns import VALUES, Knack

MOST = 4  # lines: more drown a small model
LEFT_OUT = 2  # conversations that have to show that an argument is to be left out
_TYPES = {"string": "text", "number": "number", "integer": "number", "boolean": "true/false", "array": "list", "object": "object"}


def called_for(journal: Journal, offered: Any) -> list[Knack]:
    "For the tools of a request, as the dialect lists them: of each argument the newest, and of all the newest few."
    schemas = _schemas(offered)
    known = journal.knacks(schemas) if schemas else []
    talks = Counter(name for name, _ in {(one.id, one.episode.partition("~")[0]) for one in known})
    found: dict[tuple[str, str], Knack] = {}
    for one in known:
        if _allows(schemas[one.tool], one, talks[one.id]):
            found.setdefault((one.tool, one.argument), one)
    return list(found.values())[:MOST]


def _schemas(offered: Any) -> dict[str, Mapping[str, Any]]:
    "By tool, the schema of its arguments. What the request writes otherwise is left to who answers it."
    functions = [one.get("function") for one in offered if isinstance(one, dict)] if isinstance(offered, list) else []
    named = {one["name"]: one.get("parameters") for one in functions if isinstance(one, dict) and isinstance(one.get("name"), str)}
    return {name: schema for name, schema in named.items() if isinstance(schema, dict)}


def _allows(schema: Mapping[str, Any], one: Knack, talks: int) -> bool:
    "Whether there is such an argument, and its schema says nothing else. `talks`: how many showed it."
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or one.argument not in properties:
        return False
    needed = isinstance(required, list) and one.argument in required
    if "nothing" in (one.wants, one.was):
        return needed if one.was == "nothing" else not needed and talks >= LEFT_OUT
    about = properties[one.argument]
    given = about.get("type") if isinstance(about, dict) else None
    types = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    kinds = {_TYPES.get(str(name)) for name in types}
    return not kinds or (one.wants if one.wants in VALUES else "text") in kinds
