import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from lm_interpolation.commands import steer
from lm_interpolation.commands.opening import open_study
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import UserError, printable
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.texts import ensembles
from lm_interpolation.texts.ensembles import generate_ensemble
from lm_interpolation.texts.language_models import load_language_model
from lm_interpolation.texts.layer_texts import generate_in_layers
from lm_interpolation.texts.steering import find_place, model_folders
from tests import built_study

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("in_built")
ROWS = [part for row in built_study.PROMPTS for part in ("--row", str(row))]
STUDY_PROMPTS = ["--prompts", "neutral", *ROWS, "--samples", "3"]
POINT = "negative=0.5+positive=0.5"


def steered(capsys: pytest.CaptureFixture[str], *arguments: str, study: str = "config/own.yaml") -> pd.DataFrame:
    """What ``--json`` tells."""
    capsys.readouterr()
    steer.main(["--config", study, "--json", *arguments])
    return pd.DataFrame([json.loads(line) for line in capsys.readouterr().out.splitlines()])


def assert_same_texts(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    columns = ["row", "sample", "continuation", "tokens", "stop"]
    assert wanted["continuation"].nunique() > 4
    assert found[columns].to_dict("list") == wanted[columns].to_dict("list")


# --- texts ---


def test_a_study_without_texts_samples_as_the_paper_does(tmp_path, capsys):
    config = built_study.declare_models_alone(tmp_path)
    arguments = ("--point", "positive=0.5 negative=0.5", "--prompt", "the film", "--samples", "2")
    assert len(steered(capsys, *arguments, study=str(config))) == 2
    steer.main(["--config", str(config), *arguments])
    assert "at most 30 tokens, top-p 0.9, seed 0, on cpu" in capsys.readouterr().err


@pytest.mark.parametrize("point", ["alpha=0.5", "alpha=2", POINT])
def test_at_a_point_of_the_grid_texts_are_those_of_the_study(built, capsys, point):
    found = steered(capsys, "--point", point, *STUDY_PROMPTS)
    file = "negative=-1+positive=2" if point == "alpha=2" else POINT
    assert set(found["point"]) == {file} and set(found["study"]) == {"own"}
    wanted = read_parquet(built / f"results/own/texts/weights/neutral/{file}.parquet").to_pandas()
    assert_same_texts(found, wanted)
    assert found["prompt"].tolist() == [built_study.PROMPTS[row] for row in wanted["row"]]
    # A subset of them, in whatever order and whichever company.
    some = steered(
        capsys, "--point", "alpha=1", "--point", point, "--prompts", "neutral", "--row", "11", "--samples", "2"
    )
    part = wanted[(wanted["row"] == 11) & (wanted["sample"] < 2)]
    assert some[some["point"] == file]["continuation"].tolist() == part["continuation"].tolist()


def test_beside_the_grid_texts_are_those_of_the_merged_model(built, tmp_path, capsys):
    found = steered(capsys, "--sweep", "plane", "--point", "alpha=0.6,gamma=-0.3", *STUDY_PROMPTS, "--no-score")
    assert found["coordinates"].tolist() == [{"alpha": 0.6, "gamma": -0.3}] * 9
    assert set(found["sweep"]) == {"plane"} and set(found["space"]) == {"weights"}
    point = "base=0.7+negative=-0.3+positive=0.6"
    assert set(found["point"]) == {point}
    assert_same_texts(found, built_study.texts_at(built / "results/own", point, tmp_path / "merged"))
    assert set(found["scorer"]) == {None} and set(found["score"]) == {None}


def test_the_studys_precision_is_used(built, tmp_path):
    # A study that uses it compares it with fp32.
    compared = {"kind": "precision", "sweep": "theta1", "at": [0], "prompts": "neutral", "prefixes": 2}
    compared |= {"threshold": 1, "reason": "For a test."}
    generation = {"seed": 5, "precision": "bf16"}
    file = built_study.declare(tmp_path, generation=generation, analyses={"compared": compared})
    study = open_study([str(file)], results="results/own")
    places = [find_place(study, words) for words in ("alpha=2", "alpha=0.5")]
    folders = model_folders(study, ["positive", "negative"])
    ids = torch.tensor([[20, 40, 60, 80]])
    for place, mixture in zip(places, steer._mixtures(study, places, folders, "cpu"), strict=True):
        ((coefficient, member),) = mixture.members
        merge(place.point, folders, tmp_path / place.point.id)
        wanted = {
            name: load_language_model(tmp_path / place.point.id, "cpu", precision=name) for name in ("bf16", "fp32")
        }
        with torch.inference_mode():
            assert coefficient == 1 and torch.equal(member.model(ids).logits, wanted["bf16"].model(ids).logits)
            assert not torch.equal(member.model(ids).logits.float(), wanted["fp32"].model(ids).logits)
        assert (member.special, member.context) == (wanted["bf16"].special, wanted["bf16"].context)


def test_in_logit_space_texts_are_those_of_the_ensemble(built, capsys):
    found = steered(capsys, "--sweep", "ensemble", "--point", "beta=1.5", *STUDY_PROMPTS)
    assert set(found["space"]) == {"logits"} and set(found["point"]) == {"base=-0.5+positive=1.5"}
    prompts = pd.DataFrame({"row": list(built_study.PROMPTS), "text": list(built_study.PROMPTS.values())})
    models = built_study.models_of(built / "results/own")
    point = Point.of({"base": -0.5, "positive": 1.5})
    assert_same_texts(found, generate_ensemble(point, models, prompts, built_study.SAMPLING, "base", 4))


def test_in_layer_space_texts_are_those_of_the_workflow(built, tmp_path, capsys):
    sweeps = built_study.CONFIG["sweeps"] | {"scaled": built_study.LAYERED}
    study = str(built_study.declare(tmp_path, sweeps=sweeps))
    arguments = ("--results", "results/own", "--sweep", "scaled", *STUDY_PROMPTS)
    found = steered(capsys, *arguments, "--point", "eta=0.5", "--point", "eta=1", study=study)
    assert set(found["space"]) == {"layers"} and set(found["point"]) == {"base=0.5+positive=0.5", "positive=1"}
    prompts = pd.DataFrame({"row": list(built_study.PROMPTS), "text": list(built_study.PROMPTS.values())})
    models = built_study.models_of(built / "results/own")
    for point, texts in found.groupby("point"):
        assert_same_texts(texts, generate_in_layers(Point.parse(str(point)), models, prompts, built_study.SAMPLING, 4))
    steer.main(["--config", study, *arguments, "--point", "eta=1.5"])
    told = capsys.readouterr().err
    assert "eta=1.5 on scaled: 1.5 positive \u2212 0.5 base (a combination of layers), between points" in told
    assert "loading 2 models, to run side by side, layer by layer" in told


def test_models_are_loaded_once_for_all_points(capsys, monkeypatch):
    loaded = []

    def load(directory, *arguments, load_=ensembles.load_language_model):
        loaded.append(Path(directory).name)
        return load_(directory, *arguments)

    monkeypatch.setattr(ensembles, "load_language_model", load)
    asked = ["--sweep", "ensemble", *STUDY_PROMPTS, "--no-score"]
    both = steered(capsys, "--point", "beta=1.5", "--point", "beta=0", *asked)
    assert sorted(loaded) == ["base", "positive"]
    for coordinate, point in (("beta=1.5", "base=-0.5+positive=1.5"), ("beta=0", "base=1")):
        alone = steered(capsys, "--point", coordinate, *asked)
        assert_same_texts(both[both["point"] == point], alone)


def test_only_models_that_a_point_combines_need_to_fit():
    groups = [["a", "b"], ["c"], ["d", "b"], ["e", "c"]]
    assert steer._families(groups) == [("a", "b", "d"), ("c", "e")]
    assert steer._families([]) == []


def test_sampling_is_the_studys_unless_given(capsys):
    def texts(*arguments: str) -> pd.DataFrame:
        return steered(capsys, "--point", "alpha=0.5", "--prompt", "the film", "--no-score", *arguments)

    plain = texts()
    assert len(plain) == 5 and plain["tokens"].max() == 6
    assert plain["continuation"].tolist() == texts("--seed", "5", "--top-p", "0.9")["continuation"].tolist()
    assert texts("--max-new-tokens", "9")["tokens"].max() == 9
    for change in (("--seed", "6"), ("--top-p", "0.1")):
        assert texts(*change)["continuation"].tolist() != plain["continuation"].tolist()
    greedy = texts("--top-p", "0.000001")["continuation"]
    assert greedy.nunique() == 1


def test_prompts_come_from_stdin_too(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("the plot was\n\nthe end of\r\n"))
    found = steered(capsys, "--point", "alpha=1", "--prompt", "the film", "--prompt", "-", "--samples", "2")
    assert found["prompt"].tolist() == ["the film"] * 2 + ["the plot was"] * 2 + ["the end of"] * 2
    assert found["row"].tolist() == [0, 0, 1, 1, 2, 2]


# --- scores ---


def test_scores_are_those_of_the_studys_classifier(built, capsys):
    found = steered(capsys, "--point", "alpha=0.5", *STUDY_PROMPTS)
    texts = (found["prompt"] + found["continuation"]).tolist()
    wanted = score_classifier(built / "results/own/models/sentiment-judge", texts, 1)
    expected = wanted["p_positive"] + 0.5 * wanted["p_neutral"]
    assert set(found["scorer"]) == {"sentiment"} and found["score"].nunique() > 5
    assert found["score"].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_all_classifiers_of_a_sweep_stand_beside_each_other(built, capsys):
    # Two classifiers that are there; the second does not score the line.
    second = {"model": "sentiment-judge", "weights": {"acceptable": None, "negative": 1}}
    line = built_study.CONFIG["sweeps"]["theta1"] | {"scorers": ["sentiment", "perplexity"]}
    sweeps = built_study.CONFIG["sweeps"] | {"theta1": line}
    study = built_study.declare(Path("two"), scorers={"grammar": second}, sweeps=sweeps)
    asked = ["--config", str(study), "--results", "results/own", "--prompt", "the film was", "--samples", "2"]
    steer.main([*asked, "--sweep", "plane", "--point", "alpha=0.5,gamma=0"])
    out, err = capsys.readouterr()
    for shown in out.splitlines():
        assert re.fullmatch(r"sentiment [01]\.\d\d  grammar [01]\.\d\d  the film was.*", shown)
    assert "mean sentiment 0." in err and "mean grammar 0." in err
    steer.main([*asked, "--sweep", "plane", "--point", "alpha=0,gamma=0", "--point", "alpha=1,gamma=0"])
    assert re.match(r"alpha=0, gamma=0 \(mean sentiment \d\.\d\d, grammar \d\.\d\d\)\n", capsys.readouterr().out)
    steer.main([*asked, "--sweep", "plane", "--point", "alpha=0.5,gamma=0", "--json"])
    entries = [json.loads(found) for found in capsys.readouterr().out.splitlines()]
    for entry in entries:
        assert entry["scorer"] == "sentiment" and entry["score"] == entry["scores"]["sentiment"]
        assert list(entry["scores"]) == ["sentiment", "grammar"] and 0 <= entry["scores"]["grammar"] <= 1
    # One classifier: as it always was. Of a line that the other does not score, of a combination of models, on request.
    for place in (["--point", "alpha=0.5"], ["--point", POINT], ["--point", "alpha=1", "--scorer", "grammar"]):
        steer.main([*asked, *place, "--json"])
        (entry, _) = [json.loads(found) for found in capsys.readouterr().out.splitlines()]
        assert "scores" not in entry and entry["scorer"] == ("grammar" if "--scorer" in place else "sentiment")
    steer.main([*asked, "--point", "alpha=1", "--scorer", "grammar", "--scorer", "sentiment"])
    assert capsys.readouterr().out.startswith("grammar ")


def test_a_judge_that_is_not_there_leaves_the_others(built, capsys):
    steer.main(["--study", "own", "--sweep", "plane", "--point", "alpha=1,gamma=0", "--prompt", "the film was"])
    out, err = capsys.readouterr()
    assert re.match(r"[01]\.\d\d  the film was", out)
    assert "no scores of grammar: the judge is not there; build with: snakemake " in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--scorer", "grammar"],
            "no scores: the judge is not there; build with: snakemake --cores all --configfile config/own.yaml -- "
            "results/own/models/grammar-judge\n",
        ),
        # Its context has 32 positions, as that of the models; the texts of a judge include the prompt.
        (["--results", "short"], "no scores: short/models/sentiment-judge: 5 of 5 texts have more than the 4 tokens"),
    ],
)
def test_without_scores_there_are_texts_and_the_reason(built, capsys, arguments, reason):
    if "short" in arguments and not Path("short").exists():
        shutil.copytree("results/own", "short")
        judge = Path("short/models/sentiment-judge")
        settings = json.loads((judge / "tokenizer_config.json").read_text()) | {"model_max_length": 4}
        (judge / "tokenizer_config.json").write_text(json.dumps(settings))
        (judge / "checksums.json").unlink()
    steer.main(["--config", "config/own.yaml", "--point", "alpha=1", "--prompt", "the film was", *arguments])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5 and all(line.startswith("the film was") for line in out.splitlines())
    assert reason in err


