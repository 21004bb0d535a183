"""Every content word of a memory was said: modulo person change, inflection and frame words."""

from __future__ import annotations

import re
import unicodedata

from pocketsleep.night.listen import words

FRAME = words.bag(
    "the user user's users a an is are was were has have had does do did not will be to of in at on for "
    "and or with as by from wants want called named assistant should always never when it its cannot "
    "can their they them themselves says say types that name names s own no being been would there who "
    "which i my me we our"
)
_FORMS = {
    "given": "giv",
    "told": "tell",
    "sent": "send",
    "written": "writ",
    "shown": "show",
    "said": "say",
    "woken": "wak",
    "rung": "ring",
    "taken": "tak",
    "goes": "go",
    "children": "child",
    "kids": "kid",
    "wives": "wif",
    "hens": "hen",
    "moved": "mov",
    "wrote": "writ",
    "been": "be",
    "dont": "do",
    "cant": "can",
    "live": "liv",
    "lives": "liv",
}


def stem(word: str) -> str:
    "A crude stem: accents, possessives and common endings off."
    word = unicodedata.normalize("NFKD", word.casefold().replace("’", "'"))
    word = "".join(c for c in word if not unicodedata.combining(c))
    word = re.sub(r"'s$|'$", "", word)
    if word in _FORMS:
        return _FORMS[word]
    word = re.sub(r"(?:ies)$", "y", word)
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def content(text: str) -> set[str]:
    "The stems of the words that carry the content of a sentence."
    found = re.findall(r"[^\W_]+(?:['’.:,/-][^\W_]+)*", text)
    return {stem(w) for w in found if w.casefold().replace("’", "'") not in FRAME}


def ungrounded(memory: str, said: str) -> set[str]:
    "Stems of the memory that were never said."
    return content(memory) - _all(said)


_SAME = re.compile(r"The user's (?P<one>[\w' -]+?) (?:is|are|was|were) (?:called |named )?(?:a |an |the )?(?P<two>[\w' -]+)\.")


def empty(memory: str) -> bool:
    "Whether a memory says of a thing that it is that thing."
    found = _SAME.fullmatch(memory)
    return found is not None and content(found["one"]) == content(found["two"])


_FIRST = re.compile(r"\b(?:i|i'm|im|ive|i've|i'd|i'll|my|me|mine|we|we're|we've|our|us|myself)\b", re.IGNORECASE)
_THIRD = re.compile(r"\b(?:he|she|they|his|her|hers|their|him|them|he's|she's|they're)\b", re.IGNORECASE)
_NOT = r"(?:not|no|never|n't|isn't|aren't|wasn't|don't|doesn't|didn't|nor|without|isnt|dont|wasnt)"
_DENIES = re.compile(rf"\b(?:{_NOT}|cannot|can't|none|avoids?|hates?|refuses?|stopped|gave up)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\d[ -]?){6,}")


def long_number(note: str) -> bool:
    "A run of digits that no person keeps in mind: an account, a card, a passport."
    return bool(_NUMBER.search(note))


def unfaithful(note: str, answer: str, sentence: str) -> str:
    """Why a note that somebody else wrote of a sentence does not say what it says, '' when nothing speaks against it:
    what others are is not what the user is, what is denied is not so, and long numbers are nobody's memory."""
    said = sentence.replace("’", "'")
    if note.startswith("The user ") and not _FIRST.search(said) and _THIRD.search(said):
        return "other: said of somebody else"
    if long_number(note):
        return "secret: a long number"
    between = r"(?:[ ,]+[\w'-]+){0,3}?[ ,]+(?:an? |the |any )?"
    denied = re.search(rf"(?:\b{_NOT}|n't)\b{between}{re.escape(answer)}\b", said, re.IGNORECASE)
    return "denied: the opposite was said" if denied and not _DENIES.search(note) else ""


def _all(text: str) -> set[str]:
    return {stem(w) for w in re.findall(r"[^\W_]+(?:['’.:,/-][^\W_]+)*", text)} | {
        stem(w) for w in re.findall(r"[^\W_]+", text)
    }
