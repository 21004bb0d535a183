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
LIBRARY = Path("pocketsleep") / "_native" / "libpsblas.so"


def compile_blas(root: Path = ROOT) -> str:
    "Build the forwarding library; '' when it is there, otherwise why it is not."
    if not sys.platform.startswith("linux"):
        return "only Linux needs it"
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return "no C compiler was found"
    out = root / LIBRARY
    out.parent.mkdir(exist_ok=True)
    source = root / "native" / "blas" / "forward.c"
    command = [*compiler.split(), "-O2", "-shared", "-fPIC", "-o", str(out), str(source)]
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"`{compiler}` could not be started ({error.strerror})"
    return "" if run.returncode == 0 else f"`{compiler}` failed: {run.stderr.strip()[-300:]}"


class CustomBuildHook(BuildHookInterface):
    "hatchling calls `initialize` before it collects files."

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        reason = compile_blas(Path(self.root))
        if reason:
            self.app.display_warning(f"pocketsleep builds without its BLAS bridge: {reason}")
            return
        build_data["artifacts"].append(str(LIBRARY))
        build_data["pure_python"] = False
        # A ctypes library binds no Python ABI: one wheel serves every Python 3 of this platform.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


if __name__ == "__main__":
    sys.exit(compile_blas() or 0)
