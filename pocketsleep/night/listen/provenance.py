"""Which spans of a message are the person's own words.

Pasted mails, quotations, code, logs, forwarded headers, link-bearing and long blocks, and whatever
follows "translate this:" belong to somebody else, or say nothing of the person. A short quotation
inside a sentence ("gotas") stays where it stands: it names a word, it does not speak.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONG_BLOCK = 1200  # characters of one paragraph: more is pasted, not typed
LONG_MESSAGE = 8000  # characters: of a longer message only the first and the last paragraph are read
SHORT_QUOTE = 6  # words
SHOWN = 30  # words of a paragraph that stands beside a request: more is shown, not said


@dataclass(frozen=True, slots=True)
class Span:
    "text[start:end], and why it is not the author's own ('' when it is)."

    start: int
    end: int
    reason: str = ""


_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_URL = re.compile(r"https?://|www\.\w|\b[\w-]+\.(?:com|org|net|io|co\.uk)/\S")
_HEADER = re.compile(
    r"^\s*(?:-{2,} ?(?:forwarded|original) message|(?:from|to|cc|subject|date|sent|re|fwd?|"
    r"von|de|betreff): \S)",
    re.IGNORECASE | re.MULTILINE,
)
_SALUTATION = re.compile(
    r"^\s*[\"“]?(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|estimad[oa]|"
    r"liebe[r]?|chère?|to whom)\b[^\n.?!]{0,40}[,!:]?\s*$",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"^\s*(?:(?:kind|best|warm|many)? ?regards|best(?: wishes)?|yours(?: \w+)?|cheers|"
    r"sincerely|love|all the best|"
    r"many thanks|thanks|xx?|respectfully|warmly|un saludo|cordialement|mfg)[,.!]?\s*(?:$|\n|[A-Z])",
    re.IGNORECASE,
)
_INTRODUCES = re.compile(
    r"\b(?:translate|translation|proof ?read|proof|summari[sz]e|summary|tl;?dr|shorten|"
    r"rewrite|re-?word|polish|"
    r"tidy|clean up|edit|correct|check|fix|review|render|transcribe|paraphrase|boil|cut this|extract|mark|"
    r"he(?:'s|re) (?:is|are)?|here'?s|here is|here are|(?:he|she|they) (?:says?|said|wrote|"
    r"writes|sent|texted)|says?|"
    r"wrote|writes|writing|sent|sends|forward(?:ed|s)?|mail|e-?mail|letter|message|text|"
    r"note|post|review|article|"
    r"transcript|voicemail|log|draft|poem|story|story|paragraph|abstract|bio|caption|blurb|"
    r"notice|subject|entry|"
    r"readme|flyer|leaflet|listing|comment|quote|quotation|lyrics|speech|homily|toast|"
    r"answer this|reply to this|"
    r"this came|arrived|got this|real\??|scam\??|spam\??)\b",
    re.IGNORECASE,
)
_CODE_LINE = re.compile(
    r"^\s*(?:[$#>%] ?\S|//|/\*|<!--|<\w+[^>]*>|[{}\[\]]|at \w+[.(]|traceback|\w+error\b|error[:\[]|warning:|"
    r"\d{4}-\d\d-\d\d[T ]\d\d:|\[?\d\d:\d\d(?::\d\d)?\]|[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d|"
    r"import \w|def \w|class \w+|"
    r"select .* from |[\w.]+\(.*\);?$|[\w.]+ ?= ?\S+;$)",
    re.IGNORECASE,
)
_SYMBOLS = re.compile(r"[{}<>=|$\\\[\]`;_^~]")
_QUOTES = re.compile(
    r"\"(?P<a>[^\"\n]{1,2000})\"|“(?P<b>[^”]{1,2000})”|«(?P<c>[^»]{1,2000})»|„(?P<d>[^“”]{1,2000})[“”]"
    r"|(?<![\w'’])['‘](?P<e>[^'‘’\n]{12,600})['’](?!\w)|`(?P<f>[^`\n]{1,400})`"
)
_FIRST = re.compile(r"\b(?:i|i'm|im|my|we|our|me|us)\b", re.IGNORECASE)
_FENCE = re.compile(r"```.*?(?:```|\Z)|^---+[ \t]*\n.*?(?:^---+[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


def own_words(text: str) -> tuple[list[Span], list[Span]]:
    "(own, aside): disjoint spans in order; together they leave out only white space."
    own: list[Span] = []
    aside: list[Span] = []
    pasting = ""
    blocks = _ends(text) if len(text) > LONG_MESSAGE else _blocks(text)
    letter = _letter(text, blocks)
    for n, block in enumerate(blocks):
        reason = block.reason or pasting or ("letter" if n in letter else _shown(text, block, blocks))
        if pasting == "letter" and _SIGN_OFF.match(text, block.start):
            pasting = ""
        if not reason:
            reason = _of_others(text[block.start : block.end])
            if reason == "letter" and not _signed(text[block.start : block.end]):
                pasting = "letter"
        if reason:
            aside.append(Span(block.start, block.end, reason))
            continue
        pasting = pasting or _split_block(text, block, own, aside)
    return own, aside


_PROGRAM = re.compile(r"^\s*(?:#{2,} |</?\w+>\s*$|(?:user|human|assistant|system|ai)\s*:)", re.IGNORECASE | re.MULTILINE)


def typed_until(text: str) -> int:
    """Where the words end that a person typed for sure: after the first paragraph that asks for something to be done with what
    follows it. 0 where a program wrote it: headings, tags, and talks within a message."""
    if _PROGRAM.search(text):
        return 0
    breaks = [*_PARAGRAPH.finditer(text)]
    starts = [0, *(b.end() for b in breaks)]
    ends = [*(b.start() for b in breaks), len(text)]
    return next((end for start, end in zip(starts, ends, strict=True) if _INTRODUCES.search(text, start, end)), len(text))


def _letter(text: str, blocks: list[Span]) -> range:
    "Paragraphs between one that asks and a greeting or a signature further down: whatever stands above a greeting came with it."
    said = [text[b.start : b.end].strip() for b in blocks]
    asks = next((n for n, one in enumerate(said) if one.endswith(("?", ":")) or _INTRODUCES.search(one[-120:])), len(said))
    greeted = [n for n in range(asks + 1, len(said)) if any(_SALUTATION.match(line) for line in said[n].split("\n"))]
    signed = [n for n in range(asks + 1, len(said)) if any(_SIGN_OFF.match(line) for line in said[n].split("\n"))]
    if not greeted:
        return range(0)
    return range(asks + 1, max([greeted[-1], *signed]) + 1)


def _shown(text: str, block: Span, blocks: list[Span]) -> str:
    "A paragraph of several sentences beside one that asks for something: shown to be worked on, and by whom it is nobody knows."
    said = text[block.start : block.end]
    if len(blocks) < 2 or len(said.split()) < SHOWN or len(_SENTENCE_END.findall(said)) < 3:
        return ""
    others = [text[b.start : b.end].strip() for b in blocks if b is not block and not b.reason]
    asking = any(o.endswith(("?", ":")) or _INTRODUCES.search(o) for o in others if len(o.split()) < len(said.split()) + SHOWN)
    return "pasted" if asking else ""


_SENTENCE_END = re.compile(r"[.!?…](?=\s|$|[\"”'’)])")


def _ends(text: str) -> list[Span]:
    "The first and the last paragraph of a long message; what lies between is one aside block."
    first = text.find("\n\n", 0, LONG_BLOCK)
    last = text.rfind("\n\n", len(text) - LONG_BLOCK)
    start, end = (first if first > 0 else 0), (last if last > first else len(text))
    return [*_paragraphs(text, 0, start), Span(start, end, "long"), *_paragraphs(text, end, len(text))]


def _blocks(text: str) -> list[Span]:
    "Paragraphs; code fences and `---` blocks are one aside block each."
    found: list[Span] = []
    at = 0
    for fence in _FENCE.finditer(text):
        found += _paragraphs(text, at, fence.start())
        found.append(Span(fence.start(), fence.end(), "fenced"))
        at = fence.end()
    return found + _paragraphs(text, at, len(text))


def _paragraphs(text: str, start: int, end: int) -> list[Span]:
    found: list[Span] = []
    at = start
    for gap in _PARAGRAPH.finditer(text, start, end):
        found.append(Span(at, gap.start()))
        at = gap.end()
    found.append(Span(at, end))
    return [s for s in found if text[s.start : s.end].strip()]


def _of_others(block: str) -> str:
    "Why a whole paragraph is not its author's own words, '' if it may be."
    if len(block) > LONG_BLOCK:
        return "long"
    if _URL.search(block):
        return "link"
    if _HEADER.search(block):
        return "forwarded"
    first_line = block.split("\n", 1)[0]
    return (
        "letter"
        if _SALUTATION.match(first_line) and ("\n" in block or first_line.lower().startswith("dear"))
        else ""
    )


def _signed(block: str) -> bool:
    return any(_SIGN_OFF.match(line) for line in block.split("\n")[1:])


def _split_block(text: str, block: Span, own: list[Span], aside: list[Span]) -> str:
    "Own and other spans of one paragraph. Answers why the paragraphs that follow are pasted, or ''."
    at = block.start
    pasting = ""
    for start, end in _lines(text, block):
        line = text[start:end]
        if pasting or line.lstrip().startswith(">") or _code(line):
            at = _keep(text, at, start, own, aside)
            aside.append(Span(start, end, pasting or ("quoted" if line.lstrip().startswith(">") else "code")))
            at = end
        elif line.rstrip().endswith(":") and (end < block.end or _INTRODUCES.search(line)):
            pasting = "pasted"
    _keep(text, at, block.end, own, aside)
    tail = text[at : block.end].rstrip()
    return "pasted" if pasting or (tail.endswith(":") and end_introduces(tail)) else ""


def end_introduces(tail: str) -> bool:
    "Does a text that ends in a colon announce somebody's text?"
    return bool(_INTRODUCES.search(tail[-200:]))


def _lines(text: str, block: Span) -> list[tuple[int, int]]:
    found, at = [], block.start
    for line in text[block.start : block.end].split("\n"):
        found.append((at, at + len(line)))
        at += len(line) + 1
    return found


def _code(line: str) -> bool:
    "A line of code, a log or a command."
    bare = line.strip()
    if not bare:
        return False
    return bool(_CODE_LINE.match(bare)) or len(_SYMBOLS.findall(bare)) > max(2, len(bare) * 0.06)


def _keep(text: str, start: int, end: int, own: list[Span], aside: list[Span]) -> int:
    "Split text[start:end] at long quotations and announced texts; short quotations stay."
    at = start
    for quote in _QUOTES.finditer(text, start, end):
        said = quote.group(quote.lastgroup or 0)
        if len(said.split()) <= SHORT_QUOTE and not (_FIRST.search(said) and len(said.split()) > 1):
            continue
        _announced(text, at, quote.start(), own, aside)
        aside.append(Span(quote.start(), quote.end(), "quoted"))
        at = quote.end()
    opened = text.find('"', at, end)
    if opened >= 0 and text.count('"', at, end) % 2:  # a quotation that never closes
        last = text.rfind('"', at, end)
        if len(text[last:end].split()) > SHORT_QUOTE:
            _announced(text, at, last, own, aside)
            aside.append(Span(last, end, "quoted"))
            return end
    _announced(text, at, end, own, aside)
    return end


_INLINE = re.compile(
    r"\b(?:translate|proof ?read|summari[sz]e|shorten|rewrite|reword|polish|tidy|clean up|"
    r"correct|render|paraphrase|"
    r"(?:^|(?<=[.!?,;\n] )|(?<=please ))(?:write|draft|make|type|word|caption|"
    r"text)\b[^.?!\n:]{0,80}|(?:says?|said|wrote|writes|reads|runs|say|saying)(?=:)|"
    r"(?:mail|e-?mail|letter|message|text|note|post|caption|subject|notice|bio|story|"
    r"chapter|items?|announcement)(?: [\w']+){0,4})"
    r"\b[^.?!\n:]{0,20}:\s",
    re.IGNORECASE,
)


def _announced(text: str, start: int, end: int, own: list[Span], aside: list[Span]) -> None:
    'Within one line, what follows "write this: " or "she says: " is not a statement of the author.'
    found = _INLINE.search(text, start, end)
    if found and not re.search(
        r"\b(?:when|whenever|any ?time|every time|from now|always)\b", text[start : found.end()], re.I
    ):
        stop = re.compile(r"\n|(?<=[.!?])\s").search(text, found.end(), end)
        until = stop.start() if stop else end
        own.append(Span(start, found.end()))
        aside.append(Span(found.end(), until, "announced"))
        start = until
    if text[start:end].strip():
        own.append(Span(start, end))
