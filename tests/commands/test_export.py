import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.commands import export
from lm_interpolation.commands.opening import open_study
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.statistic_folders import with_statistics
from lm_interpolation.tables.tables import read_table
from tests import built_study

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("in_built")
TEXT = "the film was good but the plot was bad"


def exported(target: Path, point: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """Export ``point``; the front matter and the text of the card."""
    export.main(["--study", "own", "--point", point, "--to", str(target), *arguments])
    empty, front, text = (target / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(front), text


# --- the model ---


@pytest.mark.parametrize(
    ("point", "coefficients"),
    [
        ("alpha=0.7", {"positive": "0.7", "negative": "0.3"}),
        ("alpha=1", {"positive": 1}),
        ("base=-1 positive=4 negative=-2", {"base": -1, "positive": 4, "negative": -2}),
    ],
)
def test_the_exported_model_is_the_one_merged_in_memory(built, tmp_path, capsys, point, coefficients):
    target = tmp_path / "new folder" / "my model"
    exported(target, point)
    assert capsys.readouterr().out == f"{target}\n"
    tokenizer = AutoTokenizer.from_pretrained(target)
    model, report = AutoModelForCausalLM.from_pretrained(target, output_loading_info=True)
    assert not any(report.values())
    assert model.dtype == torch.float32 and model.generation_config.eos_token_id == 0
    ids = tokenizer(TEXT, return_tensors="pt")
    space = WeightSpace(built_study.models_of(built / "results/own"))
    assert space.tokenizer(TEXT, return_tensors="pt")["input_ids"].tolist() == ids["input_ids"].tolist()
    with torch.inference_mode():
        before = space.model(**ids).logits
        space.set_point(Point.of(coefficients))
        wanted = space.model(**ids).logits
        # Sums in float64 may differ in their last bits.
        torch.testing.assert_close(model.eval()(**ids).logits, wanted, rtol=0, atol=2e-6)
    assert (before - wanted).abs().max() > 0.1
    assert sorted(path.name for path in target.parent.iterdir()) == ["my model"]


def test_a_point_under_a_method_has_a_card_that_names_it(tmp_path, capsys):
    sweeps = built_study.CONFIG["sweeps"] | {"trimmed": built_study.TRIMMED}
    config = built_study.declare(tmp_path, methods=built_study.METHODS, sweeps=sweeps)
    point = "ties density=0.2 positive=0.5 negative=0.5"
    export.main(["--config", str(config), "--point", point, "--to", str(tmp_path / "model")])
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "under the method `ties`" in card and "here with density = 0.2" in card
    assert "magnitude" in card and "displacements of the parents from `base`" in " ".join(card.split())
    # The base is one of the parents, without a coefficient.
    assert re.search(r"^\| base \|\s*\|", card, re.MULTILINE)
    study = open_study([str(config)])
    space = WeightSpace(built_study.models_of(Path("results/own")), methods=[study.declared.method("ties")])
    space.set_point(Point.parse("ties~density=0.2@negative=0.5+positive=0.5"))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    for name, parameter in space.model.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name)), name


