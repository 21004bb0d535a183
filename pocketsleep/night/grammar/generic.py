"Items that any clause gives: asked for its parts, for its truth, and said several ways."

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pocketsleep.night.grade import says
from pocketsleep.night.grammar.asking import JOBS, Gap, gaps
from pocketsleep.night.grammar.clause import Clause, join, question, sentence
from pocketsleep.night.grammar.inflect import base_of_past, base_of_third, gerund, third
from pocketsleep.night.grammar.items import ABOUT, TRUE, Item, indirect, inside, pick, repeated
from pocketsleep.night.grammar.words import ADVERBS, BE, HOLDS, KIN, MONTHS, PETS, ROLES, WEEKDAYS, wordset

_NOT_TOPICS = ADVERBS | wordset("no not to as any all it each every them this that one first so too")
LONGEST = 7  # words of a span that is given as an answer; longer ones are said as a sentence


def answer_of(clause: Clause, gap: Gap) -> str:
    "The span asked for, or the whole statement when the span is long."
    spoken = sentence(clause.speak(gap.answer, "you"))
    return spoken if len(spoken.split()) <= LONGEST else clause.statement(full=False)


def asked_for(clause: Clause) -> Iterator[Item]:
    "Direct and indirect questions for every chunk, and a gap to fill."
    for gap in gaps(clause):
        key = f"{gap.word}{gap.index}"
        answer, whole = answer_of(clause, gap), clause.statement(full=False)
        asked = clause.wh(gap.word, gap.index, stranded=gap.stranded)
        yield Item(asked, answer, "direct", f"wh/{key}")
        yield from repeated(asked, answer, key, 2, clause.subject)
        embedded = clause.embedded(gap.word, gap.index, stranded=gap.stranded)
        for n, item in enumerate(indirect(embedded, answer, key, 6, clause.subject)):
            yield item if n % 3 else replace(item, answer=whole)
        if blank := _blank(clause, gap):
            filled = sentence(clause.speak(clause.chunks[gap.index].noun.rstrip(","), "you"))
            yield Item(
                f"Fill in the gap: {blank}",
                filled if len(filled.split()) <= LONGEST else whole,
                "paraphrase",
                f"blank/{key}",
            )


def _blank(clause: Clause, gap: Gap) -> str:
    "The statement with the answer left out: 'I grew up in ___.'"
    chunk = clause.chunks[gap.index]
    if gap.word.split()[0] not in ("What", "Who", "Where", "When") or len(gap.word.split()) > 1 or chunk.kind == "reason":
        return ""
    said = clause.statement("I", full=False)
    value = clause.speak(chunk.noun.rstrip(","), "I")
    return said.replace(value, "___") if said.count(value) == 1 else ""


def subject_asked(clause: Clause) -> Iterator[Item]:
    "'Who drives me to hydrotherapy?' for subjects that are somebody or have a name."
    if clause.user or " and " in clause.subject:
        return
    if clause.auxiliary and not clause.middle:
        yield from _identified(clause)
        return
    if clause.middle in ("called", "named") or not (who := _who(clause)):
        return
    answer = sentence(clause.about("you"))
    asked = clause.subject_wh(who)
    yield Item(asked, answer, "direct", "subject")
    yield Item(
        f"Remind me {asked[0].lower()}{asked[1:-1]}.",
        clause.statement(full=False),
        "paraphrase",
        "subject/remind",
    )
    yield Item(f"Can you tell me {asked[0].lower()}{asked[1:]}", answer, "paraphrase", "subject/tell")


def subject_named(clause: Clause, core: str) -> Iterator[Item]:
    "'What tastes of soap to me?', where the core of the note is the thing that does."
    named = clause.user or clause.subject[:1].isupper()
    asked = named or clause.negation or _who(clause) or (clause.auxiliary and not clause.middle)
    if not asked and " and " not in clause.subject and says(clause.subject, core) and len(clause.rest("I").split()) > 1:
        yield Item(clause.subject_wh("What"), sentence(clause.about("you")), "direct", "subject/what")


