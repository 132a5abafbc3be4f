import hashlib
import re
import sys
from pathlib import Path

import pytest

from workflow.lib import sources
from workflow.lib.sources import LOCK, ROOT, pinned_packages, source_digests, source_files

SCRIPTS = sorted(path.name for path in (ROOT / "workflow" / "scripts").glob("*.py"))
RULES = {
    (path.name, match[1]): match[2]
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for match in re.finditer(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
}


def libraries(script: str) -> set[str]:
    return {Path(file).stem for file in source_files(script) if file.startswith("workflow/lib/")}


# --- the workflow's own files ---


def test_sources_are_found_through_other_modules() -> None:
    assert source_files("generate.py") == (
        "workflow/lib/batches.py",
        "workflow/lib/checksums.py",
        "workflow/lib/compute.py",
        "workflow/lib/dtypes.py",
        "workflow/lib/generation.py",
        "workflow/lib/leases.py",
        "workflow/lib/loading.py",
        "workflow/lib/logits.py",
        "workflow/lib/model_folders.py",
        "workflow/lib/parquet.py",
        "workflow/lib/runtime.py",
        "workflow/lib/special_tokens.py",
        "workflow/scripts/generate.py",
    )
    # By way of merging.py.
    assert libraries("merge.py") == {
        "merging",
        "checkpoints",
        "checksums",
        "model_folders",
        "points",
        "runtime",
        "special_tokens",
    }
    # By an import within a function of corpora.py.
    assert "synthetic" in libraries("corpus.py")


def test_every_form_of_import_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "workflow/scripts/job.py": "import json, numpy.linalg\nfrom workflow.lib import one\n",
        "workflow/lib/one.py": "import workflow.lib.two\n",
        "workflow/lib/two.py": "def f():\n    from workflow.lib.three import g\n    from yaml import load\n",
        "workflow/lib/three.py": "from workflow.lib.one import f\n",
        "workflow/lib/four.py": "import torch\n",
    }
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    found, outside = sources._walk(tmp_path / "workflow/scripts/job.py")
    assert found == files.keys() - {"workflow/lib/four.py"}
    assert outside == {"json", "numpy", "yaml"}


def test_digests_are_those_of_the_files() -> None:
    digests = source_digests("merge.py")
    assert tuple(digests) == source_files("merge.py")
    for file, digest in digests.items():
        assert hashlib.sha256((ROOT / file).read_bytes()).hexdigest().startswith(digest) and len(digest) == 16


def users(module: str) -> set[str]:
    """The scripts that are run again after an edit in a module of ``workflow/lib``."""
    return {script for script in SCRIPTS if module in libraries(script)}


def test_an_edit_reruns_only_what_uses_it() -> None:
    training = {"tokenizer.py", "train_classifier.py", "train_language_model.py", "trial.py"}
    in_memory = {"loss.py", "next_tokens.py", "linearity.py"}
    scores = {"score_classifier.py", "score_distinct.py", "score_perplexity.py"}
    draw = {"curves.py", "plane.py", *(script for script in SCRIPTS if script.startswith("plot_"))}
    assert (users("training"), users("importing")) == (training, {"import_model.py"})
    assert users("ensembles") == {"generate_ensemble.py", "cost.py"}
    # An edit for ensembles leaves the texts of weight space as they are.
    assert users("generation") == {"generate.py", "precision.py"} | users("ensembles")
    assert users("interpolation") >= in_memory
    assert users("merging") >= {"merge.py", "norms.py"} | in_memory
    assert users("scoring") >= scores | {"table.py"}
    assert users("tables") >= {"table.py", "summary.py"} | draw
    assert (users("claims"), users("cost")) == ({"claims.py"}, {"cost.py"})
    assert users("captions") == {"caption.py", "table_caption.py"}
    assert users("markdown") == {"claims.py", "overview.py"} | users("captions")
    assert users("explorer") == {"explorer.py"}
    # Whether a judge is weak, and what leaks, is told: nothing is scored or tabulated again.
    assert users("leaks") == {"leaks.py", "claims.py", "overview.py", "summary.py"}
    assert users("judges") == users("leaks") - {"leaks.py"} | users("captions") | {
        "curves.py",
        "plane.py",
        "explorer.py",
    }
    assert users("plots") == draw
    # What comes early does not depend on what comes late.
    early = training | {"import_model.py", "corpus.py", "split_corpus.py", "stream_corpus.py", "prompts.py"}
    for module in ("merging", "probing", "generation", "interpolation", "scoring", "tables", "claims", "plots"):
        assert not users(module) & early, module
    for module in ("interpolation", "scoring", "tables", "claims", "plots"):
        assert not users(module) & {"merge.py", "generate.py", "generate_ensemble.py", "cost.py"}, module
    for module in ("merging", "interpolation", "tables", "claims", "plots"):
        assert not users(module) & scores, module


def test_modules_that_only_check_or_keep_records_are_no_sources() -> None:
    assert "workflow.lib.probing" in sources._imports(ROOT / "workflow/lib/importing.py")
    assert "workflow.lib.records" in sources._imports(ROOT / "workflow/lib/runtime.py")
    assert libraries("import_model.py") >= {"importing", "checkpoints", "model_folders", "saving"}
    for module in sources._ASIDE:
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file()
        assert users(module.rpartition(".")[2]) == set()