@pytest.mark.parametrize("name", built_study.BY_STATISTIC)
def test_a_point_by_a_statistic_needs_its_files(built, tmp_path, name):
    methods, statistics = built_study.BY_STATISTIC, built_study.STATISTICS
    config = built_study.declare(tmp_path, methods=methods, statistics=statistics)
    point = f"{name} positive=0.5 negative=0.25"
    arguments = ["--config", str(config), "--point", point, "--to", str(tmp_path / "model")]
    folder = f"results/own/statistics/{methods[name]['combine']['statistic']}"
    files = [f"{folder}/{model}.safetensors" for model in ("negative", "positive")]
    told = f"no {files[0]} (nor {files[1]}); build with: snakemake --cores all --configfile {config} -- {files[0]} "
    with pytest.raises(UserError, match=re.escape(told)):
        export.main(arguments)
    # Wherever results are.
    results = shutil.copytree("results/own", tmp_path / "results {elsewhere}")
    built_study.take_statistics(results, results / "statistics")
    export.main([*arguments, "--results", str(results)])
    assert f"by: {name}" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    method = with_statistics(open_study([str(config)]).declared.method(name), results / "statistics")
    space = WeightSpace(built_study.models_of(results), methods=[method])
    space.set_point(method.at({"positive": "0.5", "negative": "0.25"}))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    affine = WeightSpace(built_study.models_of(results))
    affine.set_point(Point.of({"positive": "0.5", "negative": "0.25", "base": "0.25"}))
    for tensor, parameter in space.model.named_parameters():
        assert torch.equal(parameter, model.get_parameter(tensor)), tensor
    weight = "transformer.h.0.mlp.c_fc.weight"
    assert not torch.allclose(model.get_parameter(weight), affine.model.get_parameter(weight), atol=1e-3)


def test_a_model_without_training_data_has_no_statistic(tmp_path):
    models = {"mean": {"task": "language-model", "start": {"mean": ["positive", "negative"]}}}
    methods, statistics = built_study.BY_STATISTIC, built_study.STATISTICS
    config = built_study.declare(tmp_path, methods=methods, statistics=statistics, models=models)
    shutil.copytree("results/own/models", tmp_path / "results" / "models")
    shutil.copytree("results/own/models/base", tmp_path / "results" / "models" / "mean")
    arguments = ["--config", str(config), "--results", str(tmp_path / "results"), "--to", str(tmp_path / "model")]
    told = "point fisher@base=0.5+mean=0.5: statistic 'information' needs texts, but model 'mean' has no training data"
    with pytest.raises(UserError, match=re.escape(told)):
        export.main([*arguments, "--point", "fisher mean=0.5"])


def test_it_says_what_it_does(built, tmp_path, capsys):
    exported(tmp_path / "model", "alpha=0.7")
    err = capsys.readouterr().err
    assert "study own (config/own.yaml), models in results/own/models\n" in err
    assert "alpha=0.7 on theta1, θ₁(α): 0.7 positive + 0.3 negative (a combination of weights), between points" in err
    assert "also with these coordinates: again (choose with --sweep)\n" in err
    assert "[merge alpha=0.7] 16/16 tensors" in err and "wrote 0." in err


# --- the card ---


def test_the_card_of_a_point_of_the_grid_has_its_scores(built, tmp_path):
    front, text = exported(tmp_path / "my-model", "alpha=0.5")
    assert front == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["text-generation", "merge", "lm-interpolation", "arxiv:2211.12092"],
    }
    assert "\n# own: alpha=0.5\n" in text
    assert "\n    θ = 0.5 negative + 0.5 positive\n" in text
    assert "On the sweep `theta1, θ₁(α)` this is the point alpha=0.5, a point of the grid of theta1.\n" in text
    start = "random weights (architecture: model_type gpt2, n_layer 1, n_embd 32, n_head 2, n_positions 128)"
    trained = "20 steps of 8 × 32 tokens, learning rate 0.003, seed 0"
    assert f"| negative | 0.5 | base, trained on the negative texts of reviews: {trained} |\n" in text
    assert f"| positive | 0.5 | base, trained on the positive texts of reviews: {trained} |\n" in text
    assert f"| base |  | {start}, trained on general: {trained} |\n" in text
    corpus = next(line for line in text.splitlines() if line.startswith("- reviews: source synthetic, "))
    assert ", kind reviews, counts {train: 300, dev: 90, test: 90}" in corpus
    table = read_table("results/own/tables/theta1.csv")
    (row,) = table[(table["alpha"] == 0.5) & (table["statistic"] == "score")].to_dict("records")
    scores = text.partition("## Scores\n")[2].partition("## Use")[0]
    assert "Measured by the study at this very point, as in its table `tables/theta1.csv`.\n" in scores
    cell = f"{row['estimate']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
    head = "\n| point | prompts | texts | sentiment score (weak judge) |\n|---|---|---|---|\n"
    assert f"{head}| alpha=0.5 | neutral | 9 | {cell} |\n" in scores
    assert "- sentiment: P(positive) + 0.5 P(neutral) by sentiment-judge\n" in scores
    weak = "weak judge (its accuracy is close to the share of the most frequent class); accuracy 0.350 on 90 test texts"
    assert f"- sentiment by sentiment-judge: {weak}" in scores
    assert 'AutoModelForCausalLM.from_pretrained("my-model")' in text
    assert "eprint = " not in text and "arXiv:2211.12092" in text.partition("## Citation")[2]
    assert "outside the range" not in text