def _identified(clause: Clause) -> Iterator[Item]:
    "'Who is the other au pair?', of 'Siobhan is the other au pair.': the name, by what it is alone."
    only = clause.chunks[0] if clause.chunks else None
    if not clause.subject[:1].isupper() or clause.negation or only is None or not re.match(r"(?:the|the user's) (?=[a-z])", only.text):
        return
    what = re.split(r" (?:of|in|at|on|for|with) ", only.text)[0].split()
    if (KIN | ROLES) & set(what) or JOBS.search(what[-1]):
        yield Item(clause.subject_wh("Who"), sentence(clause.about("you")), "direct", "subject")


def _who(clause: Clause) -> str:
    "'Who' for somebody, '' for things: people rarely ask which of their things does what."
    words = clause.subject.split()
    if clause.subject.startswith("the user's"):
        return "Who" if clause.head in KIN | ROLES else ""
    if clause.plural or clause.finite in (
        "gives",
        "puts",
        "makes",
        "causes",
        "hurts",
        "costs",
        "helps",
        "contains",
        "tastes",
        "takes",
    ):
        return ""
    return "Who" if len(words) <= 4 and all(w[0].isupper() for w in words) else ""


def true_or_not(clause: Clause) -> Iterator[Item]:
    "Yes/no questions whose answer the clause itself gives, yes and no."
    said, mine = clause.statement(full=False), clause.statement("I", full=False)
    word = "No" if clause.negation else "Yes"
    yield Item(clause.polar(), f"{word}, {inside(said)}.", "yes_no", f"polar/{word}")
    for wrapper in pick(TRUE, 2, clause.subject, clause.finite):
        yield Item(wrapper.format(s=inside(mine)), f"Yes, {inside(said)}.", "yes_no", f"polar/{wrapper}")
    if (turned := opposite(clause)) is not None:
        for wrapper in pick(TRUE[:3], 2, clause.subject, "not"):
            yield Item(
                wrapper.format(s=inside(turned.statement("I", full=False))),
                f"No, {inside(said)}.",
                "yes_no",
                f"not/{wrapper}",
            )


def whether(clause: Clause) -> Iterator[Item]:
    "Indirect yes/no questions, answered with the statement."
    mine = inside(affirmed(clause).statement("I", full=False))
    if len(mine.split()) > 20:
        return
    said = clause.statement(full=False)
    yield from indirect(f"whether {mine}", said, "whether", 4, clause.subject)
    yield Item(clause.polar()[:-1] + " or not?", said, "paraphrase", "whether/not")
    yield Item(
        f"Do you know whether {mine}?",
        f"{'No' if clause.negation else 'Yes'}, {inside(said)}.",
        "yes_no",
        "whether/know",
    )


def affirmed(clause: Clause) -> Clause:
    "The clause without its denial: 'never closes' -> 'ever closes', 'do not eat' -> 'eat'."
    if clause.negation == "never":
        return replace(clause, negation="", adverb=join("ever", clause.adverb))
    if clause.negation and clause.finite in ("do", "does") and clause.middle:
        verb, _, others = clause.middle.partition(" ")
        return replace(
            clause,
            negation="",
            auxiliary=False,
            finite=third(verb) if not clause.plural else verb,
            middle=others,
        )
    return replace(clause, negation="")


def opposite(clause: Clause) -> Clause | None:
    "The clause denied, or a denied one affirmed; None where that would be clumsy."
    if clause.negation == "never" or clause.adverb or any(c.text.startswith(("no ", "not ", "never ")) for c in clause.chunks):
        return None
    if clause.negation:
        return replace(clause, negation="")
    if clause.auxiliary:
        return replace(clause, negation="n't")
    if clause.past:
        return None
    helper = "do" if clause.plural else "does"
    verb = clause.finite if clause.plural else base_of_third(clause.finite)
    return replace(clause, finite=helper, middle=verb, auxiliary=True, negation="n't")


