"""Answers that follow a JSON Schema: llama.cpp's grammars, over the logits that we draw from ourselves."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf

from pocketsleep.errors import BadInput
from pocketsleep.nouns import Sampling
from pocketsleep.runtime.llama_batch import Engine, ll

LONGEST = 200_000  # characters of a grammar
_ROW = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data


class Grammar:
    "Where an answer stands in its grammar; without a sampler, anything goes."

    def __init__(self, sampler: Any = None, vocabulary: Any = None) -> None:
        self._sampler, self._vocabulary = sampler, vocabulary

    @classmethod
    def of(cls, engine: Engine, sampling: Sampling) -> Grammar:
        "Raises BadInput for a schema that cannot be followed."
        if not sampling.schema:
            return cls()
        vocabulary = ll.llama_model_get_vocab(engine.model)
        sampler = ll.llama_sampler_init_grammar(vocabulary, _rules(sampling).encode(), b"root")
        if not sampler:
            raise BadInput("llama.cpp cannot follow this JSON schema", hint="leave out patterns and formats")
        return cls(sampler, vocabulary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._sampler:
            ll.llama_sampler_free(self._sampler)

    def choose(self, logits: np.ndarray, draw: Callable[[np.ndarray], int]) -> int | None:
        """A token drawn from logits [vocabulary] among those that the grammar allows next, None where it allows none. What is
        drawn freely is mostly allowed: the whole vocabulary is looked at where it is not."""
        if not self._sampler:
            return draw(logits)
        token = draw(logits)
        if not self._allowed(np.array([token]))[0]:
            allowed = self._allowed(np.arange(len(logits)))
            if not allowed.any():
                return None
            token = draw(np.where(allowed, logits, -np.inf))
        if not ll.llama_vocab_is_eog(self._vocabulary, token):
            ll.llama_sampler_accept(self._sampler, token)
        return token

    def _allowed(self, tokens: np.ndarray) -> np.ndarray:
        "[n] which of these tokens may come next."
        rows = np.zeros(len(tokens), _ROW)
        rows["id"] = tokens
        data = rows.ctypes.data_as(ctypes.POINTER(ll.llama_token_data))
        ll.llama_sampler_apply(self._sampler, ctypes.byref(ll.llama_token_data_array(data, len(rows), -1, False)))
        return np.isfinite(rows["logit"])


def _rules(sampling: Sampling) -> str:
    "The grammar of a schema, within the texts around it."
    try:
        rules = json_schema_to_gbnf(sampling.schema)
    except Exception as error:  # whatever its reader meets in a schema: KeyError, AssertionError, re.error, ...
        raise BadInput(f"the JSON schema cannot be read ({type(error).__name__}: {error})",
                       hint="it has to be a JSON Schema without remote references") from None
    if len(rules) > LONGEST:
        raise BadInput(f"the JSON schema makes a grammar of {len(rules)} characters, more than {LONGEST}",
                       hint="ask for fewer properties, and lists without a least length")
    if not any(sampling.within):
        return rules
    before, after = map(json.dumps, sampling.within)
    inner = "\n".join("within-these " + line.removeprefix("root ") if line.startswith("root ::=") else line
                      for line in rules.splitlines())
    return f"{inner}\nroot ::= {before} within-these {after}\n"
