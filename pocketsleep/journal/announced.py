"""Secrets that a word announces: "the wifi password is X", "PIN 4821", "Passwort: X", API_KEY=X.

A value counts if it looks like one (a digit, a symbol, capitals inside, quotes), or if it is a plain word
where only a value can stand ("password: tarragon", "the password is tarragon."). Words that describe a
password instead of being one ("is wrong", "has expired") are listed. Every quantifier is bounded: a long
text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pocketsleep.journal.shapes import entropy, is_random


def _any(*alternatives: str) -> str:
    return "|".join(alternatives)


_PASS = _any(
    r"pass\s?(?:word|wort|phrase|code|key)e?s?|passwd|pwd|pw|kenn\s?wort|\w{1,20}-?passwort",
    r"mots? de passe|contrase[ñn]a|palavra-passe|senha|wachtwoord|lösenord|hasło",
    r"(?:wlan|wifi)-?schlüssel",
    r"(?:wi-?fi|wlan|wireless|network|wpa2?|router|licen[cs]e|product|activation|recovery|encryption|access|wep)"
    r"\s(?:security\s)?key",
    r"(?:secret|master|private|backup|security)\skey",
)
_CODE = _any(
    r"pin(?:[ -]?(?:code|number|nummer|no\.?))?|pins(?=\s{0,3}[:=]|\s{1,3}(?:is|are)\b)|geheimzahl|combination|puk|otp",
    # Tan is a name and a colour, a combo a meal.
    r"(?-i:TAN)|(?:tan|combo)(?=\s{0,3}[:=])|combo(?=[^\n\d]{1,12}\d{1,2}-\d{1,2}-\d)",
    r"(?:pass|key|lock|unlock|door|gate|alarm|safe|entry|access|security|garage|lift|building|key ?safe"
    r"|locker|padlock|screen|phone|voicemail|sim|puk|verification|confirmation|one-time|login|sign-in|2fa|mfa|otp"
    r"|authenticat\w{1,6}|two-factor|backup|recovery|card|tür|zugangs|sicherheits)"
    r"[ -]?(?:pin|code|combination|combo)|(?:security|access|card|verification)[ -]?number",  # not a phone's or a door's
    r"(?:cvv|cvc|cv2|csc)2?|sort code|account (?:number|no\.?)|código|code d'accès",
)
_SECRET = (
    r"(?:(?:api|app|access|auth|client|consumer|secret|private|signing|encryption|bot|deploy|session|refresh"
    r"|service|account|aws|storage|webhook)[ _-]?)?"
    r"(?:secret|token|api[ _-]?key|credential|access[ _-]?key|secret[ _-]?key)s?"
)
WORDS = rf"\b(?:{_SECRET}|{_PASS}|\w{{0,30}}_?(?:key|token|secret|password|pwd)|auth|bearer|signature)\b"
NEAR = r"[^\n]{0,40}?[\s:=\"'`(]"

# What stands between the word and its link: whose it is ("for gmail.com"), a clause, an aside, an account in brackets.
_CLAUSE = (
    r"(?:(?:that|which)\s{1,3})?(?:i|we|you|he|she|they)(?:['’]\w{1,3})?\s{1,3}"
    r"(?:(?:always|usually|normally|mostly|now|often|currently|still|just)\s{1,3})?"
    r"(?:used?|share|have|had|set|chose|picked|made|created|gave|give|told|sent|got|need|want|wrote|type|enter|keep)\b"
    r"(?:\s{1,3}(?!(?:and|but|so|because|is|was)\b)[\w'’-]{1,20}){0,5}?"
)
_OWNER = (
    r"(?:\s{1,9}(?:for|of|to|on|at|in|für|vom|zum|de|pour|del|da)\s(?:[^\n.:;=!?]|\.(?=\w)){1,50}?"
    rf"|\s{{1,3}}{_CLAUSE}|,\s{{1,3}}[^\n,.:;=!?]{{1,40}},|\s{{0,3}}\([^()\n]{{1,60}}\))?"
)
_CLOSED = r"(?:[*_`]{1,3}|</[a-z]{1,6}>)?"  # markup: **Password:** X, <b>password</b>: X
_IS = (
    rf"(?:\s{{0,3}}(?:=>|:=|[:=]|->|→)(?:{_CLOSED}(?=\s))?\s{{0,3}}|"
    r"(?:\s{1,9}(?:is|was|are|now|will be|should be|has been|have been|ist"
    r"|lautet|war|est|es|era|becomes))"
    r"(?:\s{1,9}(?:now|still|currently|just|jetzt|always|temporarily|(?:re)?set to|changed to|called|literally"
    r"|simply|going to be|probably|all lower ?case)){0,3}\s{0,3}:?\s{1,3})"
)

_OPENED = r"(?:<[a-z]{1,6}>\s{0,3})?"
_LINK = rf"{_CLOSED}(?:{_OWNER}{_IS}|['’]s\s{{1,3}}){_OPENED}"
_CHANGED = r"(?:chang|reset|set|updat|switch|ma[dk]e)\w{0,4}"

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


_MAIL = re.compile(r"(?i)[\w.+-]{1,64}@[\w-]{1,60}(?:\.[\w-]{1,20}){0,3}\.(?:com|net|org|edu|gov|info|[a-z]{2})")


def no_account(text: str) -> bool:
    "What looks like a secret and not like the e-mail address that it belongs to."
    return looks_secret(text) and not _MAIL.fullmatch(text.strip(".,;:!?"))


def is_chosen(text: str) -> bool:
    "The same with a digit or a symbol: a password is changed to 'Hunter22', and the one of an account to 'GitHub'."
    return no_account(text) and not re.fullmatch(r"[^\W\d_]+[.,;:!?]?", text)


def is_drawn(text: str) -> bool:
    "Letters in no word's proportion: a key that happens to have no digit."
    return is_random(text) or (entropy(text) >= 3.4 and not text.endswith(_TAILS))


def is_code(text: str) -> bool:
    "Three digits or more, whatever stands between and around them."
    return len(re.findall(r"\d", text)) >= 3


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_MINE = r"(?:(?:my|the|our|his|her|their|a|mein|das)\s{1,3})?(?:[\w'’-]{1,20}\s{1,3}){0,2}?"
_NO_TOOL = r"(?!\s{1,3}(?:manager|vault|generator|keeper|app|store|safe)\b)"
_WORD = rf"\b_{{0,2}}(?:{_PASS})_{{0,2}}\b"
_PHRASE = r"(?P<v>[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20}){1,7})(?=\s{0,3}(?:[.!?,;\n]|$))"
_TOKEN = r"(?P<v>[^\s\"“”`«»„<>,;\[\]()]{3,200}?)(?=[.!?,;:)\"'”’]{0,4}(?:\s|$|</))"
_QUOTED = r"[\"“‘`«„'](?P<v>[^\"”’`»“'\n]{3,80})[\"”’`»“']"
_COUNTED = r"(?!\s{1,3}(?:lines?|words?|pages?|files?|bytes|[km]b|kg|kilos?|lbs?|pounds|days?|weeks?|months?|years?)\b)"
_DIGITS = r"(?P<v>[#*]?[A-Z]?\d(?:[ .\-–/]?\d){2,11}(?:[#*-]?[A-Z]{1,3}\b)?[#*]?)(?!\w|-\w)" + _COUNTED
_CODED = r"(?P<v>[A-Z0-9][A-Z0-9#*-]{2,15})\b" + _COUNTED
_PUBLIC = "".join(rf"(?<!\b{word}[ -])" for word in "zip postal post area error status country exit dialling dialing".split())
_ASSIGNED = (
    r"\b[A-Z0-9_]{0,30}(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|PASSPHRASE)[A-Z0-9_]{0,30}"
    r"[\"']?\s{0,3}[=:]\s{0,3}[\"']?(?P<v>[^\s\"',;]{4,200})"
)
_SHORT = r"\b(?:[A-Z0-9]{1,20}_){0,4}(?:PASS|AUTH)[\"']?\s{0,3}=\s{0,3}[\"']?(?P<v>[^\s\"',;]{4,200})"
_LOGIN = (
    r"\b(?:log-?in|user(?:\s?name)?|credentials?|creds)\s{0,3}[:=]\s{0,3}"
    r"[a-z][^\s:/]{0,60}\s{0,2}[:/]\s{0,2}(?P<v>[^\s/\"“”`<>,;\[\]()][^\s/\"“”`<>,;\[\]()]{2,200}?)(?=[.!?,;:)\"'”’]{0,4}(?:\s|$))"
)
_CURL = r"\bcurl\s[^\n]{0,200}?(?<!\S)(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,80}:(?P<v>[^\s\"']{1,200})"
_KEY = (
    r"\b(?:api|access|secret|private|client|auth|signing|encryption)[ _-]?(?:key|token|secret)\b"
    rf"{_LINK}[\"'“‘`]?(?P<v>[A-Za-z0-9]{{16,400}})(?![\w-])"
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
    ("password", _p(rf"{_WORD}{_LINK}{_QUOTED}"), is_anything),
    ("password", _p(rf"{_WORD}{_LINK}{_PHRASE}"), is_password),
    ("password", _p(rf"{_WORD}{_LINK}{_TOKEN}"), is_password),
    ("password", _p(rf"{_WORD}{_OWNER}\s{{1,3}}used\sto\sbe\s{{1,3}}{_TOKEN}"), looks_secret),
    (
        "password",
        _p(rf"\b{_CHANGED}\s{{1,3}}(?:[\w'’-]{{1,20}}\s{{1,3}}){{0,4}}?{_WORD}{_OWNER}\s{{1,3}}(?:back\s)?to\s{{1,3}}{_TOKEN}"),
        is_chosen,
    ),
    ("password", _p(rf"{_WORD}\s{{1,3}}{_CHANGED}\s{{1,3}}(?:back\s)?to\s{{1,3}}{_TOKEN}"), is_chosen),
    ("password", _p(rf"{_WORD}{_CLOSED}[ \t]{{0,20}}\|[ \t]{{0,20}}(?P<v>[^\s|]{{3,200}})(?=[ \t]{{0,200}}\|)"), no_account),
    ("password", _p(rf"<(?:{_PASS})>(?P<v>[^<>\n]{{3,200}})</"), is_password),
    ("password", _p(rf"\b(?:{_PASS}|pass)\s{{0,3}}[:=]\s{{0,3}}{_TOKEN}"), is_password),
    ("password", _p(rf"\b(?:{_PASS})\s{{1,3}}{_QUOTED}"), is_anything),
    ("password", _p(rf"\b(?:{_PASS})\s{{1,3}}{_TOKEN}"), looks_secret),
    ("password", _p(rf"\b(?:{_PASS}){_OWNER}\s{{0,3}}\((?P<v>[^\s()]{{4,40}})\)"), no_account),
    (
        "password",
        _p(rf"(?<!\S){_TOKEN}[\"”’'`]?,?\s{{1,3}}(?:is|was|as|for|ist)\s{{1,3}}{_MINE}(?:{_PASS})\b{_NO_TOOL}"),
        looks_secret,
    ),
    (
        "password",
        _p(rf"[\"“‘`'](?P<v>[^\"”’`'\n]{{3,60}})[\"”’`']\s{{1,3}}(?:is|was|as|for)\s{{1,3}}{_MINE}(?:{_PASS})\b{_NO_TOOL}"),
        is_anything,
    ),
    ("password", _p(rf"\bclave\s{{0,3}}[:=]\s{{0,3}}{_TOKEN}"), is_password),
    ("password", _p(rf"\bclave\b{_LINK}{_TOKEN}"), looks_secret),
    ("password", _p(rf"\bclave\b{_LINK}{_QUOTED}"), is_anything),
    ("key", _p(_ASSIGNED), is_password),
    ("key", _p(_KEY), is_drawn),
    ("password", _p(_SHORT), looks_secret),
    ("password", _p(_LOGIN), looks_secret),
    ("password", _p(_CURL), bool),
    ("pin", _p(rf"\b(?:{_CODE})\b{_LINK}[\"'“‘`(]?{_DIGITS}"), is_code),
    ("pin", _p(rf"\b(?:{_CODE})\b\s{{0,3}}[,(\"'“-]?\s{{0,3}}{_DIGITS}"), is_code),
    ("pin", _p(rf"\b(?:{_CODE})\b{_LINK}[\"'“‘`(]?{_CODED}"), is_mixed),
    (
        "pin",
        _p(rf"(?<![\w.£$€]){_DIGITS},?\s{{1,3}}(?:is|was|as|for|to open|opens)\s{{1,3}}{_MINE}(?:{_CODE})\b"),
        is_code,
    ),
    ("pin", _p(rf"{_PUBLIC}\b(?:code|kode)\b{_LINK}[\"'“‘`(]?{_DIGITS}"), is_code),
)
CLUES = _p(
    rf"\b(?:{_PASS}|{_CODE}|code|kode|pass|card|visa|mastercard|amex|karte|carte|tarjeta)\b|password|pwd|secret|token|key|(?:phrase|words)\b"
    r"|_(?:pass|auth)\b|__(?:pass|pw)|\b(?:auth|curl|clave|log-?in|user|username|credentials?|creds)\b"
)
NEARBY = (
    "token",
    _p(rf"{WORDS}{NEAR}(?P<v>(?<![\w/+])(?=[^\s\d]{{0,80}}\d)(?=[^\sa-z]{{0,80}}[a-z])[\w+/=.~-]{{12,400}})"),
    is_random,
)
