"""An imported base written back as a GGUF without quantisation: what llama.cpp serves of a small base.

llama.cpp multiplies 4-bit blocks by activations that it rounds to 8 bits, so it answers a third to two thirds of all
questions otherwise than MLX does with the same weights. In half precision both answer alike, several answers
side by side take a matrix kernel (Q4_1 has none), and a model this small is no slower to talk to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
from safetensors import safe_open

from pocketsleep import disk
from pocketsleep.weights import gguf_base, layout

if TYPE_CHECKING:
    from pocketsleep.weights import Base

_REPLACED = ("general.architecture", "general.file_type", "general.quantization_version")


FORMAT = 1  # raise it whenever what is written below changes
MOST = 320 << 20  # bytes of a copy. That of Gemma 3 270M, half a gigabyte, would be a quarter slower to talk to


def served(base: Base) -> Path:
    """The file that llama.cpp is to serve: a copy in half precision beside the imported folder, or the base's own
    where that would be too large or finds no room on the disk."""
    assert base.gguf is not None
    path = base.folder.with_name(f"{base.folder.name}-f16-{FORMAT}.gguf")
    if path.exists():
        return path
    if 2 * base.parameters > MOST or _plain(base.gguf):
        return base.gguf
    try:
        return write_gguf(base.folder, base.gguf, path, half=True)
    except OSError:
        return base.gguf


def _plain(file: Path) -> bool:
    "Whether a file holds its matrices without quantisation already."
    kinds = {tensor.tensor_type for tensor in gguf_base.open_gguf(file).tensors if len(tensor.shape) > 1}
    return kinds <= {gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16}


def write_gguf(folder: Path, source: Path, out: Path, half: bool = False) -> Path:
    """The weights of an MLX folder that `import_gguf` made, with the source's metadata and tokenizer: float32, or with
    `half` matrices as the folder holds them (float16 but for those beyond its range) and norms in float32.
    """
    reader = gguf_base.open_gguf(source)
    config = gguf_base.read_config(gguf_base.metadata(reader), reader)
    with disk.new_file(out) as draft:
        writer = gguf.GGUFWriter(draft, layout.architecture(config))
        for key, field in reader.fields.items():
            if not key.startswith("GGUF.") and key not in _REPLACED:
                inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(key, field.contents(), field.types[0], sub_type=inner)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
        with safe_open(folder / "model.safetensors", "numpy") as tensors:
            for ours, theirs in layout.names(config).items():
                held = tensors.get_tensor(ours)
                values = layout.to_gguf(config, ours, held.astype(np.float32))
                writer.add_tensor(theirs, np.ascontiguousarray(values, held.dtype if half else np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return out
