"""Adding a stage of a method takes one module, one class and one line, and reruns nothing that exists."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = "src/lm_interpolation"

# The median of the models, element by element: not linear.
MODULE = '''"""Combine by the median."""

from array_api_compat import array_namespace

from lm_interpolation.points.methods.spaces import combined


def apply(space):
    def change(place):
        def median(chunk):
            xp = array_namespace(*chunk.values.values())
            return xp.sort(xp.stack(list(chunk.values.values())), axis=0)[len(chunk.values) // 2]

        return median

    return combined(space, ("median",), change)
'''
CLASS = '''

class Median(Combine):
    """The median of the models."""

    MODULE: ClassVar[str] = "median"

    by: Literal["median"] = Field(description="The median of the models, element by element.")
'''
STATE = """
import json
from lm_interpolation.study.kinds.methods.method import MethodSpec
from lm_interpolation.study.same_results import scripts
from lm_interpolation.study.settings import job_settings
methods = {
    "ties": {"base": "b", "keep": {"by": "magnitude", "density": 0.2}, "elect": "sum", "combine": "mean"},
    "stock": {"base": "b", "combine": "stock"},
    "lines": {"base": "b", "rescale": {"layers": [0.5, 1]}},
}
built = {name: dict(MethodSpec.model_validate(spec).built(name).recipe) for name, spec in methods.items()}
print(json.dumps([built, {script: job_settings(script, {}) for script in scripts()}]))
"""
USE = """
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file
import lm_interpolation
how = lm_interpolation.method("mine", base="base", combine="median")
names = ("base", "one", "two", "three")
models = {name: Path("models") / name for name in names}
point = how.at({"one": 1, "two": 1, "three": 1})
merged = load_file(lm_interpolation.merge(point, models, "merged", how) / "model.safetensors")
base, *tuned = (load_file(models[name] / "model.safetensors") for name in names)
for key, tensor in merged.items():
    moved = np.median(np.stack([one[key].astype(float) - base[key] for one in tuned]), axis=0)
    np.testing.assert_array_equal(tensor, (base[key] + moved).astype(np.float32))
print(point.id)
"""


def run(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(folder / "src"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and the workflow, to be edited."""
    hidden = shutil.ignore_patterns("__pycache__")
    for name in ("src", "workflow"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=hidden)
    shutil.copyfile(ROOT / "requirements.lock", tmp_path / "requirements.lock")
    shutil.copyfile(ROOT / "requirements.in", tmp_path / "requirements.in")
    return tmp_path


def test_an_added_stage_reruns_nothing_and_merges(copy: Path, tiny_gpt2: Path) -> None:
    before = json.loads(run(STATE, copy))
    (copy / PACKAGE / "points" / "methods" / "median.py").write_text(MODULE)
    declared = copy / PACKAGE / "study" / "kinds" / "methods" / "combine.py"
    declared.write_text(declared.read_text() + CLASS)
    catalog = copy / PACKAGE / "study" / "kinds" / "catalog.py"
    text = catalog.read_text()
    assert text.count("    Sce,\n") == 1 and text.count("combine import Combine, ") == 1
    text = text.replace("    Sce,\n", "    Sce,\n    Median,\n")
    catalog.write_text(text.replace("combine import Combine, ", "combine import Combine, Median, "))
    # Settings of all jobs, and of those under methods that were there.
    assert json.loads(run(STATE, copy)) == before
    from tests.points.test_interpolation import noise, variant

    for seed, name in enumerate(("base", "one", "two", "three")):
        variant(tiny_gpt2, copy / "models" / name, noise(seed, 0.01))
    assert run(USE, copy).strip() == "mine@base=-2+one=1+three=1+two=1"
