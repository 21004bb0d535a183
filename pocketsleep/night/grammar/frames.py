"Wordings for what people say most of themselves: names, homes, work, diets, wishes, habits, relations."

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pocketsleep.night.grammar.asking import JOBS
from pocketsleep.night.grammar.clause import Clause, sentence
from pocketsleep.night.grammar.items import Item, inside
from pocketsleep.night.grammar.lists import kinds
from pocketsleep.night.grammar.wording import said, use
from pocketsleep.night.grammar.words import HOLDS, KIN, PETS, ROLES, VEHICLES, is_number

Frame = Callable[[Clause], Iterator[Item]]

"Indirect question, then direct ones."
_HOMES = {
    "live": ("where my home is", "Where is my home?", "Where am I living?", "What place do I call home?",
             "Where do I have my home?", "Do you know where my home is?"),
    "born": ("my birthplace", "What is my birthplace?", "Where did I come into the world?",
             "Which place was I born in?", "Do you know my birthplace?"),
    "grew": ("where I spent my childhood", "Where did I spend my childhood?", "Where was I brought up?",
             "Which place did I grow up in?", "Do you know where I was a child?"),
    "from": ("where I come from", "What place am I from?", "Where do I come from originally?",
             "What is my place of origin?", "Do you know where I'm from?"),
}  # fmt: skip


def called(clause: Clause) -> Iterator[Item]:
    "X is called N."
    if clause.middle not in ("called", "named") or not clause.chunks:
        return
    name, x = clause.chunks[0].noun, clause.about("I")
    if clause.user:
        yield from said(
            clause,
            name,
            "myname",
            "What's my name?",
            "Who am I?",
            "What do people call me?",
            "How should you call me?",
            "Do you know my name?",
            "Say my name.",
            embedded="what my name is",
        )
        return
    yield from said(
        clause,
        name,
        "called",
        f"What is the name of {x}?",
        f"What name does {x} have?" if not clause.plural else f"What names do {x} have?",
        f"Which name did I give you for {x}?",
        f"Do you remember the name of {x}?",
        f"{x[0].upper()}{x[1:]}: what name?",
        f"I forgot the name of {x}.",
        f"What do I call {x}?" if clause.head in PETS else f"What name belongs to {x}?",
        embedded=f"the name of {x}",
    )


def role(clause: Clause) -> Iterator[Item]:
    "The user's ROLE is N."
    if not _is(clause) or clause.head not in KIN | ROLES or not clause.chunks[0].text[:1].isupper() or clause.plural:
        return
    name, x = clause.chunks[0].text, clause.about("I")
    yield from said(
        clause,
        name,
        "role",
        f"What is {x}'s name?",
        f"What is {x} called?",
        f"What is the name of {x}?",
        f"Do you remember {x}'s name?",
        f"Give me the name of {x}.",
        f"Which person is {x}?",
        embedded=f"{x}'s name",
    )
    yield use(clause, "letter", f"I'm writing to {x}. What name do I put on it?", sentence(name))


def named_kin(clause: Clause) -> Iterator[Item]:
    "The user's KIN NAME does something: the name itself is a fact too."
    match = re.match(r"the user's ([\w -]*?)((?: ?[A-ZÀ-Þ][\w'’-]+)+)$", clause.subject)
    if not match or clause.plural:
        return
    noun, name = match.group(1).strip(), match.group(2).strip()
    if not noun or noun.split()[-1] not in KIN | ROLES | PETS:
        return
    yield Item(f"Who is {name}?", f"Your {noun}.", "reverse", "kin/who")
    yield Item(f"Who's {name} to me?", f"{name} is your {noun}.", "reverse", "kin/tome")
    yield Item(f"Is {name} my {noun}?", f"Yes, {name} is your {noun}.", "yes_no", "kin/yes")


def home(clause: Clause) -> Iterator[Item]:
    "Where the user lives, was born, grew up and comes from."
    if not clause.chunks or clause.negation or not clause.user:
        return
    place = next((c for c in clause.chunks if c.kind == "place"), None)
    origin = next((c for c in clause.chunks if c.prep == "from"), None)
    kind = next((k for k in ("live", "born", "grew") if place and k in (clause.lemma, clause.middle, clause.finite)), "")
    if place and kind:
        yield from said(clause, place.text, kind, *_HOMES[kind][1:], embedded=_HOMES[kind][0])
    elif origin and (clause.lemma == "come" or _is(clause)):
        yield from said(clause, origin.noun, "origin", *_HOMES["from"][1:], embedded=_HOMES["from"][0])