# --- what is shown ---


def test_texts_go_to_stdout_and_all_else_to_stderr(capsys):
    steer.main(["--study", "own", "--point", "alpha=2.5", "--prompt", "the film was", "--samples", "2"])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    for line in out.splitlines():
        assert 0 <= float(line[:4]) <= 1 and line[4:].startswith("  the film was")
    assert "study own (config/own.yaml), models in results/own/models\n" in err
    assert (
        "alpha=2.5 on theta1, θ₁(α): 2.5 positive − 1.5 negative (a combination of weights), outside the range" in err
    )
    assert "it extrapolates beyond what the study measured" in err
    assert "also with these coordinates: again (choose with --sweep)\n" in err
    assert "sampling 2 continuations of 1 prompt: at most 6 tokens, top-p 0.9, seed 5, on cpu\n" in err
    assert "[sample alpha=2.5] 2/2 texts" in err and "mean sentiment 0." in err
    assert "sentiment by sentiment-judge: weak judge (its accuracy is close to the share" in err


def test_several_points_have_headings(capsys):
    arguments = ["--point", "alpha=0", "--point", "beta=1", "--prompt", "the film", "--samples", "1"]
    steer.main(["--study", "own", *arguments])
    first, text, empty, second, other = capsys.readouterr().out.splitlines()
    assert first.startswith("alpha=0 (mean sentiment 0.") and second.startswith("beta=1 (mean sentiment 0.")
    assert "the film" in text and "the film" in other and not empty


