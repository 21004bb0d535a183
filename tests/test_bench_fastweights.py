"""The bench of the kernels: what is wrong is not timed, and what is told is what the issue of speed is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from pocketsleep.bench import fastweights as bench
from pocketsleep.errors import ModelError
from pocketsleep.fastweights import pick


def test_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STATES", ((2, 32),))
    monkeypatch.setattr(bench, "gemm_peak", lambda: 100.0)
    said: list[str] = []
    found = bench.fastweights(said.append, tokens=32, graph_tokens=16, repeats=1)
    assert 0 < found["agree"] <= bench.SLOPES
    assert said[0].startswith("correctness")
    if mx.default_device() == mx.Device(mx.cpu):
        assert found["cpu_chunk_ratio_fallback"] > 0
        assert found["cpu_decode_ratio_stream"] > 0
    if not mx.cuda.is_available():
        assert "no NVIDIA GPU" in found["cuda_decode_bandwidth_share"]["error"]
        assert "pip install" in found["cuda_chunk_ratio_fla"]["hint"]


@pytest.mark.parametrize("what", ["values", "slopes"])
def test_a_wrong_kernel_has_no_speed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = pick.choose().backend

    @mx.custom_function
    def same(x: mx.array) -> mx.array:
        return x

    @same.vjp
    def steeper(x: mx.array, slope: mx.array, _: mx.array) -> mx.array:
        return slope * 1.0001

    def off(q: mx.array, *rest: Any, **more: Any) -> tuple[mx.array, ...]:
        return right.nap(q * 1.0001 if what == "values" else same(q), *rest, **more)

    monkeypatch.setattr(pick, "BACKENDS", (replace(right, nap=off),))
    with pytest.raises(ModelError, match="is off by"):
        bench.agreement()
