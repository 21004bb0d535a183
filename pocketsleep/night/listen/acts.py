"""What somebody does, does not do, likes or cannot do, and whether it is a habit."""

from __future__ import annotations

import re
from dataclasses import replace

from pocketsleep.night.listen import frames, words
from pocketsleep.night.listen.reading import Saying, Unfit
from pocketsleep.night.listen.states import Predicate
from pocketsleep.night.listen.voice import base_form

_NOT_DO = re.compile(r"not (?:really |even |actually |ever )?(?P<verb>[\w'-]+)(?: (?P<rest>.*))?$")
_ABSTAIN = words.bag("drink drive smoke fly swim vote gamble cook dance cycle")
_REJECT = words.bag("like eat drink celebrate enjoy smoke speak own tolerate do")
_MENTAL = words.bag("know think understand have mind care want need see")


def do(saying: Saying) -> Predicate:
    '"I do not eat meat"; a bare "do" is a habit.'
    hit = _NOT_DO.match(saying.rest)
    if not hit:
        return habit(saying)
    verb, rest = hit["verb"].lower(), hit["rest"] or ""
    usual = frames.habitual(saying.whole)
    lasting = verb in _ABSTAIN or (bool(rest) and verb in _REJECT)
    marked = usual and (verb in words.NEGATED or (bool(rest) and verb not in _MENTAL))
    if verb in ("want", "need") or not (lasting or marked):
        raise Unfit("denial: says what is not so")
    taste = verb in ("like", "enjoy")
    return saying.predicate(f"{saying.agree('do')} not {verb}", rest), "preference" if taste else "fact"


_CAN = re.compile(r"(?P<not>not )?(?:really |even |ever )?(?P<verb>[\w'-]+)(?: (?P<rest>.*))?$")
_ASKED = re.compile(r"(?:why|how|what|if|whether|that|the (?:point|difference|problem))\b")
_UNABLE_ALONE = words.bag("swim drive fly read see hear")


def can(saying: Saying) -> Predicate:
    '"I can not eat shrimp", "I can read Farsi".'
    hit = _CAN.match(saying.rest)
    verb, rest = (hit["verb"].lower(), hit["rest"] or "") if hit else ("", "")
    if not hit or not hit["not"]:
        if verb in ("speak", "read", "play", "drive") and rest:
            return saying.predicate(f"can {verb}", rest), "fact"
        raise Unfit("unsure: what one can do")
    if verb not in words.UNABLE or _ASKED.match(rest) or not (rest or verb in _UNABLE_ALONE):
        raise Unfit("unsure: may be a passing trouble")
    return saying.predicate(f"cannot {verb}", rest), "preference" if verb in ("stand", "bear") else "fact"


_FORBIDDEN = re.compile(
    r"not (?P<verb>eat|drink|touch|have|take|lift|drive|smoke|fly|use)\b(?: (?P<rest>.+))?$"
)


def may(saying: Saying) -> Predicate:
    '"I may not touch caffeine", "I must not have salt".'
    hit = _FORBIDDEN.match(saying.rest)
    if not hit:
        raise Unfit("unsure: what may be")
    return saying.predicate(f"{saying.verb} not {hit['verb']}", hit["rest"] or ""), "fact"


def never(saying: Saying) -> Predicate:
    '"I never eat breakfast", "I never want the whole file".'
    typed, _, rest = saying.rest.partition(" ")
    verb = base_form(typed)
    wish = verb in ("want", "need")
    known = words.HABITUAL | words.LASTING | words.NEGATED | {"touch", "cut", "add"}
    if (wish and rest and not rest.startswith("to ")) or (not wish and verb in known):
        return saying.predicate(f"never {saying.agree(verb)}", rest), "preference" if wish else "fact"
    raise Unfit("unsure: no rule keeps this verb")


_NOT_TASTE = re.compile(
    r"(?:to (?:know|see|have|get|ask|be|hear)|how|what|when|if|that|a \w+ (?:one|version)|"
    r"the (?:idea|one|second|first|third|last|way|look|sound))\b",
    re.IGNORECASE,
)


def taste(saying: Saying) -> Predicate:
    '"I hate quince", "my wife loves mussels".'
    if not saying.rest or _NOT_TASTE.match(saying.rest):
        raise Unfit("task: a liking for this once")
    return saying.predicate(saying.agree(saying.verb)), "preference"


_PLANNED = words.bag("leave move start go open close begin fly get finish run turn set")
_STEP = re.compile(r"\b(?:always|never|before|then|first|after)\b")
_BY_THE_CLOCK = words.bag("get start finish wake open close")
_SAME_IN_THE_PAST = words.bag("read set put cut")


def habit(saying: Saying) -> Predicate:
    '"I play the bassoon", "I weigh the bird every morning", "we leave on 12 December".'
    verb, rest = saying.verb, saying.rest
    if not rest or rest.startswith("not "):
        raise Unfit("unsure: nothing said of it")
    if not (frames.dated(rest) and verb in _PLANNED) and not _habitual(saying):
        raise Unfit("unsure: may be a single event")
    step = _STEP.search(saying.whole) and verb not in words.LASTING
    return saying.predicate(saying.agree(verb)), "procedure" if step else "fact"


