"""Runs native/gpu on a CPU: writes C++ around the text, compiles it with native/shim/shim.h, and is a runner for gpu.py."""

from __future__ import annotations

import atexit
import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from pocketsleep.fastweights import gpu

Array = np.ndarray
FENCE, WALL = 777, 16
NUMS = {np.dtype(np.float32): "float", np.dtype(np.float16): "shim::half_", np.dtype(np.uint16): "shim::bfloat"}
POISON = {4: np.nan, 2: 0x7FFF}  # NaN, in half's bits and bfloat16's


class Broken(AssertionError):
    "The text did what a GPU would not forgive."


def translate(kernel: gpu.Kernel, text: str) -> str:
    "The text as a coroutine: arrays that know their size in the place of bare ones."
    text = re.sub(r"LOCAL float (\w+)\[(.+)\];", r'auto \1 = shared.local("\1", \2);', text)
    text = re.sub(r"PRIVATE float (\w+)\[(.+)\];", r'shim::Private<float> \1("\1", \2);', text)
    arguments = ", ".join(f"shim::View<{gpu.kind(n)}> & {n}" for n in (*kernel.inputs, *kernel.outputs))
    return f"template <typename Num> shim::Task {kernel.name}(shim::Thread & me, shim::Group & shared, {arguments}) {{\n{text}\nco_return;\n}}\n"


def entry(kernel: gpu.Kernel, nums: Sequence[str]) -> str:
    names = (*kernel.inputs, *kernel.outputs)
    views = "\n".join(f'    shim::View<{gpu.kind(n)}> {n} {{({gpu.kind(n)} *) arrays[{i}], lengths[{i}], "{n}"}};' for i, n in enumerate(names))
    constants = "".join(f"    {c} = constants[{i}];\n" for i, c in enumerate(kernel.constants))
    choose = "\n".join(f'    if (num == {list(NUMS.values()).index(n)}) over_{kernel.name}<{n}>(arrays, lengths, x, y, threads, order);' for n in nums)
    return f"""
template <typename Num> void over_{kernel.name}(void ** arrays, const int64_t * lengths, int x, int y, int threads, int order) {{
{views}
    for (int j = 0; j < y; j++) for (int i = 0; i < x; i++)
        shim::run_group([&](shim::Thread & me, shim::Group & shared) {{ return {kernel.name}<Num>(me, shared, {", ".join(names)}); }}, {{i, j, 0}}, threads, order);
}}
extern "C" const char * run_{kernel.name}(int num, const int * constants, void ** arrays, const int64_t * lengths, int x, int y, int threads, int order) {{
    shim::failure.clear();
{constants}{choose}
    return shim::failure.c_str();
}}
"""


def build(folder: Path, dialect: str, kernels: Sequence[gpu.Kernel] = tuple(gpu.KERNELS.values()), nums: Sequence[str] = tuple(NUMS.values()),
          change: Callable[[str], str] = lambda text: text, speed: str = "-O1") -> ctypes.CDLL:
    "A library of these kernels in one dialect; `change` is given each text as MLX would be."
    header = (gpu.NATIVE / gpu.DIALECTS[dialect]).read_text()
    constants = sorted({c for k in kernels for c in k.constants})
    parts = ['#include "shim.h"', f"static int {', '.join(constants)};", re.sub(r"#define (LOCAL|PRIVATE|HERE).*\n", "", header)]
    for kernel in kernels:
        parts += [translate(kernel, change(gpu.source(dialect, kernel))), entry(kernel, nums)]
    code, library = folder / f"{dialect}.cpp", folder / f"{dialect}.so"
    code.write_text("\n".join(parts))
    _compile(speed, "-shared", f"-I{_header(speed)}", "-o", str(library), str(code))
    return ctypes.CDLL(str(library))


def _compile(*flags: str) -> None:
    made = subprocess.run(["g++", "-std=c++20", "-fPIC", *flags], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]


@cache
def _header(speed: str) -> Path:
    "shim.h, read by the compiler once for all that include it."
    folder = Path(tempfile.mkdtemp(prefix="shim"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(gpu.NATIVE / "shim" / "shim.h", folder)
    _compile(speed, "-x", "c++-header", "-o", str(folder / "shim.h.gch"), str(folder / "shim.h"))
    return folder


def runner(library: ctypes.CDLL, order: int = 0) -> gpu.Run:
    "Each result starts as NaN between fences; what is written or read outside of an array is Broken."
    def run(launch: gpu.Launch, inputs: Sequence[Array]) -> list[Array]:
        kernel, num = launch.kernel, inputs[0].dtype
        kinds = [np.float32 if gpu.kind(n) == "float" else num for n in kernel.outputs]
        walls = [_fenced(shape, dtype) for shape, dtype in zip(launch.shapes, kinds, strict=True)]
        outputs = [w[WALL:-WALL].reshape(s) for w, s in zip(walls, launch.shapes, strict=True)]
        arrays = [np.array(launch.sizes, np.int32), *(np.ascontiguousarray(a) for a in inputs), *outputs]
        before = [a.tobytes() for a in arrays[: len(kernel.inputs)]]
        said = _call(library, launch, list(NUMS).index(num), arrays, order)
        if said:
            raise Broken(f"{kernel.name}: {said}")
        for name, wall in zip(kernel.outputs, walls, strict=True):
            if not (np.r_[wall[:WALL], wall[-WALL:]] == FENCE).all():
                raise Broken(f"{kernel.name}: a fence of {name} is broken")
        if before != [a.tobytes() for a in arrays[: len(kernel.inputs)]]:
            raise Broken(f"{kernel.name}: an input was changed")
        return outputs

    return run


def _fenced(shape: tuple[int, ...], dtype: type) -> Array:
    wall = np.full(int(np.prod(shape)) + 2 * WALL, FENCE, dtype)
    inside = wall[WALL:-WALL]
    inside.view(np.uint16 if wall.itemsize == 2 else np.float32)[:] = POISON[wall.itemsize]
    return wall


def _call(library: ctypes.CDLL, launch: gpu.Launch, num: int, arrays: Sequence[Array], order: int) -> str:
    call = getattr(library, f"run_{launch.kernel.name}")
    call.restype = ctypes.c_char_p
    constants = (ctypes.c_int * len(launch.constants))(*launch.constants)
    addresses = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    lengths = (ctypes.c_int64 * len(arrays))(*(a.size for a in arrays))
    return str(call(num, constants, addresses, lengths, *launch.groups, launch.threads, order).decode())
