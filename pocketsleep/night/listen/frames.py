"""What cannot be believed, or does not last: pretence, hypotheses, jokes, reports, secrets, moods."""

from __future__ import annotations

import re

from pocketsleep.night.listen import words


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE)


_PRETENCE = _any(
    r"\b(?:let'?s|lets|let us|can we|shall we|wanna|want to) (?:play|pretend|role|imagine|"
    r"practi[sc]e|act|do a (?:scene|role))",
    r"\bpretend(?:ing)?\b",
    r"\brole[- ]?play",
    r"\bimagine\b(?!,? (?:him|her|that|it|them|my)\b[^.]*!)",
    r"\bact as\b",
    r"\bin character\b",
    r"\byou(?:'re| are|r)? (?:the|a|an|my) [\w' -]{2,40}?(?:,| and| ) ?(?:i'm|i am|im) (?:a|an|the|your|\")",
    r"\byou be (?:the|my|an?)\b",
    r"(?:^|[.!?\n] *)(?:(?:ok|okay|so|right|now|and)[,.]? )*you be (?-i:[A-ZÀ-Þ][a-zß-ÿ])",
    r"\b(?:i'm|i am|i'll be|i play) (?:the|a|an) [\w' -]{2,40}?(?:,| and) you(?:'re| are|'ll be| be)\b",
    r"\b(?:dnd|d&d|rpg|one-shot|quest|larp|improv)\b",
    r"\b(?:narrator|protagonist|my character|the hero|the heroine|first person)\b",
    r"\bin the (?:voice|style|persona) of\b",
    r"\bfor (?:a|my|the|our|this) (?:bit of fun|story|novel|short story|scene|play|"
    r"screenplay|sketch|puzzle|seminar exercise|script|thought experiment)\b",
    r"\b(?:made[- ]up|inventing|fictional|fiction|fictitious|make[- ]believe)\b",
    r"\b(?:dream time|day ?dream(?:ing)?|for dreaming|fantasy|hypothetical(?:ly)?|thought experiment)\b",
    r"\bwhat if (?:i|we|my)\b",
    r"(?:^|[.!?\n] *)(?:so |ok |right,? )?(?:say|suppose|supposing|assume|picture|let's say|"
    r"lets say) (?:that )?(?:i|we|my|you|there)\b",
    r"\b(?:chapter|verse|stanza) (?:\w+|\d+)\b[^.]*\b(?:voice|carry on|continue)\b",
)
_AWAKE = _any(
    r"\b(?:stop|end|enough|done|finished?) (?:of |with )?(?:the |this )?(?:game|"
    r"play(?:ing)?|role[- ]?play|pretend(?:ing)?|scene|story|act)\b",
    r"\bout of character\b",
    r"\b(?:game|scene|role[- ]?play) over\b",
    r"(?:^|[.!?\n] *)(?:(?:ok|okay|right|anyway|so|now|and)[,.]? )*(?:other business"
    r"|(?:a )?(?:different|another|new|change of) (?:subject|topic|thing|matter|question)"
    r"|on another (?:note|subject|topic)|something else|unrelated|moving on|next (?:thing|question|job|up)|next[.:]|separately)\b",
    r"\bback to (?:reality|real life|me|work|normal|business|the real)\b",
    r"\b(?:in real life|irl|for real now|seriously now|now seriously|in reality|joking "
    r"aside|jokes aside|no more pretend\w*)\b",
)
_FACT_AFTER = _any(
    r"\bfor real now\b",
    r"\bseriously now\b",
    r"\bnow seriously\b",
    r"\bin real life\b",
    r"\birl\b",
    r"\bin reality\b",
    r"\bjoking aside\b",
    r"\bjokes aside\b",
)


def pretence(message: str) -> bool:
    "Does this message open a pretended world, in which nothing said is so?"
    return bool(_PRETENCE.search(message))


