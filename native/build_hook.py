"""Compiles native/ into pocketsleep/_native while the package is built.

No compiler is not an error: the wheel is then pure Python, works, and `pocketsleep doctor` says what
is slower and why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand: `python native/build_hook.py`
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("pocketsleep") / "_native"
LIBRARY = FOLDER / "libpsblas.so"
FUSED = FOLDER / "libpsfused.so"
DELTA = FOLDER / "libpsdelta.so"
PASSES = ("fused/fused.c", "fused/block.c", "fused/filter.c", "fused/matrix.c", "fused/pool.c")
RULE = ("cpu/delta.cpp", "fused/pool.c")
VECTORS = ("-O3", "-fno-math-errno", "-fno-trapping-math")  # not -ffast-math: it would set denormals to 0 process-wide


def compile_blas(root: Path = ROOT) -> str:
    "Build the forwarding library; '' when it is there, otherwise why it is not."
    return compile_c(root, ("blas/forward.c",), LIBRARY, ("-O2",))


def compile_fused(root: Path = ROOT) -> str:
    "Build the fused passes; '' when they are there, otherwise why they are not."
    reason = compile_c(root, PASSES, FUSED, VECTORS)
    return compile_c(root, PASSES, FUSED, (*VECTORS, "-DNARROW")) if reason else ""  # a compiler without target_clones


def compile_delta(root: Path = ROOT) -> str:
    "Build the gated delta rule, C++ without its library; '' when it is there, otherwise why it is not."
    return compile_c(root, RULE, DELTA, (*VECTORS, "-fno-exceptions", "-Wno-psabi"))


def compile_all(root: Path = ROOT) -> dict[Path, str]:
    "Every library, and why it is not there ('' when it is): one that fails takes no other with it."
    return {LIBRARY: compile_blas(root), FUSED: compile_fused(root), DELTA: compile_delta(root)}


def compile_c(root: Path, sources: tuple[str, ...], library: Path, flags: tuple[str, ...]) -> str:
    "One shared library from C files; '' or the reason why not."
    if not sys.platform.startswith("linux"):
        return "only Linux needs it"
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return "no C compiler was found"
    out = root / library
    out.parent.mkdir(exist_ok=True)
    command = [*compiler.split(), *flags, "-shared", "-fPIC", "-o", str(out)]
    command += [*(str(root / "native" / source) for source in sources), "-lm", "-lpthread"]
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"`{compiler}` could not be started ({error.strerror})"
    return "" if run.returncode == 0 else f"`{compiler}` failed: {run.stderr.strip()[-300:]}"


class CustomBuildHook(BuildHookInterface):
    "hatchling calls `initialize` before it collects files."

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        built = []
        for library, reason in compile_all(Path(self.root)).items():
            if reason:
                self.app.display_warning(f"pocketsleep builds without {library.name}: {reason}")
            else:
                built.append(str(library))
        if not built:
            return
        build_data["artifacts"] += built
        build_data["pure_python"] = False
        # A ctypes library binds no Python ABI: one wheel serves every Python 3 of this platform.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


if __name__ == "__main__":
    sys.exit("\n".join(filter(None, compile_all().values())) or 0)
