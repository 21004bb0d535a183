"""MLX's matrix products by way of NumPy's OpenBLAS: the right numbers, and proof that they went that way.

The bridge has to be loaded before MLX, so each test looks at a fresh interpreter with its own copy of the
package, with and without the compiled library.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from native.build_hook import LIBRARY, compile_blas

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux wheels of MLX need the bridge")

ROOT = Path(__file__).resolve().parent.parent

# (m, k, n): one, odd, prime, larger than a cache line, tall, wide; never only square.
SHAPES = [(1, 1, 1), (2, 3, 4), (3, 1, 5), (1, 64, 7), (17, 33, 65), (64, 64, 64), (127, 31, 3), (5, 1009, 2),
          (96, 576, 192), (200, 1, 300), (1, 576, 1536)]

PRODUCTS = """
import json, sys
import numpy as np
from pocketsleep.runtime import blas
import mlx.core as mx

shapes = json.loads(sys.argv[1])
rng = np.random.default_rng(7)
draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
cases = {}

def case(name, ours, numpy):
    before = blas.calls()
    ours = np.array(ours, copy=True)
    numpy = np.asarray(numpy)
    cases[name] = {
        "shape": list(ours.shape) == list(numpy.shape),
        "error": float(np.max(np.abs(ours - numpy)) / (np.max(np.abs(numpy)) + 1e-30)),
        "calls": blas.calls() - before,
    }

with mx.stream(mx.cpu):
    for m, k, n in shapes:
        a, b = draw(m, k), draw(k, n)
        A, B = mx.array(a), mx.array(b)
        exact = a.astype(np.float64) @ b.astype(np.float64)
        case(f"{m}x{k}x{n}", A @ B, exact)
        case(f"{m}x{k}x{n} left transposed", mx.array(a.T.copy()).T @ B, exact)
        case(f"{m}x{k}x{n} right transposed", A @ mx.array(b.T.copy()).T, exact)
        case(f"{m}x{k}x{n} both transposed", mx.array(a.T.copy()).T @ mx.array(b.T.copy()).T, exact)
        case(f"{m}x{k}x{n} into a sum", mx.addmm(mx.ones((m, n)), A, B, 0.5, 2.0), 0.5 * exact + 2.0)
    a, b = draw(6, 9, 13), draw(6, 13, 11)
    case("batch", mx.array(a) @ mx.array(b), a.astype(np.float64) @ b)
    a, b = draw(2, 3, 7, 5), draw(5, 9)
    case("batch of batches by one", mx.array(a) @ mx.array(b), a.astype(np.float64) @ b)
    a, b = draw(40, 30), draw(30, 20)
    case("every other row", mx.array(a)[::2] @ mx.array(b), a[::2].astype(np.float64) @ b)
    case("a block out of the middle", mx.array(a)[3:21, 4:19] @ mx.array(b)[4:19, 2:17],
         a[3:21, 4:19].astype(np.float64) @ b[4:19, 2:17])
    a, b = draw(8, 12), draw(12, 10)
    gradient = mx.grad(lambda x: (x @ mx.array(b)).sum())
    case("gradient", gradient(mx.array(a)), np.ones((8, 10)) @ b.T.astype(np.float64))
bridge = blas.BRIDGE
print(json.dumps({"active": bridge.active, "reason": bridge.reason, "calls": blas.calls(), "cases": cases}))
"""


def _copy(folder: Path) -> Path:
    "The package and the C source, without anything compiled."
    for part in ("pocketsleep", "native"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("_native", "__pycache__"))
    return folder


def _products(folder: Path, before: str = "") -> dict[str, Any]:
    "What a fresh interpreter that takes the package from `folder` multiplies."
    command = [sys.executable, "-c", before + PRODUCTS, json.dumps(SHAPES)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def _wrong(found: dict[str, Any]) -> dict[str, Any]:
    "Float32 sums of up to about a thousand products: 1e-5 of the largest entry is ample, and strict."
    return {name: case for name, case in found["cases"].items() if not case["shape"] or case["error"] > 1e-5}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "A copy whose bridge was built just now by the code that builds the wheel's."
    folder = _copy(tmp_path_factory.mktemp("compiled"))
    assert compile_blas(folder) == ""  # a C++ compiler is among what the README asks for
    assert (folder / LIBRARY).exists()
    return folder


@pytest.fixture(scope="module")
def bridged(compiled: Path) -> dict[str, Any]:
    return _products(compiled)


def test_products_are_numpys(bridged: dict[str, Any]) -> None:
    assert len(bridged["cases"]) == 5 * len(SHAPES) + 5
    assert _wrong(bridged) == {}


def test_products_come_through_the_bridge(bridged: dict[str, Any]) -> None:
    assert bridged["active"], bridged["reason"]
    assert "OpenBLAS" in bridged["reason"]
    large = [f"{m}x{k}x{n}" for m, k, n in SHAPES if min(m, k, n) > 1]  # vectors may take another way
    assert [name for name in large if bridged["cases"][name]["calls"] < 1] == []


def test_without_the_library_mlx_multiplies_all_the_same(tmp_path: Path) -> None:
    found = _products(_copy(tmp_path))
    assert not found["active"]
    assert "not compiled" in found["reason"]
    assert found["calls"] == 0
    assert _wrong(found) == {}


def test_a_library_that_is_damaged_is_told_and_passed_over(compiled: Path, tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    (folder / LIBRARY).parent.mkdir()
    (folder / LIBRARY).write_bytes((compiled / LIBRARY).read_bytes()[:100])
    found = _products(folder)
    assert not found["active"]
    assert "could not be loaded" in found["reason"]
    assert _wrong(found) == {}


def test_mlx_imported_first_is_told(compiled: Path) -> None:
    found = _products(compiled, before="import mlx.core\n")
    assert not found["active"]
    assert "imported before" in found["reason"]
    assert _wrong(found) == {}


def test_no_compiler_is_a_reason_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _copy(tmp_path)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compile_blas(folder) == "no C compiler was found"
    monkeypatch.setenv("CC", str(tmp_path / "absent"))
    assert "could not be started" in compile_blas(folder)
    assert not (folder / LIBRARY).exists()