def awakes(message: str) -> int:
    "Where a message leaves the pretended world: an offset, -1 when it does not."
    found = _FACT_AFTER.search(message) or _AWAKE.search(message)
    return found.end() if found else -1


_SECRET = _any(
    r"\[secret(?::[^\]]*)?\]",
    r"\b(?:password|passwort|passwd|pwd|pw|passcode|passphrase|pin|otp|cvv|cvc|iban|api[- "
    r"]?key|secret key|access key|token|login|"
    r"log-in|user ?name|bar ?code|combination|credentials)\b",
    r"\b(?:code|safe|alarm|card|visa|mastercard)\b[^.]{0,30}\d{3,}",
    r"\b(?:\d[ -]?){13,19}\b",
    r"\b(?:passports?|national insurance|insurance number|social security|ssn|tax (?:id|number|code)|account (?:no|num(?:ber)?)|"
    r"sort code|bank(?:ing)?|membership (?:no|num(?:ber)?)|customer (?:no|num(?:ber)?)|licen[cs]e (?:key|no|num(?:ber)?)|serial)\b"
    r"[^.?!]{0,60}?(?:\d[ -]?){5,}",
)
_JOKE = _any(
    r"\b(?:haha\w*|hehe\w*|rofl|jaja\w*|ja ja|joking|kidding|just for fun|/s\b|i swear it|fml)\b",
    r"\b(?:oh yeah,? totally|totally,|living the dream|yes of course,|naturally,|yeah right|"
    r"yes yes,|wow so|obviously i)\b",
    r"\bi(?:'m| am) (?:secretly|basically|officially|clearly|apparently|truly)\b",
    r"\b(?:jokes?|puns?|punchline)\b[^:.!?]{0,40}:",  # one that is asked for
    r"😂|🤣|😜|😉|;-?\)",
)
_HYPOTHETICAL = _any(
    r"\bif (?:i|we|my|our|he|she|it|they|only|someone|somebody|the)\b",
    r"\b(?:would|wish|were to|suppose|hopefully|maybe|perhaps|might|could have|should have|"
    r"as if|dream of|dreaming of)\b",
    r"\bunless\b",
)
_REPORT = _any(
    r"\b(?:he|she|they|it|who|\w+ist|\w+or|boss|man|woman|guy|friend|doctor|someone|"
    r"somebody|everyone|everybody|people) "
    r"(?:says?|said|thinks?|thought|claims?|claimed|tells?|told|insists?|insisted|believes?|"
    r"assumes?|asks?|asked|swears?|heard|wrote|writes|reckons?)\b",
    r"\b(?:according to|apparently|supposedly|allegedly|rumou?r|you (?:said|say|told|wrote|"
    r"claim|think|thought|assumed?))\b",
    r"\bi (?:told|said|say|tell|wrote|lied|claimed|answered|pretended)\b",
)
_PASSING = _any(
    r"\b(?:(?<!from )today(?! and hereafter)|tonight|tonite|this (?:morning|afternoon|"
    r"evening|week|weekend|month|minute|time)|right now|at the moment|just now|"
    r"for now|for the moment|currently|yesterday|tomorrow|tmrw|last (?:night|week|weekend|"
    r"month|time|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|"
    r"next (?:week|weekend|month|time|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|so far|again|"
    r"(?:this|by|until|till|on) (?:monday|tuesday|wednesday|thursday|friday|saturday|"
    r"sunday)\b(?! (?:morning|afternoon|evening|night)s))\b",
)
_BELIEF = _any(
    r"^(?:I|we) (?:think|guess|hope|wish|suppose|believe|doubt|assume|imagine|feel|wonder|"
    r"bet|reckon|suspect|mean|promise|swear)\b"
)


def secret(sentence: str) -> bool:
    "Does it carry a secret, or the word that stands next to one?"
    return bool(_SECRET.search(sentence))


def joke(sentence: str) -> bool:
    return bool(_JOKE.search(sentence))


def hypothetical(clause: str) -> bool:
    return bool(_HYPOTHETICAL.search(clause))