def test_what_a_terminal_would_obey_is_escaped(capsys, monkeypatch):
    assert printable("a\n\x1b[31mrød\u202e\t<b>") == "a\\n\\x1b[31mrød\\u202e\\t<b>"
    # Not in JSON, which has its own escapes.
    found = steered(capsys, "--point", "alpha=1", "--prompt", "the\x1b[31m film\n", "--no-score")
    assert set(found["prompt"]) == {"the\x1b[31m film\n"}
    steer.main(["--study", "own", "--point", "alpha=1", "--prompt", "the\x1b[31m film\n", "--no-score"])
    assert all(line.startswith("the\\x1b[31m film\\n") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("tty", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(capsys, monkeypatch, tty, environment, coloured):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty)
    steer.main(["--study", "own", "--point", "alpha=1", "--prompt", "the film", "--samples", "1", "--no-score"])
    out = capsys.readouterr().out
    assert out.startswith("\033[2mthe film\033[0m" if coloured else "the film")


def test_nothing_is_written(built, capsys):
    def files() -> dict[Path, float]:
        return {path: path.stat().st_mtime for path in built.rglob("*")}

    before = files()
    steered(capsys, "--point", "alpha=0.3", "--prompt", "the film")
    assert files() == before


# --- mistakes ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give prompts: either --prompt TEXT"),
        (["--prompt", "a", "--prompts", "neutral", "--row", "3"], "give prompts: either"),
        (["--prompts", "neutral"], "give prompts: either"),
        (["--row", "3"], "give prompts: either"),
        (["--prompt", " "], "the prompt is empty"),
        (["--prompt", "caf\udce9"], "the prompt is not text in UTF-8"),
        (["--prompts", "positive", "--row", "3"], "own.yaml: no prompts 'positive'; there are neutral"),
        (["--prompts", "neutral", "--row", "4"], "neutral.parquet: has no row 4; it has 3 rows: 3, 8, 11$"),
        (["--prompt", "a", "--scorer", "perplexity"], "no classifier 'perplexity' among the scorers; there are: sent"),
        (["--prompt", "a", "--results", "nowhere"], "no model in nowhere/models/negative .nor positive.; build with"),
        (["--prompt", "a", "--max-new-tokens", "99"], "tokens . max_new_tokens 99 exceed the model's context of 32"),
        (["--prompt", "a", "--device", "cuda"], "GPU"),
    ],
)
def test_mistakes_are_told(capsys, monkeypatch, arguments, message):
    if "cuda" in arguments:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match=message) as caught:
        steer.main(["--study", "own", "--point", "alpha=0.5", *arguments])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "0"], "argument --samples: '0' is not a whole number of at least 1"),
        (["--samples", "1.5"], "argument --samples: '1.5' is not a whole number of at least 1"),
        (["--top-p", "0"], "argument --top-p: '0' is not a number above 0 and at most 1"),
        (["--top-p", "nan"], "argument --top-p: 'nan' is not a number above 0"),
        (["--seed", "-1"], "argument --seed: '-1' is not a whole number of at least 0"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["--study", "own"], "argument --study: not allowed with argument --config"),
        (["--sample", "3"], "unrecognized arguments: --sample 3"),
    ],
)
def test_misused_options_are_told_in_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        steer.main(["--config", "config/own.yaml", "--point", "alpha=1", "--prompt", "a", *arguments])
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1
    assert err.startswith(f"error: {message}") and err.endswith("; lm-interpolation steer --help shows how\n")