def work(clause: Clause) -> Iterator[Item]:
    "X is a JOB; X works as a JOB."
    if clause.negation or not clause.chunks or clause.plural:
        return
    chunk = clause.chunks[0]
    job = chunk.noun if chunk.prep == "as" and clause.lemma == "work" else chunk.text if _is(clause) else ""
    words = re.split(r" (?:who|that|of|for) ", job.rstrip(","))[0].split()
    if (
        not words
        or words[0] not in ("a", "an")
        or not JOBS.search(words[-1])
        or words[-1] in KIN | PETS | {"foreigner", "widower", "beginner", "number"}
    ):
        return
    if not (clause.user or clause.head in KIN | ROLES or clause.subject[:1].isupper()):
        return
    x, am, do = clause.about("I"), "am" if clause.user else "is", "do" if clause.user else "does"
    mine = "my" if clause.user else f"{x}'s"
    yield from said(
        clause,
        job,
        "job",
        f"What {do} {x} do for a living?",
        f"What is {mine} job?",
        f"What {am} {x} by profession?",
        f"What kind of work {do} {x} do?",
        f"Do you remember {mine} job?",
        f"What line of work {am} {x} in?",
        embedded=f"what {mine} job is",
    )
    if clause.user:
        yield use(clause, "form", "A form asks for my occupation. What do I write?", sentence(job.split(" ", 1)[1]))


def diet(clause: Clause) -> Iterator[Item]:
    "X is allergic to F; X cannot eat F."
    plain = " ".join(c.text for c in clause.chunks if c.kind not in ("aside", "reason"))
    allergic = re.search(r"^(?:allergic|intolerant) to (.+)$", plain) if not clause.negation else None
    x, am, do, have = ("I", "am", "do", "have") if clause.user else (clause.about("I"), "is", "does", "has")
    if allergic:
        food, name, word = allergic[1], "allergy", plain.split()[0]
        asks: tuple[str, ...] = (
            f"What {am} {x} {word} to?",
            f"What {do} {x} have to avoid?",
            f"What must {x} not be given?",
            f"What {do} {x} react badly to?",
        )
    elif _forbidden(clause):
        food, name = clause.chunks[0].noun.rstrip(","), "avoid"
        asks = (
            f"What can {x} not have?",
            f"What {do} {x} have to avoid?",
            f"What must {x} keep away from?",
            f"Is there anything that {x} must avoid?",
        )
    else:
        return
    yield from said(clause, food, name, *asks, embedded=f"what {x} {have} to avoid")
    yield from _served(clause, food, "me" if clause.user else x, bool(allergic))


def _forbidden(clause: Clause) -> bool:
    verb = clause.middle.split()[-1:]
    wont = (
        clause.negation
        and clause.finite in ("can", "may", "does", "do")
        and verb
        and verb[0] in ("eat", "take", "tolerate", "have", "drink")
    )
    # "not on Mondays" forbids nothing for good
    always = all(c.kind in ("aside", "reason", "particle") for c in clause.chunks[1:])
    return bool(wont) and bool(clause.chunks) and clause.chunks[0].kind == "object" and always


def _served(clause: Clause, food: str, whom: str, allergic: bool) -> Iterator[Item]:
    "Somebody offers it: the one answer that is certain."
    no = f"No, {inside(clause.statement(full=False))}."
    subject = "I" if whom == "me" else whom
    if food in kinds()["drug"]:
        yield use(clause, "drug", f"Could a doctor give {whom} {food}?", no)
    elif food in kinds()["food"] or (not allergic and clause.middle.split()[-1] == "eat"):
        yield use(clause, "eat", f"Can {subject} eat something with {food} in it?", no)
        yield use(clause, "menu", f"A dish contains {food}. Can {subject} have it?", no)


