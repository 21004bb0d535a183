"""The gated delta rule: correctness first, then seconds against MLX's ways of doing it, and against the machine's memory.

Arms take turns and the best of several is taken: on a shared machine a mean measures the neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pocketsleep.bench.train import gemm_peak
from pocketsleep.errors import ModelError
from pocketsleep.fastweights import cpu, gpu, graph, pick, reference

# isort: split
import mlx.core as mx
import numpy as np

Array = np.ndarray
TOKENS, HEADS, SIDE = 2048, 4, 64  # of the chunk whose time is the headline
AGREE, SLOPES = 1e-5, 2e-5  # of the largest number
STATES = ((16, 128), (64, 128), (256, 128), (1024, 128))  # heads, side: states of 1 to 67 MB
CHECKS = ((37, 2, 24, 40, False, 1), (33, 3, 64, 64, True, 1), (21, 2, 100, 20, True, 3))  # T, H, Dk, Dv, by channel, passes


def fastweights(say: Callable[[str], None], tokens: int = TOKENS, graph_tokens: int = 256, repeats: int = 5) -> dict[str, Any]:
    """What `pocketsleep bench fastweights` prints. Raises ModelError where a backend is wrong: a wrong answer has no speed.

    MLX's fallback graph is timed over the whole chunk once; ours in ordinary operations over `graph_tokens` of them."""
    backend = pick.choose(SIDE).backend
    say(f"correctness of {', '.join(b.name for b in _present())}")
    found: dict[str, Any] = {"kernel": str(pick.choose(SIDE)), "agree": agreement()}
    say(f"{tokens} tokens, {HEADS} heads of {SIDE} x {SIDE}, forward and backward")
    found |= chunk(backend, tokens, graph_tokens, repeats)
    say("length, heads, passes")
    found |= growth(backend, repeats)
    if backend.name == "cpu":
        say("one token")
        found |= decoding(repeats * 8)
    return found | on_cuda()


def _present() -> list[pick.Backend]:
    "Whatever is timed here; MLX's own runs everywhere, as a graph where it has no kernel."
    return [b for b in pick.BACKENDS if b.name == "mlx" or not b.unavailable(SIDE)]


def agreement() -> float:
    "The largest difference from the definition over backends, values and slopes, as a share of the largest number."
    worst = 0.0
    for T, H, dk, dv, channels, passes in CHECKS:
        given, dout, dlast = draw(T, H, dk, dv, channels)
        q, k, v, decay, beta, state = given
        want = reference.gated_delta(q, k, v, decay, beta, state, passes)
        slopes = reference.gradient(q, k, v, decay, beta, state, dout, dlast, passes)
        for backend in _present():
            out, last, surprise = backend.nap(*map(mx.array, given), passes=passes)
            told = [(surprise, want.surprise)] if surprise.size else []
            by = max(_off(got, w) for got, w in [(out, want.out), (last, want.state), *told])
            grads = max(_off(got, w) for got, w in zip(_slopes(backend, given, dout, dlast, passes), slopes, strict=True))
            if not by <= AGREE or not grads <= SLOPES:
                raise ModelError(f"`{backend.name}` is off by {by:.1e}, its slopes by {grads:.1e}", hint="pytest -k fastweights")
            worst = max(worst, by, grads)
    return worst


Given = tuple[Array, Array, Array, Array, Array, Array]


def draw(T: int, H: int, dk: int, dv: int, channels: bool = False) -> tuple[Given, Array, Array]:
    "q, k, v, decay, beta, state; slopes by out and by the state."
    rng = np.random.default_rng(T + H + dk)
    normal = [rng.standard_normal(s).astype(np.float32) for s in ((1, T, H, dk), (1, T, H, dk), (1, T, H, dv), (1, H, dv, dk))]
    decay = rng.uniform(0.9, 1.0, (1, T, H, dk) if channels else (1, T, H)).astype(np.float32)
    beta = rng.uniform(0.1, 1.0, (1, T, H)).astype(np.float32)
    q, k, v, state = normal
    slopes = (rng.standard_normal(v.shape).astype(np.float32), rng.standard_normal(state.shape).astype(np.float32))
    return (q, reference.unit(k).astype(np.float32), v, decay, beta, state), *slopes


def _slopes(backend: pick.Backend, given: Sequence[Array], dout: Array, dlast: Array, passes: int) -> Sequence[mx.array]:
    def loss(*inputs: mx.array) -> mx.array:
        out, last, _ = backend.nap(*inputs, passes=passes)
        return (out * mx.array(dout)).sum() + (last * mx.array(dlast)).sum()

    found: Sequence[mx.array] = mx.grad(loss, argnums=tuple(range(6)))(*map(mx.array, given))
    return found


def _off(got: mx.array, want: Array) -> float:
    difference = np.abs(np.array(got) - want).max()
    return float(difference / np.abs(want).max()) if np.isfinite(difference) else float("inf")


