"Embeddings in the OpenAI dialect: the mean of the bare base's last hidden states."

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from pocketsleep.serve.api_asked import Wrong, named

MOST = 256  # texts of a request


class Texts:
    "What an embeddings request wants."

    def __init__(self, body: dict[str, Any]) -> None:
        self.model = named(body)
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not 0 < len(texts) <= MOST or not all(isinstance(text, str) and text for text in texts):
            raise Wrong(f"`input` has to be a text or a list of 1 to {MOST} texts; tokens are not taken", "input")
        self.texts: list[str] = texts
        self.form = body.get("encoding_format") or "float"
        if self.form not in ("float", "base64"):
            raise Wrong("`encoding_format` has to be float or base64", "encoding_format")
        self.width = body.get("dimensions")

    def answer(self, rows: np.ndarray, tokens: int) -> dict[str, Any]:
        "rows: [n, d] float32."
        if self.width not in (None, rows.shape[1]):
            raise Wrong(f"`dimensions` may be {rows.shape[1]} here", "dimensions")
        data = [{"object": "embedding", "index": i, "embedding": self._spelt(row)} for i, row in enumerate(rows)]
        return {"object": "list", "data": data, "model": self.model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}

    def _spelt(self, row: np.ndarray) -> Any:
        if self.form == "float":
            return row.astype(float).tolist()
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
