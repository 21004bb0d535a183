"""GGUF tokenizer metadata as the files a model folder has: tokenizer.json and its companions.

Two families, as llama.cpp knows them: "gpt2", byte-level BPE with a list of merges and a named
pre-tokenizer; and "llama", SentencePiece BPE where scores order the merges and bytes are a fallback.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from pocketsleep.errors import ModelError

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # token types of GGUF that are matched as a whole

# Spellings that llama.cpp takes for the end of an answer, in any model that has them; the last line is
# what code models put between files.
ENDS = (
    "<|im_end|>", "<end_of_turn>", "<turn|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>",
    "<|end_of_text|>", "<eos>", "</s>",
    "<reponame>", "<|repo_name|>", "<|file_sep|>", "<|fim_pad|>", "<|fim_repo|>", "<fim_pad>",
)  # fmt: skip

_SPACE = "▁"  # how SentencePiece writes a space
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_TIKTOKEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# name in `tokenizer.ggml.pre` -> regular expressions, applied one after the other
_PRE = {
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "llama-bpe": (_TIKTOKEN.replace("DIGITS", "{1,3}"),),
    "qwen2": (_TIKTOKEN.replace("DIGITS", ""),),
}


def write(reader: gguf.GGUFReader, folder: Path) -> None:
    "Write tokenizer.json, tokenizer_config.json, generation_config.json and, if there is one, chat_template.jinja."
    facts = {
        key.removeprefix("tokenizer.").removeprefix("ggml."): field.contents()
        for key, field in reader.fields.items()
        if key.startswith("tokenizer.")
    }
    tokens = facts.get("tokens")
    if not tokens or facts.get("model") not in ("gpt2", "llama"):
        raise ModelError(
            f"the tokenizer `{facts.get('model')}` cannot be imported from GGUF (known: gpt2, llama)",
            hint="use the model's Hugging Face id or an MLX folder instead",
        )
    build(facts).save(str(folder / "tokenizer.json"))
    bos, eos = facts.get("bos_token_id"), facts.get("eos_token_id")
    ends = sorted({tokens.index(text) for text in ENDS if text in tokens} | ({eos} if eos is not None else set()))
    named = {"bos_token": bos, "eos_token": eos, "unk_token": facts.get("unknown_token_id")}
    config: dict[str, Any] = {key: tokens[number] for key, number in named.items() if number is not None}
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    if template := facts.get("chat_template"):
        config["chat_template"] = template
        (folder / "chat_template.jinja").write_text(template, "utf-8", newline="")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False), "utf-8")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}), "utf-8")


def build(facts: dict[str, Any]) -> Tokenizer:
    "A `tokenizers.Tokenizer` from GGUF's `tokenizer.ggml.*` facts (keys without that prefix)."
    tokenizer = _byte_level(facts) if facts["model"] == "gpt2" else _sentencepiece(facts)
    for text, kind in zip(facts["tokens"], facts["token_type"], strict=True):
        # llama.cpp holds anything that is spelt like an end to be one, Gemma's HTML `</s>` too
        if kind in (UNKNOWN, CONTROL) or text in ENDS:
            tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False)])
        elif kind == USER_DEFINED:  # matched in any text, as llama.cpp does; no control over turns
            tokenizer.add_tokens([AddedToken(text, special=False, normalized=False)])
    if facts.get("add_bos_token", facts["model"] == "llama"):
        bos = facts["tokens"][facts["bos_token_id"]]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, facts["bos_token_id"])]
        )
    return tokenizer


def _byte_level(facts: dict[str, Any]) -> Tokenizer:
    if (pre := facts.get("pre")) not in _PRE:
        raise ModelError(
            f"the pre-tokenizer `{pre}` cannot be imported from GGUF (known: {', '.join(_PRE)})",
            hint="use the model's Hugging Face id or an MLX folder instead",
        )
    merges = [tuple(merge.split(" ", 1)) for merge in facts["merges"]]
    vocab = {text: number for number, text in enumerate(facts["tokens"])}
    # A byte without a token becomes `unknown`, which `Tokenizer.encode` leaves out again, as llama.cpp
    # leaves out the byte. Without it the neighbours of the gap would be merged across it.
    unknown = facts["tokens"][facts.get("unknown_token_id", facts.get("eos_token_id", 0))]
    model = models.BPE(vocab=vocab, merges=merges, unk_token=unknown, ignore_merges=pre == "llama-bpe")
    tokenizer = Tokenizer(model)
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in _PRE[pre]]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(facts: dict[str, Any]) -> Tokenizer:
    vocab = {text: number for number, text in enumerate(facts["tokens"])}
    unknown = facts["tokens"][facts.get("unknown_token_id", 0)]
    merges = _merges(vocab, facts["scores"])
    model = models.BPE(vocab=vocab, merges=merges, unk_token=unknown, byte_fallback=True, fuse_unk=False)
    tokenizer = Tokenizer(model)
    spaces: list[Any] = [normalizers.Replace(" ", _SPACE)]
    if facts.get("add_space_prefix", True):
        spaces.insert(0, normalizers.Prepend(_SPACE))
    tokenizer.normalizer = normalizers.Sequence(spaces)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _merges(vocab: dict[str, int], scores: list[float]) -> list[tuple[str, str]]:
    """Merges in the order SentencePiece applies them: any two neighbours whose join is a token, best score first.

    Two ways to make the same token share its score; SentencePiece then takes the leftmost in the text,
    a merge list has to choose, and takes the longer left part.
    """
    found = []
    for text, number in vocab.items():
        for cut in range(1, len(text)):
            if text[:cut] in vocab and text[cut:] in vocab:
                found.append((-scores[number], number, -cut, text[:cut], text[cut:]))
    return [(left, right) for *_, left, right in sorted(found)]