def test_the_card_of_another_point_has_those_of_its_neighbours(tmp_path):
    _, text = exported(tmp_path / "model", "alpha=0.7")
    scores = text.partition("## Scores\n")[2].partition("## Use")[0]
    assert "**The study has not measured this point.**" in scores and "very point" not in scores
    assert "(alpha=0.5; alpha=1)" in scores
    assert "\n| alpha=0.5 | neutral | 9 |" in scores and "\n| alpha=1 | neutral | 9 |" in scores
    assert "\n| alpha=0.7 |" not in scores and "\n| alpha=2 |" not in scores


def test_a_study_without_texts_has_points_too(tmp_path):
    """The card then samples as the paper does."""
    config = built_study.declare_models_alone(tmp_path)
    point = "positive=0.5 negative=0.5"
    export.main(["--config", str(config), "--point", point, "--to", str(tmp_path / "model")])
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "top_p=0.9, top_k=0, max_new_tokens=30" in card


def test_the_card_of_a_point_outside_says_so(tmp_path):
    _, text = exported(tmp_path / "model", "alpha=2.5")
    assert "outside the range of theta1 (alpha from -1 to 2): it extrapolates beyond what the study measured.\n" in text
    assert "(alpha=2)" in text and "- This point lies outside the range that the study measured" in text


@pytest.mark.parametrize(
    ("point", "sweep", "reason"),
    [
        (
            "positive=0.9 negative=0.2 base=-0.1",
            "",
            "There are none: on no sweep with texts: the study has generated none near it.\n",
        ),
        ("beta=1", "toward", "There are none: the study's table results/own/tables/toward.csv has not been built.\n"),
        ("alpha=0.3", "again", "There are none: again generates no texts: the study has measured none here.\n"),
    ],
)
def test_a_card_without_scores_says_why(tmp_path, point, sweep, reason):
    sweeps = {name: built_study.CONFIG["sweeps"].get(name) for name in ("theta1", "again", "elsewhere")}
    if sweep != "toward":
        sweeps["toward"] = None
    file = built_study.declare(tmp_path, sweeps=sweeps, figures=None)
    arguments = ["--config", str(file), "--point", point, "--to", str(tmp_path / "model")]
    export.main([*arguments, "--results", "results/own", *(["--sweep", sweep] if sweep else [])])
    text = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"## Scores\n\n{reason}\n## Use\n" in text


@pytest.mark.parametrize(
    ("coordinates", "models"),
    [
        ("alpha=0.7", "positive=0.7 negative=0.3"),
        ("alpha=2.5", "negative=-1.5 positive=2.5"),
        ("alpha=0.5", "positive=0.5,negative=0.5"),
    ],
)
def test_one_model_has_one_card_whatever_words_name_it(tmp_path, coordinates, models):
    cards = [exported(tmp_path / name / "model", name)[1] for name in (coordinates, models)]
    parts = [text.partition("## Scores\n")[2] for text in cards]
    assert parts[0] == parts[1] and "| sentiment score" in parts[0]
    assert [text.count(f"at {coordinates}") + text.count(f"({coordinates})") > 0 for text in cards] == [False, True]