def reported(clause: str) -> bool:
    return bool(_REPORT.search(clause))


def passing(clause: str) -> bool:
    "A state or a date that means nothing the day after."
    return bool(_PASSING.search(clause))


def belief(clause: str) -> bool:
    return bool(_BELIEF.search(clause))


_IMPERATIVE = (
    "make|write|draft|give|tell|show|help|find|list|check|redo|plan|explain|translate|"
    "summari[sz]e|put|add|word|suggest|"
    "calculate|convert|fix|change|cut|turn|rewrite|need|compare|set|lay|type|quote|"
    "recommend|describe|send|remind|update|"
    "correct|ask|answer|pick|choose|mention|mark|keep|sign|leave|start|open|use|include|"
    "say|call|do|try|skip|cancel|push|"
    "proofread|tidy|format|sort|print|scale|extract|name|book|order|look|count|break|"
    "shorten|polish|prepare|create|draw"
)
_COMMAND = re.compile(
    r"^(?:(?:please|pls|ok|okay|so|and|now|then|also|but|kindly|just|first|hi|hello|hey|"
    rf"good \w+|can you|could you|would you)[,.!:]? )*(?:{_IMPERATIVE})\b",
    re.IGNORECASE,
)


def command(clause: str) -> bool:
    "An order or a request: something to do, not something that is so."
    return bool(_COMMAND.match(clause))


_SELF = re.compile(r"\b(?:i|i'm|im|ive|i've|my|me|mine|we|we're|our|us)\b", re.IGNORECASE)


def speaks_of_self(text: str) -> bool:
    "Does the first person occur? What does not speak of its author is passed over in silence."
    return bool(_SELF.search(text))


_HABIT = re.compile(
    r"\b(?:always|never|every|each|usually|normally|generally|ever|without exception|at all|"
    r"once a|twice a|times a|"
    r"mornings|evenings|nights|afternoons|weekends|daily|weekly|monthly|yearly|since (?:19|"
    rf"20)\d\d|(?:{'|'.join(d for d in words.DAYS if d.endswith('days'))})|"
    r"as a rule|only)\b",
    re.IGNORECASE,
)


def habitual(clause: str) -> bool:
    return bool(_HABIT.search(clause))


_ROUTINE = re.compile(
    r"\b(?:before I|after I|until I have|this (?:year|term|season)|instead of|these days|"
    r"nowadays|since (?!I\b|we\b|it\b)\w+|now)\b",
    re.IGNORECASE,
)


def routine(clause: str) -> bool:
    "Words that make an act of use a habit: an order of acts, a term, a change from before."
    return bool(_ROUTINE.search(clause))


_LIFE_TIME = re.compile(
    r"\b(?:(?:19|20)\d\d|for (?:\w+ ){1,3}(?:years?|months|decades)|\w+ years|since|until|"
    r"as a (?:child|kid|boy|girl|teenager|student)|"
    r"last year|ago|years)\b",
    re.IGNORECASE,
)


def life_time(clause: str) -> bool:
    "Is the past placed: a year, a span of years, 'since'?"
    return bool(_LIFE_TIME.search(clause))


_DATED = re.compile(rf"\b(?:{'|'.join(sorted(words.MONTHS - {'may', 'mar'}))}|May)\b", re.IGNORECASE)


def dated(clause: str) -> bool:
    "Does it name a month? A plan without a date is a mood."
    return bool(_DATED.search(clause))


_CONDITION = re.compile(
    r"(?:^|[,;:.] ?|\b(?:and|but|so|because|that|only|even) )if (?:I|we|my|our|you(?! "
    r"(?:would|could|can|like|want|please|don't|do not|have|need|know))|he|she|it|they|only|"
    r"someone|somebody|the|a)\b|\b(?:I|we) were to\b|\bwere I to\b",
    re.IGNORECASE,
)


def conditional(sentence: str) -> bool:
    "Is the sentence built upon an 'if'?"
    return bool(_CONDITION.search(sentence))
