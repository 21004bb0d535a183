"""Secrets that a word announces: "the wifi password is X", "PIN 4821", "Passwort: X", API_KEY=X.

A value counts if it looks like one (a digit, a symbol, capitals inside, quotes), or if it is a plain word
where only a value can stand ("password: tarragon", "the password is tarragon."). Words that describe a
password instead of being one ("is wrong", "has expired") are listed. Every quantifier is bounded: a long
text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pocketsleep.journal.shapes import is_random


def _any(*alternatives: str) -> str:
    return "|".join(alternatives)


_PASS = _any(
    r"pass\s?(?:word|wort|phrase|code|key)e?s?|passwd|pwd|pw|kenn\s?wort|\w{1,20}-?passwort",
    r"mots? de passe|contrase[ñn]a|clave|palavra-passe|senha|wachtwoord|lösenord|hasło",
    r"(?:wlan|wifi)-?schlüssel",
    r"(?:wi-?fi|wlan|wireless|network|wpa2?|router|licen[cs]e|product|activation|recovery|encryption|access|wep)"
    r"\s(?:security\s)?key",
    r"(?:secret|master|private|backup|security)\skey",
)
_CODE = _any(
    r"pins?(?:[ -]?(?:code|number|nummer|no\.?))?|geheimzahl|combination|combo|puk|otp|tan",
    r"(?:pass|key|lock|unlock|door|gate|alarm|safe|entry|access|security|garage|lift|building|key ?safe"
    r"|locker|padlock|screen|phone|voicemail|sim|puk|verification|confirmation|one-time|login|sign-in|2fa|mfa|otp"
    r"|authenticat\w{1,6}|two-factor|backup|recovery|card|tür|zugangs|sicherheits)"
    r"[ -]?(?:pin|code|combination|combo|number)",
    r"(?:cvv|cvc|cv2|csc)2?|sort code|account (?:number|no\.?)|código|code d'accès",
)
_SECRET = (
    r"(?:(?:api|app|access|auth|client|consumer|secret|private|signing|encryption|bot|deploy|session|refresh"
    r"|service|account|aws|storage|webhook)[ _-]?)?"
    r"(?:secret|token|api[ _-]?key|credential|access[ _-]?key|secret[ _-]?key)s?"
)
WORDS = rf"\b(?:{_SECRET}|{_PASS}|\w{{0,30}}_?(?:key|token|secret|password|pwd)|auth|bearer|signature)\b"
NEAR = r"[^\n]{0,40}?[\s:=\"'`(]"

_OWNER = r"(?:\s+(?:for|of|to|on|at|in|für|vom|zum|de|pour|del|da)\s+[^\n.:;=!?]{1,50}?)?"
_IS = (
    r"(?:\s{0,3}(?:=>|:=|[:=]|->|→)\s{0,3}|(?:\s+(?:is|was|are|now|will be|should be|has been|have been|ist"
    r"|lautet|war|est|es|era|becomes))"
    r"(?:\s+(?:now|still|currently|just|jetzt|always|temporarily|(?:re)?set to|changed to|called|literally"
    r"|simply|going to be|probably|all lower ?case)){0,3}\s{0,3}:?\s{1,3})"
)

_LINK = rf"(?:{_OWNER}{_IS}|['’]s\s{{1,3}})"

_DESCRIBING = """
a abgelaufen about after again all allowed already also always an and any anything are as asked at
available back bad based be because been before being best better blank both broken but by called can
cannot case changed changing changé compromised confidential correct correcta could da das dead dem den
denied der different difficult disabled do does don't due easy ein eine either el else empty encrypted
enough entered es est etc even every everything exactly expirado expired expiring fake falsch fine five
for forgotten four from geändert gone good gut hard has hashed have he her here hers hidden his how i if
important in incorrect incorrecta incorrecto insecure into invalid is it it's its just kept known la
later le leer less like locked long longer lost made mala mandatory meant memorised memorized mi mine
missing more most much must my near necessary needed never new next nicht no nobody none nope not nothing
now obsolete obvious of off ok okay old on once one only optional or oublié our ours out outdated over
overrated people perfectly piece pointless protected public quite random really required reset right safe
safely same saved secret secure set she short should simple since six so some somebody someone something
somewhere still stolen stored strong stronger stuck stupid such supposed sure taped ten than that the
their theirs them then there these they thing this those three to too two typed un una unavailable
unchanged under unique unknown unsafe until up upside used useful useless usually vague valid vergessen
very visible was weak weaker well were what whatever when where which who why with without working worse
written wrong years yes yet you your yours zu zwei
"""
_PROSE = frozenset(_DESCRIBING.split())
_SMALL = frozenset(word for word in _PROSE if len(word) <= 3)  # a sentence goes on
_NAMING = frozenset({"correct", "random", "secret", "old", "new", "blank"})  # may begin a passphrase
_TAILS = ("ing", "ly", "ed", "less", "able", "ible")


def looks_secret(text: str) -> bool:
    "A digit, a symbol or a capital inside: not a plain word."
    core = text.strip(".,;:!?)('\"")
    return bool(re.search(r"\d|[^\w\s'’.\-]|_|[a-zà-ü][A-ZÀ-Ü]|[A-Z]{2,}[a-z]|\w[!$%&*#@^~+]", core)) and len(core) >= 3


def is_password(text: str) -> bool:
    "A value after 'password is': it looks like one, or it is words that do not describe a password."
    if looks_secret(text.split()[0]) or looks_secret(text.split()[-1]):
        return True
    plain = [word.strip(".,;:!?)('\"’").casefold() for word in text.replace("’", "'").split()]
    if len(plain) == 1:
        word = plain[0]
        return len(word) >= 3 and word.split("'")[0] not in _PROSE and not word.endswith(_TAILS)
    return len(plain) <= 8 and plain[0] not in _PROSE - _NAMING and not _SMALL.intersection(plain)


def is_code(text: str) -> bool:
    "Three digits or more, whatever stands between and around them."
    return len(re.findall(r"\d", text)) >= 3


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_MINE = r"(?:(?:my|the|our|his|her|their|a|mein|das)\s{1,3})?(?:[\w'’-]{1,20}\s{1,3}){0,2}?"
_PHRASE = r"(?P<v>[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20}){1,7})(?=\s{0,3}(?:[.!?,;\n]|$))"
_TOKEN = r"(?P<v>[^\s\"“”`«»„<>,;\[\]()]{3,200}?)(?=[.!?,;:)\"'”’]{0,4}(?:\s|$))"
_QUOTED = r"[\"“‘`«„'](?P<v>[^\"”’`»“'\n]{3,80})[\"”’`»“']"
_DIGITS = r"(?P<v>[#*]?[A-Z]?\d(?:[ .\-–/]?\d){2,11}(?:[#*-]?[A-Z]{1,3}\b)?[#*]?)(?!\w|-\w)"
_CODED = r"(?P<v>[A-Z0-9][A-Z0-9#*-]{2,15})\b"
_ASSIGNED = (
    r"\b[A-Z0-9_]{0,30}(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)[A-Z0-9_]{0,30}"
    r"[\"']?\s{0,3}[=:]\s{0,3}[\"']?(?P<v>[^\s\"',;]{4,200})"
)
_SEED = (
    r"\b(?:seed|recovery|mnemonic|backup|wallet)[ -](?:phrase|words)\b[^\n:]{0,30}?(?:is|are|:|=)\s{0,3}"
    r"[\"“]?(?P<v>(?:[a-z]{3,8}[ ,]{1,2}){5,23}[a-z]{3,8})"
)


_CARD = r"\b(?:card|visa|mastercard|amex|karte|carte|tarjeta)\b[^\n\d]{0,30}(?P<v>\d(?:[ -]?\d){12,18})(?![\w-])"


def is_mixed(text: str) -> bool:
    "A code: three digits or more, or digits and letters."
    return is_code(text) or bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text))


def is_anything(text: str) -> bool:
    "The words around leave no doubt."
    return bool(text.strip())


ANNOUNCED: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("card number", _p(_CARD), is_anything),
    ("recovery phrase", _p(_SEED), is_anything),
    ("password", _p(rf"\b(?:{_PASS})\b{_LINK}{_QUOTED}"), is_anything),
    ("password", _p(rf"\b(?:{_PASS})\b{_LINK}{_PHRASE}"), is_password),
    ("password", _p(rf"\b(?:{_PASS})\b{_LINK}{_TOKEN}"), is_password),
    ("password", _p(rf"\b(?:{_PASS}|pass)\s{{0,3}}[:=]\s{{0,3}}{_TOKEN}"), is_password),
    ("password", _p(rf"\b(?:{_PASS})\s{{1,3}}{_QUOTED}"), is_anything),
    ("password", _p(rf"\b(?:{_PASS})\s{{1,3}}{_TOKEN}"), looks_secret),
    ("password", _p(rf"\b(?:{_PASS}){_OWNER}\s{{0,3}}\((?P<v>[^\s()]{{4,40}})\)"), looks_secret),
    (
        "password",
        _p(rf"(?<!\S){_TOKEN}[\"”’'`]?,?\s{{1,3}}(?:is|was|as|for|ist)\s{{1,3}}{_MINE}(?:{_PASS})\b"),
        looks_secret,
    ),
    (
        "password",
        _p(rf"[\"“‘`'](?P<v>[^\"”’`'\n]{{3,60}})[\"”’`']\s{{1,3}}(?:is|was|as|for)\s{{1,3}}{_MINE}(?:{_PASS})\b"),
        is_anything,
    ),
    ("key", _p(_ASSIGNED), is_password),
    ("pin", _p(rf"\b(?:{_CODE})\b{_LINK}[\"'“‘`(]?{_DIGITS}"), is_code),
    ("pin", _p(rf"\b(?:{_CODE})\b\s{{0,3}}[,(\"'“-]?\s{{0,3}}{_DIGITS}"), is_code),
    ("pin", _p(rf"\b(?:{_CODE})\b{_LINK}[\"'“‘`(]?{_CODED}"), is_mixed),
    (
        "pin",
        _p(rf"(?<![\w.£$€]){_DIGITS},?\s{{1,3}}(?:is|was|as|for|to open|opens)\s{{1,3}}{_MINE}(?:{_CODE})\b"),
        is_code,
    ),
    ("pin", _p(rf"\b(?:code|kode)\b{_LINK}[\"'“‘`(]?{_DIGITS}"), is_code),
)
CLUES = _p(
    rf"\b(?:{_PASS}|{_CODE}|code|kode|pass|card|visa|mastercard|amex|karte|carte|tarjeta)\b|password|pwd|secret|token|key|(?:phrase|words)\b"
)
NEARBY = (
    "token",
    _p(rf"{WORDS}{NEAR}(?P<v>(?<![\w/+])(?=[^\s\d]{{0,80}}\d)(?=[^\sa-z]{{0,80}}[a-z])[\w+/=.~-]{{12,400}})"),
    is_random,
)