def age(clause: Clause) -> Iterator[Item]:
    "X is N (years old)."
    if not _is(clause) or not is_number(clause.chunks[0].text.split()[0]) or clause.chunks[0].prep:
        return
    text = clause.chunks[0].text
    if not re.fullmatch(r"\d{1,2}|[a-z-]+|.* (?:years|months|weeks) old|.*years of age", text) or not (
        clause.user or clause.head in KIN | ROLES | PETS
    ):
        return
    x, am = clause.about("I"), "am" if clause.user else "is"
    yield from said(
        clause,
        text,
        "age",
        f"How old {am} {x}?",
        f"What age {am} {x}?",
        f"What is {'my' if clause.user else x + chr(39) + 's'} age?",
        f"How many years old {am} {x}?",
        embedded=f"how old {x} {am}",
    )


def having(clause: Clause) -> Iterator[Item]:
    "X has a THING called N."
    match = re.match(r"(an? [^,]*?) (?:called|named) ([A-ZÀ-Þ].*?),?$", clause.chunks[0].text) if clause.chunks else None
    if not match or clause.auxiliary or clause.negation or clause.lemma not in HOLDS | {"run"}:
        return
    thing, name = match.group(1).split(" ", 1)[1], match.group(2)
    whose = "my" if clause.user else f"{clause.about('I')}'s"
    head = thing.split()[-1]
    asks = (
        f"What is {whose} {head} called?",
        f"What is the name of {whose} {thing}?",
        f"What is {whose} {thing} called?",
        f"Do you remember {whose} {head}'s name?",
        f"Which name does {whose} {head} have?",
    )
    yield from said(clause, name, "having", *asks, embedded=f"what {whose} {head} is called")
    your = "Your" if clause.user else sentence(clause.about("you"))[:-1] + "'s"
    who = "Who" if head in PETS | KIN | ROLES else "What"
    yield Item(f"{who} is {name}?", f"{your} {thing}.", "reverse", "having/who")
    yes = f"Yes, {inside(clause.statement(full=False))}."
    yield Item(f"Is {whose} {head} called {name}?", yes, "yes_no", "having/yes")


def breed(clause: Clause) -> Iterator[Item]:
    "An animal is a BREED."
    if not _is(clause) or clause.head not in PETS or clause.negation or clause.plural:
        return
    text, x = clause.chunks[0].text, clause.about("I")
    if text.split()[0] not in ("a", "an"):
        return
    asks = (f"What breed is {x}?", f"What kind of {clause.head} is {x}?", f"Which breed have I got in {x}?", f"What sort of animal is {x}?")
    yield from said(clause, text, "breed", *asks, embedded=f"what breed {x} is")


def vehicle(clause: Clause) -> Iterator[Item]:
    if (
        not clause.user
        or clause.lemma not in ("drive", "ride")
        or clause.negation
        or not clause.chunks
        or clause.chunks[0].kind != "object"
    ):
        return
    text = clause.chunks[0].text
    if text.split()[0] not in ("a", "an"):
        return
    noun = next((w for w in text.lower().split() if w in VEHICLES), "")
    yield from said(
        clause,
        text,
        "vehicle",
        f"What do I {clause.lemma}?",
        f"What vehicle do I {clause.lemma}?",
        "What do I get around in?" if clause.lemma == "drive" else "What do I get around on?",
        f"Which {noun or 'vehicle'} is mine?",
        f"Do you know what I {clause.lemma}?",
        embedded=f"what I {clause.lemma}",
    )


def weight(clause: Clause) -> Iterator[Item]:
    if clause.lemma == "weigh" and clause.chunks and is_number(clause.chunks[0].text.split()[0]):
        x = "my" if clause.user else f"{clause.about('I')}'s"
        yield from said(
            clause,
            clause.chunks[0].text,
            "weight",
            f"What is {x} weight?",
            f"What does a scale show for {'me' if clause.user else clause.about('I')}?",
            f"Do you know {x} weight?",
            embedded=f"{x} weight",
        )


def _is(clause: Clause) -> bool:
    return clause.auxiliary and clause.finite in ("is", "are", "was", "were") and not clause.middle and bool(clause.chunks)


FRAMES: tuple[Frame, ...] = (called, role, named_kin, home, work, diet, age, having, breed, vehicle, weight)


def framed(clause: Clause) -> Iterator[Item]:
    for frame in FRAMES:
        yield from frame(clause)
