"""From a note to clauses: where the subject ends, what the verb group is, which chunks follow.

There is no tagger: notes are plain declarative sentences, so a lexicon of verb forms and the closed
classes find the finite verb. What cannot be read that way gives no clause, and the note is then only
repeated whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pocketsleep.night.grammar.chunks import chunked, depth, steps
from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.inflect import (
    base_of_third,
    conjugate,
    is_participle,
    is_past,
    known_gerund,
    known_past,
    known_third,
)
from pocketsleep.night.grammar.person import is_verb
from pocketsleep.night.grammar.words import (
    ADVERBS,
    AUXILIARIES,
    BE,
    DETERMINERS,
    DO,
    HAVE,
    MODALS,
    NEGATIVE,
    NOUNY,
    PREPOSITIONS,
    VERBS,
)

_LEADS = re.compile(
    r"^(In|On|At|For|From|Between|Every|During|By|Since|Before|After|When|Whenever|If|Once|While|Until|Unless|As)\b.*?"
    r"(?=,? (?:the user(?:'s)?|their|they|the assistant) )",
)
_AFTER_PAST = DETERMINERS | PREPOSITIONS
_RELATIVE = frozenset("who which that where whose when".split())
_PLURALS = frozenset("children people parents twins in-laws grandparents kids feet teeth mice hens bees staff police".split())


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Clause, ...]:
    "The clauses of a note in order, () when it cannot be read. Coordinated predicates become clauses of their own."
    body = text.strip().rstrip(".").replace("’", "'")
    if re.search(r"[.!?] [A-Z]", re.sub(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|No|[A-Z])\.", "", body)):
        body = re.split(r"(?<![A-Z][a-z])(?<![A-Z])[.!?] (?=[A-Z])", body)[0].rstrip(".")
    lead, main = _lead(body)
    words = main.split()
    if len(words) < 3 or instruction(text) is not None:
        return ()
    if (cut := re.search(r",? and (?=the user \w+s\b)", main)) and not lead and (second := parse(main[cut.end() :])):
        return (*parse(main[: cut.start()]), *second)
    found = _subject(words)
    if found is None:
        return ()
    subject, appositive, start = found
    first = _predicate(words[start:], subject, appositive, lead)
    if first is None:
        return ()
    clause, further = first
    crowd = any(_plural(w.lower()) and w.lower().strip(",") not in ("has", "was") and not known_third(w.lower()) for w in main.split())
    return tuple(replace(c, crowd=crowd) for c in (clause, *_coordinated(further, clause)))


@dataclass(frozen=True, slots=True)
class Instruction:
    "What the assistant should do: when (third person, '' always), and the deed as a bare infinitive."

    lead: str
    deed: str


@lru_cache(maxsize=4096)
def instruction(text: str) -> Instruction | None:
    "'When the user types X, show Y.' and 'the assistant should show Y'; None for other notes."
    body = text.strip().rstrip(".").replace("’", "'")
    lead, main = _lead(body)
    if not lead and re.match(r"(?:When|Whenever|If|Before|After)\b", body):
        cut = next((c for c in re.finditer(", ", body) if depth(body[: c.start()]) == 0), None)
        if cut and body[cut.end() :].split()[0] in VERBS:
            return Instruction(body[: cut.start()], body[cut.end() :])
    if match := re.match(r"[Tt]he assistant (?:should|must|is to|has to) (.+)", main):
        return Instruction(lead, match.group(1))
    if match := re.match(r"[Tt]he assistant (\w+s) (.+)", main):
        return Instruction(lead, f"{base_of_third(match.group(1))} {_unmarked(match.group(2))}")
    return None


def _unmarked(text: str) -> str:
    return re.sub(r"(?<=\band )(\w+s)(?= (?:only|the|a|it|with|no)\b)", lambda m: base_of_third(m[1]), text)


def _lead(body: str) -> tuple[str, str]:
    "(adverbial in front, main clause)"
    if _LEADS.match(body):
        # the first comma that a subject follows ends the lead; "when the user types X, the user ..." has two subjects
        for cut in re.finditer(r",? (?=(?:the user(?:'s)?|the assistant|their|they) )", body):
            lead, main = body[: cut.start()], body[cut.end() :]
            if depth(lead) == 0 and (cut.group().startswith(",") or not _conjunction(lead)):
                return lead, re.sub(r"^they (\w+)", lambda m: f"the user {conjugate(m[1], 'third')}", main)
    match = re.match(r"^((?:In|On|At|From|Every|During|Since|Before|After|For) [^,]+), (?=[A-Z])", body)
    return (match.group(1), body[match.end() :]) if match else ("", body)


def _conjunction(lead: str) -> bool:
    first, *others = lead.lower().split()
    return first in ("when", "whenever", "if", "once", "while", "unless") or first in ("before", "after", "until") and not others


def _subject(words: list[str]) -> tuple[str, str, int] | None:
    "(subject without appositive, appositive, index of the first word of the predicate)"
    if [w.lower() for w in words[:2]] == ["the", "user"] and words[2] != "and":
        return "the user", "", 2
    if [w.lower() for w in words[:2]] == ["the", "user,"]:
        end = next((i for i in range(2, len(words)) if words[i].endswith(",")), None)
        return None if end is None else ("the user", " ".join(words[2 : end + 1]).rstrip(","), end + 1)
    start = _finite_index(words)
    if start is None or start == 0:
        return None
    said = " ".join(words[:start])
    head, comma, appositive = said.partition(", ")
    return (_lowered(head.rstrip(",")), appositive.rstrip(",") if comma else "", start)


def _lowered(subject: str) -> str:
    "A subject as it stands inside a sentence: only 'The' and other function words lose their capital."
    first, _, others = subject.partition(" ")
    low = first.lower()
    keep = low not in DETERMINERS | PREPOSITIONS and not (others and first.endswith("s") and low in VERBS)
    return subject if keep and first[:1].isupper() and not others.startswith("letters") else f"{low} {others}".strip()


def _finite_index(words: list[str]) -> int | None:
    "Index of the finite verb of a clause whose subject is not 'the user' itself."
    i, relative = 1, False
    while i < len(words):
        word, before = words[i].lower().strip(","), words[i - 1]
        if before.endswith(",") and (close := _closing(words, i)) is not None:
            i = close + 1
            continue
        if word in _RELATIVE:
            relative = True
        elif _finite(words, i):
            if not relative:
                while i > 1 and words[i - 1].lower() in ADVERBS:
                    i -= 1
                return i
            relative = False
        i += 1
    return None


def _closing(words: list[str], start: int) -> int | None:
    "Index of the word that closes a parenthesis opened before `start` by a comma."
    for i in range(start, len(words) - 1):
        if words[i].endswith(","):
            return i
    return None


def _finite(words: list[str], i: int) -> bool:
    word, before = words[i].lower(), words[i - 1].lower()
    if word in AUXILIARIES or word in NEGATIVE:
        return True
    if before in DETERMINERS or before.endswith("'s") or before in PREPOSITIONS or words[i][:1].isupper():
        return False
    following = words[i + 1].lower() if i + 1 < len(words) else ""
    if known_third(word):
        return not (word in NOUNY and (_opens(following) or i == 1 and following == "for"))
    if _plural(before) or _plural(_head(words[:i])) or " and " in " ".join(words[:i]):
        return word in VERBS or bool(known_past(word))
    return bool(known_past(word)) and not _opens(following)


def _head(words: list[str]) -> str:
    "The noun before the first preposition."
    cut = next((i for i, w in enumerate(words) if w.lower() in PREPOSITIONS and i), len(words))
    return words[cut - 1].lower()


def _opens(word: str) -> bool:
    "Whether a finite verb stands here without doubt."
    return word in AUXILIARIES or word in NEGATIVE or bool(known_third(word)) or word in VERBS and word not in PREPOSITIONS


def _plural(word: str) -> bool:
    word = word.strip(",")
    return word in _PLURALS or word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))


def _predicate(words: list[str], subject: str, appositive: str, lead: str) -> tuple[Clause, str] | None:
    "The clause of a predicate that starts at its first adverb or verb, and a further coordinated predicate."
    adverb, i = _adverbs(words, 0)
    if i >= len(words):
        return None
    finite = words[i].lower().rstrip(",")
    negation = "never" if "never" in adverb.split() else ""
    adverb = " ".join(a for a in adverb.split() if a != "never")
    if finite in NEGATIVE:
        negation, finite = ("not" if finite == "cannot" else "n't"), NEGATIVE[finite]
    elif finite not in AUXILIARIES and not _verb_like(finite, subject):
        return None
    i += 1
    auxiliary, middle, i, negation, late = _group(words, i, finite, negation)
    adverb = " ".join(filter(None, (adverb, late)))
    tail, further = _split_coordination(" ".join(words[i:]), finite in HAVE)
    past = not auxiliary and not known_third(finite) and is_past(finite) and (subject.lower() == "the user" or finite not in VERBS)
    if finite in HAVE and not auxiliary:
        past = finite == "had"
    plural = subject.lower() != "the user" and (finite in ("are", "were", "have", "do") or not auxiliary and not past and finite in VERBS)
    plural = plural or _is_plural(subject)
    clause = Clause(subject=subject, finite=finite, middle=middle, chunks=chunked(tail, finite, middle), auxiliary=auxiliary,
                    past=past, negation=negation, adverb=adverb, appositive=appositive, lead=lead, plural=plural)
    return clause, further


def _is_plural(subject: str) -> bool:
    words = subject.split()
    if " and " in subject and not subject.lower().startswith("the user's"):
        return True
    common = [w for w in words if not w[0].isupper()]
    return subject.lower() != "the user" and bool(common) and common[-1] in _PLURALS


def _verb_like(word: str, subject: str) -> bool:
    if subject.lower() != "the user":
        return True
    return bool(known_third(word)) or is_past(word) or (word.endswith("s") and word.isalpha() and word not in ("as", "plus"))


def _adverbs(words: list[str], i: int) -> tuple[str, int]:
    start = i
    while i < len(words) and words[i].lower() in ADVERBS:
        i += 1
    return " ".join(w.lower() for w in words[start:i]), i


def _group(words: list[str], i: int, finite: str, negation: str) -> tuple[bool, str, int, str, str]:
    "(inverts, rest of the verb group, index after it, negation, adverbs inside it)"
    late: list[str] = []
    while i < len(words) and (words[i].lower() in ADVERBS or words[i].lower() == "not") and finite in AUXILIARIES:
        if words[i].lower() in ("not", "never"):
            negation = words[i].lower()
        else:
            late.append(words[i].lower())
        i += 1
    after = words[i].lower().rstrip(",") if i < len(words) else ""
    if finite in MODALS or finite in DO and after in VERBS and negation:
        middle, i = _verbs(words, i)
        return True, middle, i, negation, " ".join(late)
    if finite in HAVE and is_participle(after) and not _object_follows_have(words, i):
        middle, i = _verbs(words, i)
        return True, middle, i, negation, " ".join(late)
    if finite in BE:
        if is_participle(after) or known_gerund(after):
            middle, i = _verbs(words, i)
            return True, middle, i, negation, " ".join(late)
        return True, "", i, negation, " ".join(late)
    return False, "", i, negation, " ".join(late)


def _object_follows_have(words: list[str], i: int) -> bool:
    "'has lost hearing' is a perfect, 'has left-handed scissors' is not: a participle before a plural noun is rare."
    return "-" in words[i]


def _verbs(words: list[str], i: int) -> tuple[str, int]:
    "The non-finite verbs from i on: 'have been registered', 'be', 'learning'."
    start = i
    while i < len(words):
        word = words[i].lower().rstrip(",")
        i += 1
        if word not in ("be", "been", "being", "have", "to", "not", "had") or words[i - 1].endswith(","):
            break
        following = words[i].lower().rstrip(",") if i < len(words) else ""
        if word in ("be", "been", "being") and not (is_participle(following) or known_gerund(following)):
            break
        if word in ("have", "had") and not is_participle(following):
            break
    return " ".join(words[start:i]).rstrip(","), i


def _split_coordination(tail: str, perfect: bool) -> tuple[str, str]:
    "(this predicate, a further one that starts with a finite verb). Step lists stay whole."
    if steps(tail) and not re.search(r"^[^,]* and (?:has|is|wants|does|can|will) ", tail):
        return tail, ""
    tail = f" {tail}"
    for match in re.finditer(r",? (?:and|but) (?=(\S+)(?: (\S+))?)", tail):
        word, following = match.group(1).lower(), match.group(2) or ""
        finite = word in AUXILIARIES or word in NEGATIVE or is_verb(word, following) or word in ADVERBS and is_verb(following, "the")
        finite = finite or not perfect and bool(known_past(word)) and word not in VERBS and following.lower() in _AFTER_PAST
        commas = len(re.findall(r",\s", tail[: match.start()]))
        if finite and depth(tail[: match.start()]) == 0 and not commas and "the user" not in tail[: match.start()]:
            return tail[: match.start()].rstrip(",").strip(), tail[match.end() :]
    return tail.strip(), ""


def _coordinated(further: str, clause: Clause) -> tuple[Clause, ...]:
    if not further:
        return ()
    found = _predicate(further.split(), clause.subject, clause.appositive, clause.lead)
    if found is None:
        return ()
    second, rest = found
    if not second.chunks and not second.middle:
        return ()
    return (second, *_coordinated(rest, second))