def test_planning_is_no_source_of_a_job() -> None:
    # The config reaches jobs as parameters: its reader may change without a rerun.
    for script in SCRIPTS:
        assert not libraries(script) & {"config", "study", "sources"}, script


@pytest.mark.parametrize("script", SCRIPTS)
def test_sources_exist_and_scripts_are_complete(script: str) -> None:
    assert f"workflow/scripts/{script}" in source_files(script)
    for file in source_files(script):
        assert (ROOT / file).is_file()


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_outside_import_is_pinned_or_of_python(script: str) -> None:
    _, _, direct = sources._read_lock()
    outside = {sources._DISTRIBUTIONS.get(name, name) for name in sources._walk(ROOT / "workflow/scripts" / script)[1]}
    assert outside - set(sys.stdlib_module_names) <= direct


# --- pins ---


def test_pins_are_those_of_the_lock_file() -> None:
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)$", LOCK.read_text(), re.MULTILINE))
    for script in SCRIPTS:
        pins = pinned_packages(script)
        assert list(pins) == sorted(pins)
        assert pins == {package: lock[package] for package in pins}


def test_training_is_pinned_to_what_it_runs_on() -> None:
    pins = pinned_packages("train_language_model.py")
    # Some are only imported by transformers: safetensors, and accelerate, which it declares as an extra.
    assert {"torch", "transformers", "tokenizers", "safetensors", "accelerate", "numpy"} <= pins.keys()
    assert not {"seaborn", "matplotlib", "snakemake", "pytest", "ruff", "jinja2"} & pins.keys()


def test_packages_that_only_come_along_do_not_count() -> None:
    named = {re.split("[=<>]", line)[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines()}
    for script in SCRIPTS:
        assert pinned_packages(script).keys() <= named, script


LIGHT = ["corpus.py", "split_corpus.py", "stream_corpus.py", "prompts.py", "merge.py", "norms.py", "search_table.py"]
LIGHT += ["measure_rounding.py", "leaks.py", "summary.py", "plot_search.py", "plot_training.py", "explorer.py"]
LIGHT += ["caption.py", "curves.py", "plane.py", "plot_barrier.py", "plot_linearity.py", "plot_norms.py"]
LIGHT += ["table_caption.py", "claims_page.py", "overview.py", "plot_words.py"]


@pytest.mark.parametrize("script", LIGHT)
def test_an_upgrade_of_torch_reruns_only_what_uses_it(script: str) -> None:
    assert "numpy" in pinned_packages(script)
    assert not {"torch", "transformers"} & pinned_packages(script).keys()


def test_drawing_is_pinned_to_seaborn() -> None:
    draw = users("plots")
    for script in SCRIPTS:
        pins = pinned_packages(script).keys()
        assert ({"seaborn", "matplotlib", "pandas", "numpy"} <= pins) == (script in draw), script
        # The explorer has the colour maps of the figures.
        allowed = {"matplotlib"} if script == "explorer.py" else set()
        assert (script in draw) or {"seaborn", "matplotlib"} & pins == allowed, script


def test_the_page_is_pinned_to_what_it_is_made_with() -> None:
    assert {"jinja2", "plotly", "pandas", "numpy"} <= pinned_packages("explorer.py").keys()


def test_the_lock_file_is_read_as_pip_compile_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "# written by pip-compile\n"
        "numpy==2.0.post1\n    # via\n    #   -r requirements.in\n    #   Torch\n    #   transformers\n"
        "torch[extra]==1.0\n    # via -r requirements.in\n"
        "tqdm==3\n    # via transformers\n"
        "transformers==5\n    # via -r requirements.in\n"
    )
    monkeypatch.setattr(sources, "LOCK", lock)
    pins, requires, direct = sources._read_lock.__wrapped__()
    assert pins == {"numpy": "2.0.post1", "torch": "1.0", "tqdm": "3", "transformers": "5"}
    assert requires == {"torch": {"numpy"}, "transformers": {"numpy", "tqdm", "accelerate"}}
    assert direct == {"numpy", "torch", "transformers"}


# --- rules ---


def test_every_script_belongs_to_one_rule() -> None:
    used = [re.findall(r'"\.\./scripts/(\w+\.py)"', body) for body in RULES.values()]
    assert sorted(script for scripts in used for script in scripts) == SCRIPTS
    assert all(len(scripts) == 1 for scripts in used)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[1])
def test_a_rule_depends_on_its_sources_and_pins(rule: tuple[str, str]) -> None:
    body = RULES[rule]
    (script,) = re.findall(r'"\.\./scripts/(\w+\.py)"', body)
    assert re.findall(r"study\.settings\(\s*\"(\w+\.py)\"", body) == [script]
    # A benchmark counts as an output: without any other the rule would run once only.
    benchmark = {"benchmark"} if re.search(r"^    output:", body, re.MULTILINE) else set()
    for keyword in {"log", "threads", "resources", "conda", "message"} | benchmark:
        assert re.search(rf"^    {keyword}:", body, re.MULTILINE), keyword
    assert {"mem_mb", "runtime"} <= set(re.findall(r"^        (\w+)=", body, re.MULTILINE))
