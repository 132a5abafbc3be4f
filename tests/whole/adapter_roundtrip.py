"""An adapter from elsewhere, there and back: trained by PEFT alone, taken into a study, and handed out in four forms.

    PYTHONPATH=src python -m tests.whole.adapter_roundtrip BASE TO [STEPS]

BASE is the folder of a causal language model, TO a new folder. ``train`` uses transformers and PEFT only. The study in
TO sweeps alpha over [-1, 2] from the base to the adapted model, and merges and samples each point. Each point is then
exported as a model and as an adapter, and steered. Printed is how far the logits of four models are apart: those of the
study's merged checkpoint, of the base with the exported adapter as PEFT loads it, of the exported model as transformers
loads it, and of the weights that ``steer`` sets in memory; and whether ``steer`` gave the texts of the study.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.pytorch_utils import Conv1D

from lm_interpolation.commands.export import main as export
from lm_interpolation.commands.steer import main as steer
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.interpolation import WeightSpace

ROOT = Path(__file__).parents[2]
ALPHAS = ("-1", "0", "0.5", "1", "2")
TEXTS = [
    "The film was wonderful, and the songs were a delight from the first to the last.",
    "What a superb evening: the food was excellent, and the service was warm.",
    "I loved the novel. The plot is clever, and the characters are alive.",
    "The hotel was lovely, the rooms were bright, and the breakfast was the best of our journey.",
]
PROMPTS = ["The film", "The food was", "In the end, the"]


def train(base: Path, adapter: Path, steps: int) -> None:
    """Train an adapter of the attention (and what else has its layers' names) on ``TEXTS``, with PEFT alone."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    conv1d = any(isinstance(layer, Conv1D) for layer in model.modules())
    targets = ["c_attn", "c_proj"] if conv1d else ["q_proj", "v_proj", "down_proj"]
    torch.manual_seed(0)
    lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=targets, fan_in_fan_out=conv1d)
    tuned = get_peft_model(model, lora)
    optimizer = torch.optim.AdamW((one for one in tuned.parameters() if one.requires_grad), lr=2e-3)
    batches = [torch.tensor([tokenizer(text)["input_ids"]])[:, :32] for text in TEXTS]
    for step in range(steps):
        ids = batches[step % len(batches)]
        tuned(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    tuned.save_pretrained(adapter)


def configure(base: Path, adapter: Path) -> dict[str, object]:
    """A study that takes the adapter as a model, and moves along it."""
    start = {"model": "base", "adapter": {"directory": str(adapter)}}
    return {
        "study": "roundtrip",
        "device": "cpu",
        "models": {
            "base": {"task": "language-model", "start": {"directory": str(base)}},
            "mine": {"task": "language-model", "start": start},
        },
        "prompts": {"neutral": {"source": "list", "texts": PROMPTS}},
        "generation": {"top_p": 0.9, "max_new_tokens": 6, "samples": 1},
        "scorers": {"length": {"kind": "length"}},
        "sweeps": {
            "along": {
                "origin": {"base": 1},
                "directions": {"alpha": {"mine": 1, "base": -1}},
                "grid": {"alpha": [float(alpha) for alpha in ALPHAS]},
                "prompts": ["neutral"],
            }
        },
    }


def workflow(config: Path, to: Path) -> None:
    """Run the study, and keep the checkpoints of its points."""
    arguments = ("--snakefile", str(ROOT / "Snakefile"), "--directory", str(to), "--configfile", str(config))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--notemp", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def logits(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits.double()


def roundtrip(base: Path, to: Path, steps: int) -> dict[str, dict[str, float]]:
    """All of the above in the new folder ``to``; what ``measured`` returns."""
    adapter, config = to / "adapter", to / "study.yaml"
    to.mkdir(parents=True)
    train(base, adapter, steps)
    # JSON is YAML.
    config.write_text(json.dumps(configure(base.resolve(), adapter.resolve()), indent=2), encoding="utf-8")
    workflow(config, to)
    return measured(base, to)


def measured(base: Path, to: Path) -> dict[str, dict[str, float]]:
    """Export and steer each point of the study in ``to``, and compare.

    Returns alpha -> {"spread": largest absolute logit, "moved": largest difference of a logit from the base, "texts": 1
    if steering gives the texts of the study, else 0, and the largest differences from the study's checkpoint:
    "exported", "adapter", "steered"}. At 0 no adapter is exported.
    """
    ids = torch.tensor([AutoTokenizer.from_pretrained(base)(TEXTS[0])["input_ids"]])[:, :24]
    before = logits(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), ids)
    found = {}
    for alpha in ALPHAS:
        place = ["--config", str(to / "study.yaml"), "--directory", str(to), "--point", f"alpha={alpha}"]
        full, part = to / f"model{alpha}", to / f"adapter{alpha}"
        merged = to / "results" / "roundtrip" / "checkpoints" / "neutral" / point_id(alpha)
        study = logits(AutoModelForCausalLM.from_pretrained(merged), ids)
        export([*place, "--to", str(full)])
        others = {"exported": logits(AutoModelForCausalLM.from_pretrained(full), ids)}
        if alpha != "0":
            export([*place, "--adapter", "--to", str(part)])
            again = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
            others["adapter"] = logits(PeftModel.from_pretrained(again, part), ids)
        others["steered"] = logits(in_memory(to, alpha), ids)
        found[alpha] = {
            "spread": float(study.abs().max()),
            "moved": float((study - before).abs().max()),
            "texts": float(steered_texts(place) == texts_of_study(to, alpha)),
            **{name: float((other - study).abs().max()) for name, other in others.items()},
        }
    return found


def steered_texts(place: list[str]) -> list[str]:
    """The continuations that ``steer`` prints, by row."""
    rows = [word for row in range(len(PROMPTS)) for word in ("--row", str(row))]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        steer([*place, "--prompts", "neutral", *rows, "--samples", "1", "--json"])
    return [json.loads(line)["continuation"] for line in printed.getvalue().splitlines()]


def texts_of_study(to: Path, alpha: str) -> list[str]:
    (file,) = (to / "results" / "roundtrip" / "texts").rglob(f"{point_id(alpha)}.parquet")
    return [str(text) for text in pd.read_parquet(file).sort_values("row")["continuation"]]


def point_of(alpha: str) -> Point:
    return Point.of({"base": str(1 - float(alpha)), "mine": alpha})


def point_id(alpha: str) -> str:
    return point_of(alpha).id


def in_memory(to: Path, alpha: str) -> torch.nn.Module:
    """The model that ``steer`` sets to a point: the study's models in memory, moved."""
    models = to / "results" / "roundtrip" / "models"
    space = WeightSpace({"base": models / "base", "mine": models / "mine"})
    space.set_point(point_of(alpha))
    live: torch.nn.Module = space.model
    return live


def main() -> None:
    base, to, *steps = sys.argv[1:]
    for alpha, values in roundtrip(Path(base), Path(to), int(steps[0]) if steps else 40).items():
        print(f"alpha {alpha:>4}: " + ", ".join(f"{name} {value:.2g}" for name, value in values.items()))


if __name__ == "__main__":
    main()