def test_a_table_that_lacks_the_point_gives_no_scores(built, tmp_path):
    shutil.copytree("results/own", tmp_path / "own")
    table = tmp_path / "own/tables/theta1.csv"
    table.write_text("".join(line for line in table.open() if ",0.5," not in line))
    _, text = exported(tmp_path / "model", "alpha=0.7", "--results", str(tmp_path / "own"))
    assert f"There are none: the study's table {table} is of another grid, without negative=0.5+positive=0.5.\n" in text


def test_a_card_says_that_it_does_not_know_how_good_the_judge_is(tmp_path):
    shutil.copytree("results/own", tmp_path / "results", ignore=shutil.ignore_patterns("training"))
    _, text = exported(tmp_path / "model", "alpha=0.5", "--results", str(tmp_path / "results"))
    metrics = tmp_path / "results" / "training" / "sentiment-judge" / "metrics.json"
    assert f"- how good the judges are is not known: {metrics}: missing; build it with the study\n" in text
    assert "| sentiment score |" in text


def test_parents_from_elsewhere_are_named(built, tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    lock = tmp_path / "lock.yaml"
    lock.write_text(yaml.safe_dump({"models": {"org/gpt": {"main": commit}}}))
    models = {
        "base": {"start": {"hub": "org/gpt", "revision": "main", "architecture": None, "tokenizer": None}},
        "negative": {"start": {"directory": "/data/gpt", "model": None}, "data": None, "training": None},
    }
    models["base"] |= {"data": None, "training": None}
    file = built_study.declare(tmp_path, models=models, hub_lock=str(lock))
    arguments = ["--config", str(file), "--results", "results/own", "--to", str(tmp_path / "model")]
    export.main([*arguments, "--point", "alpha=0.5"])
    _, front, text = (tmp_path / "model/README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == ["org/gpt"]
    assert f"| base |  | [org/gpt](https://huggingface.co/org/gpt), revision main, commit {commit} |\n" in text
    assert "| negative | 0.5 | the local folder /data/gpt |\n" in text


@pytest.mark.parametrize("place", ["hub", "directory"])
def test_a_card_says_that_weights_are_dequantised(built, tmp_path, place):
    start = {"hub": "org/gpt", "revision": "a" * 40} if place == "hub" else {"directory": "/data/gpt"}
    unset = {"model": None, "architecture": None, "tokenizer": None}
    models = {"negative": {"start": start | {"gguf_file": "gpt.Q4_1.gguf"} | unset, "data": None, "training": None}}
    file = built_study.declare(tmp_path, models=models)
    arguments = ["--config", str(file), "--results", "results/own", "--to", str(tmp_path / "model")]
    export.main([*arguments, "--point", "alpha=0.5"])
    text = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    hub = f"[org/gpt](https://huggingface.co/org/gpt), revision {'a' * 40}"
    source = hub if place == "hub" else "the local folder /data/gpt"
    words = "(GGUF; what is quantised in it was dequantised to float32)"
    assert f"| negative | 0.5 | gpt.Q4_1.gguf of {source} {words} |\n" in text


# --- what is refused, and what goes wrong ---


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_nothing_is_overwritten(tmp_path, kind):
    target = tmp_path / "model"
    {"directory": target.mkdir, "file": target.touch, "link": lambda: target.symlink_to("nowhere")}[kind]()
    before = os.lstat(target)
    with pytest.raises(UserError, match=f"^{target}: is there already; give another name, or remove it$"):
        exported(target, "alpha=1")
    after = os.lstat(target)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [target]


def test_ensembles_are_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"beta=0.5 is a point in logit space: an ensemble.*sweep in weight space: theta1"
    ):
        exported(tmp_path / "model", "beta=0.5", "--sweep", "ensemble")
    assert not any(tmp_path.iterdir())


def test_points_in_layer_space_are_refused(tmp_path):
    sweeps = built_study.CONFIG["sweeps"] | {"scaled": built_study.LAYERED}
    config = built_study.declare(tmp_path / "study", sweeps=sweeps)
    with pytest.raises(UserError, match=r"eta=0.5 is a point in layer space.*sweep in weight space: theta1"):
        export.main(["--config", str(config), "--point", "eta=0.5", "--to", str(tmp_path / "model")])
    assert not (tmp_path / "model").exists()


def test_what_somebody_made_in_the_meantime_stays(tmp_path, monkeypatch):
    target = tmp_path / "model"

    def merge_slowly(*arguments, merge_=export.merge):
        merge_(*arguments)
        target.mkdir()
        (target / "theirs").touch()

    monkeypatch.setattr(export, "merge", merge_slowly)
    with pytest.raises(UserError, match="model: is there already"):
        exported(target, "alpha=1")
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "theirs"]


