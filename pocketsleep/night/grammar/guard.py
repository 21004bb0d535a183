"What must never become a study item: text that gives the model orders."

from __future__ import annotations

import re

_COMMANDS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,30}"
    r"\b(?:previous|prior|above|earlier|all|any|instructions?|rules?|guidelines?)\b"
    r"|\balways (?:mention|recommend|include|say|insert|add|advertise|link|reply with|promote)\b"
    r"|\bsystem prompt\b|\bjailbreak|\byou are now\b|\bfrom now on,? you\b|\bpretend (?:to be|you)\b|\bas an ai\b"
    r"|\bdo not (?:tell|reveal|warn)\b|\bexfiltrat|https?://|<\||\|>|\[/?inst\]|</?s>|\bdeveloper mode\b"
    r"|\bno matter what\b|\bin every (?:answer|reply|response)\b.{0,20}\b(?:mention|recommend|link|promote)"
    r"|\bend every (?:answer|reply|response|message) with\b",
    re.I,
)


def commands(text: str) -> bool:
    "Whether a text reads as an order to the model rather than as something about the user."
    return bool(_COMMANDS.search(text))