def _habitual(saying: Saying) -> bool:
    verb, rest = saying.verb, saying.rest
    if verb in _SAME_IN_THE_PAST and re.search(r"\b(?:in (?:19|20)\d\d|ago|once)\b", rest):
        return False
    if frames.habitual(saying.whole) or frames.routine(saying.whole):
        return True
    if saying.person and verb not in words.SAYING_VERBS and saying.typed.endswith("s"):
        return True
    if not saying.self and verb in ("eat", "drink", "play", "wear", "take", "use"):
        return True
    if verb in ("use", "wear") and re.match(r"(?:a|an|size|[A-Z]\w+)\b", rest):
        return True
    if verb == "take" and rest.startswith("my "):
        return True
    if verb in _BY_THE_CLOCK and re.match(r"(?:up )?(?:work )?at \d", rest):
        return True
    return verb in words.LASTING and _lasting_object(verb, rest)


_OCCUPYING = words.bag("work live stay teach study train volunteer belong commute")
_MAKING = words.bag("sell read build make write fix paint repair restore sew knit rent cut")
_SOMEWHERE = re.compile(
    r"(?:in|at|for|as|with|near|outside|above|to|from|on(?! (?:a|an|the|my)\b)|off|by|up|"
    r"alone|under|opposite|behind|"
    r"the|a|an|my|[A-Z]|(?!fine|well|out)[a-z]{4,})"
)
_OBJECT = re.compile(
    r"(?:in|at|on|for|as|with|near|outside|above|by|off|up|alone|under|to|from|between|a|an|"
    r"the|one|two|three|four|"
    r"five|my|our|both|only|\d|[A-Z]|[a-z]{4,})"
)
_NO_OBJECT = re.compile(
    r"(?:into|out|money|it|on|to|across|\w+ing|the (?:file|code|script|risk|list|same)|a "
    r"(?:risk|table|list|copy))\b"
)
_DEFINITE = re.compile(r"(?:the|my|our|your|this|that|it)\b")
_MOVING = words.bag(
    "play speak coach sing support row swim cycle hunt fish dance look attend coordinate conduct"
)


def _lasting_object(verb: str, rest: str) -> bool:
    "Does the verb last with this object: a place to work, a thing to collect, but no single piece of work?"
    if verb in _OCCUPYING:
        return bool(_SOMEWHERE.match(rest))
    if verb in _MAKING and _DEFINITE.match(rest):
        return False
    return bool(_OBJECT.match(rest)) and (verb in _MOVING or not _NO_OBJECT.match(rest))


_ENOUGH = re.compile(
    r"(?:grew up|moved (?:to|from|in|into|over|here)|married|retired|gave up|graduated|qualified|emigrated|"
    r"trained as|joined (?:a|the|an) |took up |became an? |(?:switched|changed|converted) "
    r"(?:to|from)|studied)\b"
)
_RECENTLY = re.compile(r",? (?:last (?:week|month|night)|yesterday|today|this (?:week|month|morning))\b")


def past(saying: Saying) -> Predicate:
    '"we moved to Talgarth", "I drove trams for thirty-one years".'
    saying = replace(saying, rest=_RECENTLY.sub("", saying.rest))
    if saying.verb == "did" and saying.rest.startswith("not"):
        raise Unfit("denial: says what is not so")
    if saying.verb in ("bought", "got", "adopted", "inherited") and _lasting_thing(saying.rest):
        return saying.predicate(saying.verb), "fact"
    enough = _ENOUGH.match(f"{saying.verb} {saying.rest}") or frames.life_time(saying.rest)
    if not saying.rest or not enough:
        raise Unfit("unsure: a single event")
    return saying.predicate(saying.verb), "fact"


def _lasting_thing(rest: str) -> bool:
    '"a grey van", "two hens": an animal or a thing that one keeps.'
    hit = re.match(
        (
            r"(?:an?|two|three|four) (?:[\w-]+ ){0,3}?(?P<noun>[\w-]+)(?= (?:from|in|at|off|called|"
            r"for|last|with)\b|$|[,.])"
        ),
        rest,
    )
    return (
        bool(hit) and bool({hit["noun"], hit["noun"].rstrip("s")} & (words.PETS | words.THINGS))
        if hit
        else False
    )


def future(saying: Saying) -> Predicate:
    if not frames.dated(saying.rest) or saying.rest.startswith("not"):
        raise Unfit("unsure: a plan without a date")
    return saying.predicate("will"), "fact"


def come(saying: Saying) -> Predicate:
    '"I come from Axim", "she comes on Wednesdays".'
    if frames.habitual(saying.whole):
        return habit(saying)
    if re.match(r"(?:originally )?from [A-ZÀ-Þ]", saying.rest):
        return saying.predicate(saying.agree("come")), "fact"
    raise Unfit("unsure: may be a single event")


def need(saying: Saying) -> Predicate:
    '"I always need a seat near the door"; a need for this once is a task.'
    once = re.match(r"to\b|(?:a|an|the) \w+ (?:for|by)\b", saying.rest)
    if once or not frames.habitual(saying.whole):
        raise Unfit("task: something wanted once")
    return saying.predicate(saying.agree(saying.verb)), "preference"
