"""Secrets known by their shape: vendors' prefixes, key blocks, check digits, randomness.

A pattern's group `v`, or the whole match where there is none, is the secret. Quantifiers are bounded, so that
a long text costs time in proportion to its length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

Shape = tuple[str, re.Pattern[str], Callable[[str], bool]]


def luhn(digits: str) -> bool:
    "The check digit of payment cards (ISO/IEC 7812-1)."
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 * (number > 9)
    return total % 10 == 0


def is_card(text: str) -> bool:
    "12 to 19 digits, from a card scheme's range, with a good check digit."
    digits = re.sub(r"\D", "", text)
    return 12 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 2 and luhn(digits)


def is_iban(text: str) -> bool:
    "ISO 13616: the first four characters to the end, letters as numbers from 10, modulo 97 is 1."
    plain = re.sub(r"[\s-]", "", text).upper()
    moved = plain[4:] + plain[:4]
    return plain.isascii() and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def entropy(text: str) -> float:
    "Shannon entropy of the characters, in bits a character."
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def is_random(text: str) -> bool:
    "A token as no word or number is: digits and letters, without repetition."
    mixed = bool(re.search(r"\d", text)) and bool(re.search(r"[A-Za-z]", text))
    return mixed and entropy(text) >= 3.0


def is_very_random(text: str) -> bool:
    "Capitals, small letters and digits mixed throughout: a secret even if nothing says so."
    changes = len(re.findall(r"[a-z][A-Z0-9]|[A-Z][a-z0-9]|\d[A-Za-z]", text))
    mixed = all(re.search(one, text) for one in ("[a-z]", "[A-Z]", r"\d"))
    return mixed and entropy(text) >= 4.2 and changes >= len(text) / 3


def is_credential(text: str) -> bool:
    "What follows 'Bearer' or 'Basic' in a header, and not in a sentence."
    return entropy(text) > 2.8 and not (text.isalpha() and (text.islower() or text.istitle()))


def is_issued(text: str) -> bool:
    "After a prefix that words have too ('key-'): a part between hyphens that is no word, year or version."
    parts = re.split(r"[-_.]", text)[1:]
    return any(
        (len(part) >= 6 and re.search(r"\d", part) and re.search(r"[A-Za-z]", part))
        or (len(part) >= 10 and part.isdigit())
        or len(re.findall(r"[a-z][A-Z]", part)) >= 2
        for part in parts
    )


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_API_KEYS = (
    r"(?<![\w.-])(?:sk-(?:ant-|proj-|or-|svcacct-)|gsk_|xai-|pplx-|r8_|fw_|nvapi-|hf_|sbp_|lin_api_|figd_|ntn_"
    r"|PMAK-|NRAK-|dop_v1_|doo_v1_|dp\.(?:pt|st)\.|rubygems_|pypi-|npm_|tskey-(?:api|auth)-|sntry[su]_"
    r"|phc_|rnd_|glsa_|CFPAT-)(?=[\w.-]{0,200}\d)[A-Za-z0-9_.\-]{16,400}",
    r"\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,250}|\bwhsec_[A-Za-z0-9+/=]{16,100}",
    r"\bAIza[\w-]{30,60}|\bGOCSPX-[\w-]{20,60}|\bya29\.[\w.-]{20,400}|\b1//0[\w-]{20,200}",
    r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b",
    r"\bSG\.[\w-]{16,60}\.[\w-]{16,60}|\b(?:AC|SK)[0-9a-f]{32}\b|\b[0-9a-f]{32}-us\d{1,2}\b",
    r"\bshp(?:at|ca|pa|ss)_[0-9A-Fa-f]{16,80}|\bsq0(?:atp|csp)-[\w-]{20,80}|\bEAA[A-Za-z0-9]{30,400}",
    r"\bdapi[0-9a-f]{32}\b|\bATATT3[\w=+/.-]{20,400}|\bAGE-SECRET-KEY-1[A-Z0-9]{20,80}|\bhvs\.[\w-]{20,200}",
)
_MAYBE_KEY = r"(?<![\w.-])(?:sk-|secret_|key-|PAT-|pat-)(?=[\w.-]{0,200}\d)[A-Za-z0-9_.\-]{16,400}"
_TOKENS = (
    r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_\w{20,255}|\bgl(?:pat|ptt|dt|rt|soat)-[\w-]{16,100}",
    r"\bxox[a-z]-[A-Za-z0-9-]{10,255}|\bxapp-[A-Za-z0-9-]{10,255}",
    r"hooks\.slack\.com/services/(?P<v>[\w/]{20,100})|discord(?:app)?\.com/api/webhooks/(?P<w>\d+/[\w-]{20,100})",
    r"\b\d{8,10}:AA[\w-]{30,50}|\b[MNO][A-Za-z\d]{23,27}\.[\w-]{6}\.[\w-]{27,80}",
    r"\beyJ[\w-]{6,4000}\.[\w-]{6,8000}(?:\.[\w-]{0,2000})?",
)
_BLOCK = (
    r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"(?s:.*?-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|.*\Z)"
)
_URL = r"(?i)(?<![\w+.-])[a-z][a-z0-9+.\-]{1,30}://[^\s/@:]{0,100}:(?P<v>[^\s@/]{1,200}(?:/[^\s@]{0,100})?)@[\w.\-\[]"
_SIGNED = r"(?i)\b(?:AccountKey|SharedAccessKey|sig|X-Amz-Signature|X-Amz-Credential)=(?P<v>[\w%+/=.-]{16,400})"
_NINO = r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D]\b"
_SSN = r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"
_NAMED_SSN = r"(?i)\b(?:ssn|social security)\b[^\n\d]{0,20}(?P<v>\d{3}[ -]?\d{2}[ -]?\d{4})(?![\w-])"
_IBAN_LENGTHS = {  # SWIFT's IBAN registry: characters by country
    15: "NO", 16: "BE", 18: "DK|FI|FO|GL|NL|SD", 19: "MK|SI", 20: "AT|BA|EE|KZ|LT|LU|MN|XK",
    21: "CH|HR|LI|LV", 22: "BG|BH|CR|DE|GB|GE|IE|ME|RS|VA", 23: "AE|GI|IL|IQ|OM|SO|TL",
    24: "AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG",
    25: "LY|PT|ST", 26: "IS|TR", 27: "BI|DJ|FR|GR|IT|MC|MR|SM", 28: "AL|AZ|BY|CY|DO|GT|HU|LB|NI|PL|SV",
    29: "BR|EG|PS|QA|UA", 30: "JO|KW|MU", 31: "MT|SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN = "|".join(rf"(?:{countries})\d\d(?:[ -]?[A-Z0-9]){{{length - 4}}}" for length, countries in _IBAN_LENGTHS.items())
_NAMED_IBAN = r"\b(?i:iban)\b[^\n]{0,40}?(?P<v>\b[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)\b"

SHAPES: tuple[Shape, ...] = (
    ("private key", _p(_BLOCK), bool),
    ("private key", _p(r"PuTTY-User-Key-File-\d:(?s:.*)\Z"), bool),
    ("password", _p(_URL), bool),
    *(("api key", _p(pattern), bool) for pattern in _API_KEYS),
    ("api key", _p(_MAYBE_KEY), is_issued),
    *(("token", _p(pattern), bool) for pattern in _TOKENS),
    ("key", _p(r"\b[xyz]prv[A-Za-z0-9]{80,120}|\b[5KL][1-9A-HJ-NP-Za-km-z]{50,51}\b"), bool),
    ("key", _p(_SIGNED), bool),
    ("token", _p(r"(?i)\b(?:bearer|basic)\s{1,3}(?P<v>[\w.~+/=-]{12,2000})"), is_credential),
    ("iban", _p(rf"(?i)\b(?:{_IBAN})(?![A-Z0-9])"), is_iban),
    ("iban", _p(_NAMED_IBAN), bool),
    ("card number", _p(r"(?<![\w.+-])\d(?:[ -]?\d){11,18}(?![\w-]|\.\d)"), is_card),
    ("card number", _p(r"(?<![\w.+-])(?<!\d )[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?![\w-]|\.\d| \d)"), bool),
    ("national insurance number", _p(_NINO), bool),
    ("social security number", _p(_SSN), bool),
    ("social security number", _p(_NAMED_SSN), bool),
)
RANDOM: Shape = ("token", _p(r"(?<![\w/+=.@-])[A-Za-z0-9+_-]{32,400}={0,2}(?![\w/@.])"), is_very_random)
