import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from lm_interpolation.analyses.cost import COST_COLUMNS, _Job, _measure, measure_cost, write_cost
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from lm_interpolation.texts.ensembles import generate_ensemble
from lm_interpolation.texts.generation import Sampling, generate
from tests.small_gpu import limit_memory

ROOT = Path(__file__).parents[2]
POINT = Point.of({"base": 1, "negative": -1, "positive": 1})
PROMPTS = pd.DataFrame({"row": [0, 1, 2], "text": ["the film", "the plot was", "and"]})
SAMPLING = {"top_p": 0.9, "max_new_tokens": 6, "samples": 4, "seed": 0}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path, tiny_tokenizer: Path) -> dict[str, Path]:
    """The tiny model and two copies that were moved a little, with their merger at ``POINT``."""
    import torch
    from transformers import AutoTokenizer

    top = tmp_path_factory.mktemp("cost")
    names = {"base": tiny_gpt2, "negative": top / "negative", "positive": top / "positive"}
    for seed, name in enumerate(("negative", "positive")):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.01)
        model.save_pretrained(names[name])
        AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(names[name])
    merge(POINT, names, top / "merged")
    return names | {"merged": top / "merged"}


def test_both_spaces_are_measured_in_turn(models, monkeypatch):
    parents = {name: path for name, path in models.items() if name != "merged"}
    progress = Progress("cost", total=2, unit="runs")
    seen: list[int] = []
    monkeypatch.setattr(progress, "update", seen.append)
    merged = {POINT: models["merged"]}
    table = measure_cost(merged, parents, PROMPTS, SAMPLING, "base", repeats=1, batch_size=8, progress=progress)
    assert list(table.columns) == COST_COLUMNS and seen == [1, 2]
    assert table[["space", "point", "repeat", "texts"]].to_numpy().tolist() == [
        ["weights", POINT.id, 1, 12],
        ["logits", POINT.id, 1, 12],
    ]
    # The tokens of the texts that the workflow itself makes in either space.
    sampling = Sampling(**SAMPLING)
    expected = [
        generate(models["merged"], PROMPTS, sampling, batch_size=5)["tokens"].sum(),
        generate_ensemble(POINT, parents, PROMPTS, sampling, "base", batch_size=5)["tokens"].sum(),
    ]
    assert table["tokens"].tolist() == expected
    assert (table["load_seconds"] > 0).all() and (table["seconds"] > 0).all()
    assert table["seconds_per_1000_tokens"].tolist() == pytest.approx(1000 * table["seconds"] / table["tokens"])
    assert (table["peak_memory_mb"] > 100).all()  # torch alone takes more


def test_an_error_of_the_user_comes_back_as_one(models):
    prompts = pd.DataFrame({"row": [7], "text": ["the film was good and the plot was bad " * 5]})
    with pytest.raises(
        UserError, match=rf"^cost of {re.escape(POINT.id)} in the space of weights: prompt row 7: .* of 32; "
    ):
        measure_cost({POINT: models["merged"]}, models, prompts, SAMPLING, None, repeats=1, batch_size=8)


def test_smaller_batches_are_not_measured_instead(models, monkeypatch):
    limit_memory(monkeypatch, GPT2LMHeadModel, rows=3)
    job = _Job(POINT, models["merged"], models, None, PROMPTS, SAMPLING, 8, "cpu", 1, "fp32")
    with pytest.raises(UserError, match=r"suffice for 8 texts at once.*; lower compute.batch_size.generate to 2 or"):
        _measure(job)


JOB = """
import sys
import pandas as pd
from lm_interpolation.analyses.cost import measure_cost
from lm_interpolation.points.algebra import Point

prompts = pd.DataFrame({"row": range(5000), "text": "the film"})
sampling = {"top_p": 0.9, "max_new_tokens": 16, "samples": 200, "seed": 0}
measure_cost({Point.of({"base": 1}): sys.argv[1]}, {}, prompts, sampling, None, repeats=1, batch_size=8)
"""


def measuring(job: int) -> list[int]:
    """The processes that measure for the process ``job``."""
    children = Path(f"/proc/{job}/task/{job}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_measurement_outlives_its_job(tiny_gpt2):
    # It would go on with the GPU whose lease has ended with the job.
    with subprocess.Popen([sys.executable, "-c", JOB, str(tiny_gpt2)], cwd=ROOT) as job:
        (child,) = wait_for(lambda: measuring(job.pid))
        # Once it has loaded torch, it is at work.
        wait_for(lambda: "libtorch_cpu" in Path(f"/proc/{child}/maps").read_text())
        job.kill()
    try:
        wait_for(lambda: not Path(f"/proc/{child}").exists())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_peak_memory_is_of_the_process_alone():
    # ru_maxrss would count what this process holds, too.
    ballast = b"x" * (512 << 20)
    code = (
        "from lm_interpolation.analyses.cost import _peak_resident_memory as peak; print(peak())\n"
        "block = b'x' * (100 << 20); del block; print(peak())"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    before, after = (int(line) / 2**20 for line in output.split())
    assert before < len(ballast) / 2**20
    assert 95 < after - before < 110


def test_table_is_written_with_six_digits(tmp_path):
    rows = [
        ["weights", "positive=1", 1, 12, 3456789, 0.123456789, 2.0, 1234.56789, 512.25],
        ["logits", "positive=1", 1, 12, 0, 0.1, 2.5, float("nan"), 512.25],
    ]
    write_cost(pd.DataFrame(rows, columns=COST_COLUMNS), tmp_path / "cost.csv")
    assert (tmp_path / "cost.csv").read_text().splitlines() == [
        "space,point,repeat,texts,tokens,load_seconds,seconds,seconds_per_1000_tokens,peak_memory_mb",
        "weights,positive=1,1,12,3456789,0.123457,2,1234.57,512.25",
        "logits,positive=1,1,12,0,0.1,2.5,,512.25",
    ]
