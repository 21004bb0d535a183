"""Every content word of a memory was said: modulo person change, inflection and frame words."""

from __future__ import annotations

import re
import unicodedata

from pocketsleep.night.listen import words

_FRAME = words.bag(
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
    return {stem(w) for w in found if w.casefold().replace("’", "'") not in _FRAME}


def ungrounded(memory: str, said: str) -> set[str]:
    "Stems of the memory that were never said."
    return content(memory) - _all(said)


def _all(text: str) -> set[str]:
    return {stem(w) for w in re.findall(r"[^\W_]+(?:['’.:,/-][^\W_]+)*", text)} | {
        stem(w) for w in re.findall(r"[^\W_]+", text)
    }
