"""An imported base written back as an F32 GGUF: the way to compare engines without any quantisation."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from safetensors import safe_open

from pocketsleep import disk
from pocketsleep.weights import gguf_base, layout

_REPLACED = ("general.architecture", "general.file_type", "general.quantization_version")


def write_f32_gguf(folder: Path, source: Path, out: Path) -> Path:
    """The weights of an MLX folder that `import_gguf` made, as float32, with the source's metadata and tokenizer.

    About 4 bytes a parameter on disk.
    """
    reader = gguf_base.open_gguf(source)
    config = gguf_base.read_config(gguf_base.metadata(reader), reader)
    with disk.new_file(out) as draft:
        writer = gguf.GGUFWriter(draft, layout.architecture(config))
        for key, field in reader.fields.items():
            if not key.startswith("GGUF.") and key not in _REPLACED:
                inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(key, field.contents(), field.types[0], sub_type=inner)
        writer.add_file_type(gguf.LlamaFileType.ALL_F32)
        with safe_open(folder / "model.safetensors", "numpy") as tensors:
            for ours, theirs in layout.names(config).items():
                values = layout.to_gguf(config, ours, tensors.get_tensor(ours).astype(np.float32))
                writer.add_tensor(theirs, np.ascontiguousarray(values))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return out