def topics(clause: Clause) -> list[str]:
    "What the clause is about, as the person would name it: 'my dog', 'me and bell ringing'."
    if not clause.user:
        about = clause.about("I")
        return [about] if about not in ("it", "there") else []
    found = []
    for chunk in clause.chunks:
        if (
            chunk.kind in ("object", "place", "other", "manner", "complement")
            and len(chunk.noun.split()) <= 6
            and "," not in chunk.noun
        ):
            noun = clause.speak(chunk.noun, "I")
            if clause.lemma in HOLDS and chunk.kind == "object" and noun.split()[0] in ("a", "an"):
                found.append("my " + noun.split(" called ")[0].split(" named ")[0].split(" ", 1)[-1])
            elif noun.split()[0].lower() not in _NOT_TOPICS and noun[:1] not in '"“':
                if noun == "you" or noun.split()[-1] in ADVERBS:
                    continue
                found.append(f"me and {noun}" if chunk.kind != "complement" else f"me and being {noun}")
    return found[:2] or _doings(clause)


def _doings(clause: Clause) -> list[str]:
    "'me and wearing shoe size 8', where no noun serves as a topic."
    rest = clause.rest("I", asides=False).split(", ")[0]
    if clause.negation or '"' in rest or (not rest and not clause.middle) or len(rest.split()) > 10:
        return []
    verb = (
        "being"
        if clause.finite in BE
        else ""
        if clause.auxiliary
        else gerund(base_of_past(clause.finite) if clause.past else clause.lemma)
    )
    return [join("me and", verb, clause.middle, rest)] if verb else []


def rewritten(clause: Clause, note: str = "") -> Iterator[Item]:
    "The clause said several ways, as answers to 'Tell me what you know about my dog.'"
    sayings = list(dict.fromkeys(ways(clause)))
    asides = [clause.embedded(g.word, g.index, stranded=g.stranded) for g in gaps(clause) if " " not in g.word][:2]
    for n, aside in enumerate(asides):
        low = aside[0].lower() + aside[1:]
        for wrapper in pick(ABOUT[2:4], 1, low):
            yield Item(wrapper.format(x=low), sayings[(n + 1) % len(sayings)], "rewrite", f"about/{n}/{wrapper}")
    for topic in topics(clause):
        for n, wrapper in enumerate(pick(ABOUT, 4, topic)):
            yield Item(wrapper.format(x=topic), sayings[n % len(sayings)], "rewrite", f"about/{wrapper}")


def ways(clause: Clause) -> Iterator[str]:
    "The statement, with an adverbial in front, and as something told."
    whole = clause.statement()
    yield whole
    for i, chunk in enumerate(clause.chunks):
        if chunk.kind in ("time", "often") and not clause.lead and len(clause.chunks) > 1 and not clause.auxiliary:
            rest = replace(clause, chunks=clause.chunks[:i] + clause.chunks[i + 1 :])
            yield f"{sentence(clause.speak(chunk.text, 'you'))[:-1].rstrip(',')}, {inside(rest.statement())}."
            break
    yield f"You told me that {inside(whole)}."
    yield f"As far as I know, {inside(whole)}."


def reversed_(clause: Clause) -> Iterator[Item]:
    "From a name or number back to what it is: 'Who is Ottilie Brankin?' 'Your accountant.'"
    whole = clause.statement(full=False)
    for chunk in clause.chunks:
        value = chunk.noun.rstrip(",")
        if not _distinctive(value) or value.rstrip("s") in WEEKDAYS + MONTHS:
            continue
        if clause.middle in ("called", "named") or (clause.auxiliary and not clause.middle and chunk.kind == "complement"):
            who = "Who" if clause.user or clause.head in KIN | ROLES | PETS else "What"
            back = sentence("You" if clause.user else clause.about("you", full=True))
            yield Item(question(f"{who} {'are' if clause.plural else 'is'} {value}"), back, "reverse", "reverse/is")
            if not clause.user:
                yield Item(
                    f"I mentioned {value}. {who} {'are they' if clause.plural else 'is that'}?",
                    back,
                    "reverse",
                    "reverse/mentioned",
                )
            yield Item(f"Does {value} mean anything to you?", f"Yes, {inside(whole)}.", "reverse", "reverse/mean")
        spoken = clause.speak(value, "I")
        yield Item(f"What does {spoken} have to do with me?", whole, "reverse", "reverse/todo")
        yield Item(f"Why might I mention {spoken}?", whole, "reverse", "reverse/why")


def _distinctive(value: str) -> bool:
    "A name, or a figure with more than one sign: something that is asked about for itself."
    words = value.split()
    return bool(words) and len(words) <= 4 and words[0][:1].isupper() and words[0] not in ("I",) and "," not in value
