"""Text to token ids and back, the same ids as llama.cpp, without torch.

By default the text of a special token is only text: `<|im_end|>` in a message becomes several
ordinary tokens. Only template text is encoded with `specials=True`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Engine

from pocketsleep.errors import ModelError
from pocketsleep.weights.vocab import ENDS

_BYTE = re.compile(r"<0x([0-9A-F]{2})>\Z")
# the names above that end a turn rather than a document, in order of preference
_TURN_ENDS = ("<|im_end|>", "<end_of_turn>", "<turn|>", "<|eot_id|>", "<|end|>")


class Tokenizer:
    "The tokenizer of a model folder (tokenizer.json, with *_config.json for the ends)."

    def __init__(self, folder: Path) -> None:
        try:
            self.engine = Engine.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises plain Exception
            raise ModelError(
                f"`{folder / 'tokenizer.json'}` cannot be read ({error})", hint="import it again"
            ) from error
        self.engine.no_truncation()
        self.engine.no_padding()
        added = self.engine.get_added_tokens_decoder()
        self.special_ids: dict[str, int] = {token.content: number for number, token in added.items() if token.special}
        starts = self.engine.encode("").ids[:1]  # what the post-processor puts in front
        # From here on special tokens in text are ordinary text, for every thread.
        self.engine.encode_special_tokens = True
        config = _read(folder / "tokenizer_config.json")
        self.bos: int | None = self._named(config, "bos_token")
        self.adds_bos: bool = self.bos is not None and starts == [self.bos]
        self.ends: frozenset[int] = self._ends(folder, config)
        self.eos: int | None = self._named(config, "eos_token")
        in_turns = [self.special_ids[text] for text in _TURN_ENDS if text in self.special_ids]
        self.eot: int | None = in_turns[0] if in_turns else self.eos
        # stands for bytes that a byte-level vocabulary does not have; see vocab.py
        model: Any = self.engine.model
        byte_level = not getattr(model, "byte_fallback", False) and getattr(model, "unk_token", None)
        self._gap = self.engine.token_to_id(model.unk_token) if byte_level else None
        self.size: int = self.engine.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, specials: bool = False) -> list[int]:
        """Token ids of a text; no BOS is added.

        The same as llama.cpp's `tokenize(add_bos=False, special=specials)`. Unpaired surrogates, which
        are no text, become U+FFFD.
        """
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        if not specials:
            ids = self.engine.encode(text, add_special_tokens=False).ids
            return [number for number in ids if number != self._gap] if self._gap in ids else ids
        ids = []
        for piece in self._special.split(text):
            ids += [self.special_ids[piece]] if piece in self.special_ids else self.encode(piece) if piece else []
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        "The text of token ids. Special tokens are silent; broken UTF-8 becomes U+FFFD."
        return self.utf8(ids).decode("utf-8", "replace")

    def utf8(self, ids: Iterable[int]) -> bytes:
        "The UTF-8 of token ids, which may begin or end within a character."
        return b"".join(self._pieces.get(number, b"") for number in ids)

    def stream(self) -> Stream:
        "A decoder for ids that arrive one at a time."
        return Stream(self)

    def _named(self, config: dict[str, Any], key: str) -> int | None:
        value = config.get(key)
        text = value.get("content") if isinstance(value, dict) else value
        return None if text is None else self.engine.token_to_id(text)

    def _ends(self, folder: Path, config: dict[str, Any]) -> frozenset[int]:
        given = _read(folder / "generation_config.json").get("eos_token_id")
        given = _read(folder / "config.json").get("eos_token_id") if given is None else given
        listed = given if isinstance(given, list) else [] if given is None else [given]
        eos = self._named(config, "eos_token")
        known = [number for text, number in self.special_ids.items() if text in ENDS]
        return frozenset([*listed, *known, *([] if eos is None else [eos])])

    @cached_property
    def _special(self) -> re.Pattern[str]:
        longest_first = sorted(self.special_ids, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if longest_first else re.compile("(?!)")

    @cached_property
    def _pieces(self) -> dict[int, bytes]:
        "Bytes of each token that is not special."
        spell = _sentencepiece_bytes if getattr(self.engine.model, "byte_fallback", False) else _byte_level_bytes
        added = {number: token for number, token in self.engine.get_added_tokens_decoder().items()}
        pieces = {n: spell(text) for text, n in self.engine.get_vocab(with_added_tokens=False).items()}
        return pieces | {n: b"" if token.special else token.content.encode() for n, token in added.items()}


class Stream:
    "Text of ids as they arrive: whole characters only."

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, number: int) -> str:
        "The characters that are complete once this id has arrived; often '' for emoji or rare scripts."
        return self._decoder.decode(self._tokenizer.utf8([number]))

    def finish(self) -> str:
        "What is left: U+FFFD if the ids stopped within a character."
        return self._decoder.decode(b"", final=True)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _sentencepiece_bytes(text: str) -> bytes:
    if byte := _BYTE.match(text):
        return bytes([int(byte.group(1), 16)])
    return text.replace("▁", " ").encode()


def _byte_level_bytes(text: str) -> bytes:
    "A token that is not in the byte alphabet (added later, as plain text) is taken as it is written."
    try:
        return bytes(_BYTES[letter] for letter in text)
    except KeyError:
        return text.encode()


def _byte_alphabet() -> dict[str, int]:
    "GPT-2's printable letter for each byte: itself where it prints, else the next free one from U+0100."
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(0x100 + index): byte for index, byte in enumerate(hidden)}


_BYTES = _byte_alphabet()