def program(built: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")} | options.pop("env", {})
    command = [sys.executable, "-m", "lm_interpolation", "steer", *arguments]
    return subprocess.run(command, cwd=built, env=environment, capture_output=True, check=False, **options)


def test_the_program(built):
    shown = program(built, "--help", text=True)
    assert (
        shown.returncode == 0 and "examples:\n  lm-interpolation steer --study demo --point alpha=0.7" in shown.stdout
    )
    # An encoding that lacks letters is no reason to fail.
    done = program(
        built,
        "--study",
        "own",
        "--point",
        "alpha=1",
        "--prompt",
        "θ film",
        text=True,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5 and r"\u03b8 film" in done.stdout
    assert "Traceback" not in done.stderr and "Loading weights" not in done.stderr and "Warning" not in done.stderr
    asked = ("--study", "own", "--point", "alpha=1", "--prompt", "é 🎬", "--json")
    told = program(built, *asked, text=True, env={"PYTHONIOENCODING": "latin-1"})
    assert [json.loads(line)["prompt"] for line in told.stdout.splitlines()] == ["é 🎬"] * 5
    wrong = program(built, "--study", "own", "--point", "eps=1", "--prompt", "a", text=True)
    assert (
        wrong.returncode == 1 and wrong.stdout == "" and wrong.stderr.startswith("error: 'eps=1': no sweep has the c")
    )
    assert wrong.stderr.count("\n") == 1
    missing = program(built, "--point", "alpha=1", "--prompt", "a", text=True)
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert missing.stderr.startswith("error: config/config.yaml: no such file; give a study's file with --config")
    binary = program(built, "--study", "own", "--point", "alpha=1", "--prompt", "-", input=b"caf\xe9\n")
    assert (binary.returncode, binary.stderr) == (1, b"error: the prompt is not text in UTF-8; convert it\n")


# --- make ---


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment whose Python only tells its arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    python.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()
    return tmp_path


def make(made: Path, *arguments: str, **environment: str) -> str:
    # Of a make that runs these tests.
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=made, env=clean | environment, capture_output=True, text=True, check=True).stdout


def asked(made: Path, *arguments: str, **environment: str) -> list[str]:
    return json.loads(make(made, *arguments, **environment))


@pytest.mark.parametrize(
    "prompt",
    [
        "The movie was",
        """It's "so" $5 ($HOME) `date` # 100% \\ back; $(error boom) $( open ${x""",
        "-x",
        "two\nlines",
        "a 'quote",
    ],
)
def test_make_passes_words_on_as_they_are(made, prompt):
    point = "positive=1.5 negative=-0.5"
    wanted = ["-m", "lm_interpolation", "steer", "--study", "own", f"--point={point}", f"--prompt={prompt}"]
    assert asked(made, "steer", "STUDY=own", f"POINT={point}", f"PROMPT={prompt}") == wanted
    assert asked(made, "steer", "STUDY=own", POINT=point, PROMPT=prompt) == wanted
    (made / "a.yaml").touch()
    wanted = [
        "-m",
        "lm_interpolation",
        "export",
        "--config",
        "a.yaml",
        "--sweep",
        "plane",
        "--point=alpha=1",
        f"--to={prompt}",
    ]
    assert asked(made, "export", "CONFIG=a.yaml", "SWEEP=plane", "POINT=alpha=1", f"TO={prompt}") == wanted


def test_make_looks_at_the_files_first(made):
    (made / "a.yaml").touch()
    (made / "b.yaml").touch()
    assert asked(made, "readable") == ["-m", "lm_interpolation", "check", "--syntax", "config/config.yaml"]
    assert asked(made, "readable", "CONFIG=a.yaml b.yaml") == [
        "-m",
        "lm_interpolation",
        "check",
        "--syntax",
        "a.yaml",
        "b.yaml",
    ]
    for target, program in (
        *((name, "bin/python -m snakemake ") for name in ("run", "all")),
        *((name, "bin/python -m lm_interpolation ") for name in ("resume", "report", "verify", "adopt")),
    ):
        first, second = make(made, "-n", target).splitlines()
        assert first == ".venv/bin/python -m lm_interpolation check --syntax config/config.yaml" and program in second


def test_make_passes_further_arguments(made):
    arguments = asked(made, "steer", "POINT=alpha=1", "ARGS=--prompts neutral --row 3")
    assert arguments == [
        "-m",
        "lm_interpolation",
        "steer",
        "--point=alpha=1",
        "--prompts",
        "neutral",
        "--row",
        "3",
    ]