def test_a_user_that_does_not_exist_is_told():
    with pytest.raises(UserError, match="--to '~nobody-here/model': there is no such user"):
        export.main(["--study", "own", "--point", "alpha=1", "--to", "~nobody-here/model"])


@pytest.mark.parametrize("target", ["", "/", "."])
def test_a_name_is_needed(target):
    with pytest.raises(UserError, match=f"--to '{target}' names no directory"):
        export.main(["--study", "own", "--point", "alpha=1", "--to", target])


def test_a_model_that_is_not_built_is_told(tmp_path):
    with pytest.raises(UserError, match=r"no model in .*elsewhere/models/negative \(nor positive\); build with: snake"):
        exported(tmp_path / "model", "alpha=0.5", "--results", str(tmp_path / "elsewhere"))
    assert not any(tmp_path.iterdir())


def program(built: Path, *arguments: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, or ``code`` that runs it."""
    command = [sys.executable, *(["-c", code] if code else ["-m", "lm_interpolation", "export"]), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=built, env=environment, capture_output=True, text=True, check=False, **options)


HALF_WAY = """
import os
import signal
import sys
from lm_interpolation.commands import export
from lm_interpolation.commands.program import run_program
merge = export.merge
def merge_and_die(*arguments):
    merge(*arguments)
    os.kill(os.getpid(), {signal})
# What runs in the background ignores it, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
export.merge = merge_and_die
run_program(export.main, sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_ended_half_way_leaves_no_model(built, tmp_path, number):
    target = tmp_path / "model"
    arguments = ("--study", "own", "--point", "alpha=0.5", "--to", str(target))
    ended = program(built, *arguments, code=HALF_WAY.format(signal=int(number)))
    assert ended.returncode == (-number if number == signal.SIGKILL else 128 + number), ended.stderr
    assert "[merge alpha=0.5] 16/16 tensors" in ended.stderr and "Traceback" not in ended.stderr
    assert not target.exists() and ended.stdout == ""
    # Nothing can clean up after SIGKILL but the next run.
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == (number == signal.SIGKILL) and all(name.startswith(".unfinished-") for name in left)
    again = program(built, *arguments)
    assert again.returncode == 0 and again.stdout == f"{target}\n", again.stderr
    assert list(tmp_path.iterdir()) == [target]
    assert {"README.md", "config.json", "model.safetensors"} <= {path.name for path in target.iterdir()}


def test_a_disk_that_takes_no_more_is_told_in_one_line(built, tmp_path):
    # The system refuses to let a file grow, as a full disk does.
    limit = 5 * 4096
    assert (built / "results/own/models/base/model.safetensors").stat().st_size > limit
    arguments = ("--study", "own", "--point", "alpha=0.5", "--to", str(tmp_path / "model"))
    done = program(built, *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"error: {tmp_path}/model: not written: File too large"
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())


def test_of_several_at_once_one_makes_the_folder(built, tmp_path):
    """They all see that nothing is there, merge at the same time, and wait for each other before the end."""
    points, target = ["alpha=0.5", "alpha=0.6", "alpha=0.7", "alpha=1"], tmp_path / "model"
    for point in points:
        export.main(["--study", "own", "--point", point, "--to", str(tmp_path / point)])
    arguments = [
        (sys.executable, "-c", TOGETHER, "--study", "own", "--point", point, "--to", str(target)) for point in points
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "BARRIER": str(tmp_path / "barrier"),
        "COUNT": str(len(points)),
    }
    (tmp_path / "barrier").mkdir()
    started = [
        subprocess.Popen(line, cwd=built, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in arguments
    ]
    ended = [process.communicate(timeout=120) for process in started]
    (winner,) = [index for index, process in enumerate(started) if process.returncode == 0]
    for index, (out, err) in enumerate(ended):
        if index == winner:
            assert out == f"{target}\n"
        else:
            assert (started[index].returncode, out) == (1, "")
            assert err.splitlines()[-1] == f"error: {target}: is there already; give another name, or remove it"
            assert "Traceback" not in err
    alone = tmp_path / points[winner]
    assert {file.name for file in target.iterdir()} == {file.name for file in alone.iterdir()}
    for file in alone.iterdir():
        told = (
            file.read_bytes().replace(points[winner].encode() + b'"', b'model"') if file.name == "README.md" else None
        )
        assert (target / file.name).read_bytes() == (told or file.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*points, "barrier", "model"])


TOGETHER = """
import os
import sys
import time
from pathlib import Path
from lm_interpolation.commands import export
from lm_interpolation.commands.program import run_program
merge, barrier = export.merge, Path(os.environ["BARRIER"])
def merge_together(*arguments):
    merge(*arguments)
    (barrier / str(os.getpid())).touch()
    while len(list(barrier.iterdir())) < int(os.environ["COUNT"]):
        time.sleep(0.01)
export.merge = merge_together
run_program(export.main, sys.argv[1:])
"""


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_parent_that_cannot_be_read_is_named(tmp_path, monkeypatch, name):
    """And not the folder that was to be made. (Tests may run as root, whom no permission stops.)"""
    parent = f"results/own/models/negative/{name}"
    real = open

    def refuse(file, *arguments, **options):
        if str(file) == parent:
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return real(file, *arguments, **options)

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    with pytest.raises((UserError, PermissionError)) as caught:
        exported(tmp_path / "model", "alpha=0.5")
    told = str(caught.value)
    assert parent in told and "Permission denied" in told and str(tmp_path) not in told
    assert not any(tmp_path.iterdir())


def test_a_failing_disk_under_a_parent_is_named(tmp_path, monkeypatch):
    parent = "results/own/models/positive/model.safetensors"
    real = os.preadv

    def fail(descriptor, *arguments):
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()).endswith(parent):
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, *arguments)

    monkeypatch.setattr("os.preadv", fail)
    with pytest.raises(UserError, match=rf"^{parent}: cannot be read \(Input/output error\); delete .* and run again$"):
        exported(tmp_path / "model", "alpha=0.5")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"])
@pytest.mark.parametrize("model", ["negative", "positive"])
def test_a_parent_that_lacks_a_file_is_to_be_built_again(built, tmp_path, model, name):
    folder = built / "results/own/models" / model
    (folder / name).rename(tmp_path / name)
    try:
        with pytest.raises(UserError) as caught:
            exported(tmp_path / "model", "alpha=0.5")
    finally:
        (tmp_path / name).rename(folder / name)
    assert str(caught.value) == (
        f"results/own/models/{model}/{name}: missing; delete results/own/models/{model} and build it again with: "
        f"snakemake --cores all --configfile config/own.yaml -- results/own/models/{model}"
    )


def test_mistakes_are_one_line(built, tmp_path):
    for arguments, code, line in (
        (
            [],
            2,
            "error: the following arguments are required: --point, --to; lm-interpolation export --help shows how",
        ),
        (
            ["--study", "nix", "--point", "a=1", "--to", "x"],
            1,
            "error: no study 'nix' in config/*.yaml; there are: own (con",
        ),
        (["--study", "own", "--point", "a", "--to", "x"], 1, "error: point 'a': cannot read 'a'; write coordinates"),
    ):
        done = program(built, *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
        assert done.stderr.startswith(line)