def chunk(backend: pick.Backend, tokens: int, graph_tokens: int, repeats: int) -> dict[str, Any]:
    "Forward and backward of one chunk through MLX, by the kernel, by `mx.fast.gated_delta_update`, and by the graph."
    given, dout, dlast = draw(tokens, HEADS, SIDE, SIDE)

    def run(by: Callable[..., Any], n: int = tokens) -> Callable[[], None]:
        some, slope = [a[:, :n] for a in given[:5]] + [given[5]], dout[:, :n]
        return lambda: mx.eval(_slopes(pick.Backend("", "", lambda Dk: "", by), some, slope, dlast, 1))

    (ours,) = best([run(backend.nap)], repeats)
    forward, = best([lambda: mx.eval(backend.nap(*map(mx.array, given)))], repeats)
    (theirs,) = best([run(pick.with_mlx)], 1, warm=False)
    part, plain = best([run(backend.nap, graph_tokens), run(graph.nap, graph_tokens)], 1)
    peak = gemm_peak()
    rate, name = work(tokens) / ours / 1e9, backend.name
    return {"chunk_seconds": ours, "chunk_forward_seconds": forward, "mlx_fast_chunk_seconds": theirs,
            f"{name}_chunk_ratio_fallback": theirs / ours, f"{name}_chunk_ratio_graph_{graph_tokens}_tokens": plain / part,
            "chunk_gflops": rate, "gemm_peak_gflops": peak, "chunk_share_of_peak": rate / peak}


def work(tokens: int) -> float:
    "Additions and multiplications of forward and backward: 7 and 16 for each number of S at each token."
    return 23.0 * tokens * HEADS * SIDE * SIDE


def growth(backend: pick.Backend, repeats: int) -> dict[str, Any]:
    "Microseconds a token and head of a forward pass: with length, heads, and passes of a nap."
    cases = {"128_tokens": (128, HEADS, 1), "512_tokens": (512, HEADS, 1), "8192_tokens": (8192, HEADS, 1), "1_head": (512, 1, 1),
             "16_heads": (512, 16, 1), "2_passes": (512, HEADS, 2), "4_passes": (512, HEADS, 4)}
    found = {}
    for name, (tokens, heads, passes) in cases.items():
        given = [mx.array(a) for a in draw(tokens, heads, SIDE, SIDE)[0]]
        (took,) = best([lambda given=given, passes=passes: mx.eval(backend.nap(*given, passes=passes))], repeats)  # type: ignore[misc]
        found[f"microseconds_{name}"] = took / (tokens * heads * passes) * 1e6
    return found


def decoding(repeats: int) -> dict[str, Any]:
    "One token in place, against reading and writing as many numbers once. The ratio told is the worst of the sizes."
    found: dict[str, Any] = {}
    for heads, side in STATES:
        (q, k, v, decay, beta, state), _, _ = draw(1, heads, side, side)
        place, other = cpu.fresh(state.shape), cpu.fresh(state.shape)
        place[:], other[:] = state, state
        step = cpu.stepping(cpu.Given(q, k, v, decay, beta, place), cpu.fresh(v.shape), place)
        took, streamed = best([step, lambda other=other: cpu.stream(other, other)], repeats)  # type: ignore[misc]
        megabytes = state.nbytes / 1e6
        found[f"decode_ratio_stream_{megabytes:.0f}_mb"] = took / streamed
        found[f"decode_share_of_bandwidth_{megabytes:.0f}_mb"] = streamed / took
        found["stream_gigabytes_per_second"] = 2 * state.nbytes / streamed / 1e9
    return {"cpu_decode_ratio_stream": max(r for n, r in found.items() if n.startswith("decode_ratio"))} | found


def on_cuda() -> dict[str, Any]:
    "What takes an NVIDIA GPU: share of its bandwidth at decode; flash-linear-attention is measured in an environment of its own."
    if not mx.cuda.is_available():
        why = {"error": "no NVIDIA GPU that MLX can use", "hint": "on a machine with one: pip install 'pocketsleep[cuda]'"}
        return {"cuda_decode_bandwidth_share": why, "cuda_chunk_ratio_fla": why}
    (q, k, v, decay, beta, state), _, _ = draw(1, 1024, 128, 128)
    given, run = [mx.array(a) for a in (q, k, v, decay, beta, state)], gpu.on("cuda")
    want = reference.gated_delta(q, k, v, decay, beta, state)
    if not (by := max(_off(got, w) for got, w in zip(gpu.decode(run, *given), want, strict=True))) <= AGREE:
        raise ModelError(f"native/gpu is off by {by:.1e} on CUDA", hint="pytest -k fastweights_gpu")
    copied = mx.array(state)
    took, streamed = best([lambda: mx.eval(gpu.decode(run, *given)[1]), lambda: mx.eval(copied * 0.999)], 40)
    return {"cuda_decode_bandwidth_share": streamed / took, "cuda_chunk_ratio_fla": {
        "error": "flash-linear-attention was not measured: it wants PyTorch, in an environment of its own",
        "hint": "pip install flash-linear-attention torch, beside"}}


def best(arms: Sequence[Callable[[], object]], repeats: int, warm: bool = True) -> list[float]:
    "Seconds of each arm, the least of several; they take turns."
    least = [float("inf")] * len(arms)
    for n in range(repeats + warm):
        for i, arm in enumerate(arms):
            started = time.perf_counter()
            arm()
            if n >= warm:
                least[i] = min(least[i], time.perf_counter() - started)
    return least
