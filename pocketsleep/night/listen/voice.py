"""Person change: what the user said of themselves, said of the user, with the verb agreeing."""

from __future__ import annotations

import re

from pocketsleep.night.listen import words

IRREGULAR = {"have": "has", "do": "does", "go": "goes", "am": "is", "are": "is", "were": "was", "be": "is"}
MODALS = words.bag("can could will would shall should may might must has is was had did does not")
_VERBS = (
    words.LASTING
    | words.HABITUAL
    | words.TASTE
    | words.NEGATED
    | words.UNABLE
    | words.bag("have do go am are were")
)
_PRONOUNS = {
    "my": "the user's",
    "mine": "the user's",
    "me": "the user",
    "myself": "themselves",
    "our": "the user's",
    "ours": "the user's",
    "us": "the user",
    "ourselves": "themselves",
    "i": "the user",
    "we": "the user",
}
_WORD = re.compile(r"\"[^\"]*\"|[\w'À-ÿ-]+|[^\w\s]|\s+")


def third_person(verb: str) -> str:
    "'play' -> 'plays', 'have' -> 'has', 'study' -> 'studies'."
    low = verb.lower()
    if low in IRREGULAR:
        return IRREGULAR[low]
    if low in MODALS:
        return low
    if re.search(r"(?:s|x|z|ch|sh|o)$", low):
        return low + "es"
    return low[:-1] + "ies" if re.search(r"[^aeiou]y$", low) else low + "s"


def base_form(verb: str) -> str:
    "'plays' -> 'play', 'has' -> 'have'; a base form stays."
    low = verb.lower()
    for base, form in IRREGULAR.items():
        if low == form and base in ("have", "do", "go"):
            return base
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low in _VERBS or not re.search(r"[^su]s$", low):
        return low
    return low[:-2] if re.search(r"(?:ss|x|z|ch|sh)es$", low) else low[:-1]


def about_user(text: str) -> str:
    """A phrase in the first person, said of the user; verbs after "I" and "we" agree, and so do
    verbs coordinated with them ("I live in Axim and work ..."). Quotations are left alone."""
    pieces = _WORD.findall(text)
    out: list[str] = []
    awaiting = False  # a verb for the subject "the user"
    for piece in pieces:
        low = piece.lower()
        if low in _PRONOUNS:
            out.append(_PRONOUNS[low])
            awaiting = low in ("i", "we")
        elif awaiting and low.strip() and low not in words.ADVERBS:
            out.append(third_person(piece) if low in _VERBS else piece)
            awaiting = False
        else:
            out.append(piece)
    return _possessive("".join(out))


def _possessive(text: str) -> str:
    return re.sub(r"\bown the user's\b", "own", text).replace("the user's own", "their own")


_TRIM_WORDS = re.compile(
    r"(?:,? (?:too|though|tho|anyway|please|pls|thanks|thx|lol|haha|by the way|btw|you know|"
    r"of course|actually|after all|"
    r"any ?more|any ?longer|these days|nowadays|sadly|luckily|i think|sorry|now|already|"
    r"instead|yet|ja|lah|right))+$",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",? (?:which|who|because|cos|since (?:i|we|the|my|it|he|she)|so|not (?:a|an|the) |but|"
    r"and (?:i|we|he|she|it|they|then|now|last)\b|and (?:[\w'-]+ ){1,4}(?:is|are|was|cost|"
    r"costs|will|has|needs|wants|comes|gets)|"
    r"instead of|rather than|as (?:i|we|you|it|he|she)|unless|until (?:i|we)|although|"
    r"though|while|if|for now|when (?:i|we)|"
    r"to (?:say|tell))\b.*$",
    re.IGNORECASE,
)


def trim(text: str) -> str:
    "The core of a predicate: asides after a comma, reasons and fillers are cut, lists are kept."
    text = _TAIL.sub("", " " + text.strip()).strip()
    text = re.sub(r" (?:now|already|again)(?=,)", "", _commas(text))
    while (shorter := _TRIM_WORDS.sub("", text)) != text:
        text = shorter
    return text.strip(" ,.;:!-–—")


_NOT_PART = re.compile(
    r"^(?:and )?(?:not|no|never|only|just|even|always|properly|really|so|please|especially|mostly)\b",
    re.IGNORECASE,
)


def _commas(text: str) -> str:
    "Cut at the first comma that opens an aside; keep enumerations and the rest of a place or a date."
    pieces = re.split(r"(?<!\d),\s+|,\s+(?!\d)", text)
    kept = [pieces[0]]
    for number, piece in enumerate(pieces[1:], 1):
        rest = pieces[number:]
        listed = len(piece.split()) <= 5 and any(
            re.match(r"(?:and|or) |.*\b(?:and|or)\b", p) for p in rest[:4]
        )
        place = re.match(r"(?:[A-ZÀ-Þ][\w'-]+|\d{4})(?: [\w'-]+){0,2}$", piece)
        if _NOT_PART.match(piece) or not (listed or place):
            break
        kept.append(piece)
    return ", ".join(kept)


_PREPOSITIONS = (
    r"(?:in|at|on|from|to|with|for|of|as|by|near|off|since|outside|behind|about|under|over|"
    r"around|until|between|before|after)"
)


def core(predicate: str) -> str:
    "The span of one to six words that answers a question about the predicate, '' when there is none."
    text = re.sub(
        rf"^(?:not |(?:is|are|was) |{_PREPOSITIONS} |a |an |the |some |called |born |to |"
        r"only |very |severely |badly )+",
        "",
        predicate,
        flags=re.I,
    )
    chosen = text.split()
    if len(chosen) > 1:
        shorter = re.split(rf"\s+(?=(?!of\b){_PREPOSITIONS}\b)|, ", text)[0].split()
        chosen = shorter if shorter else chosen
    chosen = chosen[:6]
    while chosen and re.fullmatch(rf"{_PREPOSITIONS}|and|or|the|a|an|is", chosen[-1], re.I):
        chosen.pop()
    return " ".join(chosen).strip(" ,.;:!")


_VERB_GROUP = re.compile(
    r"^(?:(?:never|always|only|usually|normally|mostly|mainly|rarely|seldom|often|generally) )*"
    r"(?:(?:does|do|will|may|must) not [\w'-]+|cannot [\w'-]+|can [\w'-]+|has (?:been|lived|"
    r"worked|had|played|kept|taught|known|owned|moved|switched|changed|never \w+)|"
    r"was born|grew up|[\w'-]+)(?= |$)(?: (?:allergic|intolerant|scared|afraid|fond|"
    r"terrified|married|engaged|based|originally|off|up|out|training|learning|studying))?",
    re.IGNORECASE,
)


def gist(predicate: str) -> str:
    'The core of a predicate without its verb: "is allergic to hazelnuts" -> "hazelnuts".'
    rest = _VERB_GROUP.sub("", predicate, count=1).strip()
    return core(rest) or core(predicate)


def sentence(subject: str, predicate: str) -> str:
    "'The user' + 'lives in Axim' -> 'The user lives in Axim.'"
    text = f"{subject} {predicate}".strip(" ,.;:!")
    text = re.sub(r"\s+", " ", text)
    return text[0].upper() + text[1:] + "."
