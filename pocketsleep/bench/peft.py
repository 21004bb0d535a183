"""PyTorch + PEFT on the same rows, in an environment of its own: heavy packages that nothing else here needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pocketsleep.errors import ModelError
from pocketsleep.nouns import Plan
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.weights import Base

NEEDS = ("torch", "transformers", "peft")

SCRIPT = '''
import json, sys, time
from pathlib import Path
import torch, transformers, peft
task = json.loads(Path(sys.argv[1]).read_text())
torch.manual_seed(0)
model = transformers.AutoModelForCausalLM.from_pretrained(task["folder"], dtype=torch.float32)
names = [f"model.layers.{i}.{k}" for i in task["layers"] for k in task["keys"]]
model = peft.get_peft_model(model, peft.LoraConfig(r=task["rank"], lora_alpha=task["rank"] * task["scale"],
                                                   target_modules=names, task_type="CAUSAL_LM"))
adam = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, weight_decay=0.0)
model.train()
took = []
for rows in task["batches"]:
    width = max(len(p) + len(a) for p, a in rows)
    ids = torch.tensor([p + a + [0] * (width - len(p) - len(a)) for p, a in rows])
    seen = torch.tensor([[1] * (len(p) + len(a)) + [0] * (width - len(p) - len(a)) for p, a in rows])
    started = time.perf_counter()
    logits = model(input_ids=ids, attention_mask=seen).logits
    loss = sum(torch.nn.functional.cross_entropy(logits[n, len(p) - 1 : len(p) + len(a) - 1], torch.tensor(a))
               for n, (p, a) in enumerate(rows)) / len(rows)
    adam.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    took.append([len(rows), time.perf_counter() - started, loss.item()])
print(json.dumps({"took": took, "versions": [torch.__version__, transformers.__version__, peft.__version__]}))
'''


def environment(folder: Path) -> Path:
    "The Python of an environment that has PEFT; made when it is not there (gigabytes on Linux)."
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS], capture_output=True, text=True)
        if done.returncode:
            raise ModelError(f"PEFT could not be installed: {done.stderr.strip()[-300:]}",
                             hint="pocketsleep bench train --peft-python PYTHON  (one that has torch, transformers and peft)")
        (folder / "complete").touch()
    return python


def seconds(python: Path, base: Base, plan: Plan, rows: Sequence[Row], order: Sequence[Sequence[int]]) -> dict[str, Any]:
    """examples_per_second of the steps after the first, the first step's loss (the bare base's: B is zero), and the
    versions that were run."""
    task = {"folder": str(base.folder), "rank": plan.rank, "scale": plan.scale, "keys": plan.keys, "layers": plan.layers,
            "batches": [[[list(rows[i].prompt), list(rows[i].answer)] for i in part] for part in order]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        path.write_text(json.dumps(task))
        run = subprocess.run([python, "-c", SCRIPT, str(path)], capture_output=True, text=True)
    if run.returncode:
        raise ModelError(f"PEFT failed: {run.stderr.strip()[-300:]}",
                         hint="pocketsleep bench train --peft-python PYTHON  (one that has torch, transformers and peft)")
    told = json.loads(run.stdout.splitlines()[-1])
    timed = told["took"][1:]
    return {"examples_per_second": sum(n for n, _, _ in timed) / sum(s for _, s, _ in timed), "loss": told["took"][0][2],
            "versions": told["versions"]}
