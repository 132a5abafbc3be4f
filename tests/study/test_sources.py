import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lm_interpolation.jobs.code import code_digest, syntax_tree
from lm_interpolation.jobs.places import LOCK, PACKAGE, WORKFLOW
from lm_interpolation.study import sources
from lm_interpolation.study.captions import TABLE_CAPTION
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import FIGURES, PROMPTS, SCORERS, SOURCES
from lm_interpolation.study.kinds.corpora.hub import Hub
from lm_interpolation.study.kinds.methods.method import MethodSpec
from lm_interpolation.study.sources import pinned_packages, source_digests, source_modules

# Name to path: no two have one name.
PATHS = {path.name: str(path.relative_to(WORKFLOW / "scripts")) for path in (WORKFLOW / "scripts").rglob("*.py")}
SCRIPTS = sorted(PATHS)
REQUIREMENTS = (WORKFLOW.parent / "requirements.in").read_text()
# Of the rooms. What lies above them is the command line and the public names.
MODULES = sorted(PACKAGE.glob("*/**/*.py"))
RULES = {
    (path.name, match[1]): match[2]
    for path in sorted((WORKFLOW / "rules").rglob("*.smk"))
    for match in re.finditer(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
}


def libraries(script: str) -> set[str]:
    return {module.rpartition(".")[2] for module in source_modules(PATHS[script])}


# --- the workflow's own files ---


def test_sources_are_found_through_other_modules() -> None:
    modules = "jobs.allocation jobs.batches jobs.checksums jobs.compute jobs.leases jobs.runtime jobs.settings "
    modules += "data.parquet models.dtypes models.loading models.logits models.model_folders models.special_tokens "
    modules += "texts.caches texts.generation texts.language_models texts.sampler"
    assert source_modules("texts/generate.py") == tuple(sorted(f"lm_interpolation.{name}" for name in modules.split()))
    # By way of merging.py.
    assert libraries("merge.py") == {
        "merging",
        "checkpoints",
        "checksums",
        "compatibility",
        "headers",
        "tokenizer_files",
        "model_folders",
        "algebra",
        "runtime",
        "settings",
        "special_tokens",
        "reading",
        "writing",
    }
    # By way of sources/synthetic.py.
    assert "lm_interpolation.data.synthetic.texts" in source_modules("data/corpus_synthetic.py")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Writes files where the sources of a script ``job.py`` are looked for; forgets what was read there before."""
    monkeypatch.setattr(sources, "SEARCH_PATH", tmp_path)
    monkeypatch.setattr(sources, "WORKFLOW", tmp_path)
    reading = (sources._imports, code_digest, syntax_tree, source_modules, source_digests)

    def write(files: dict[str, str]) -> None:
        for file, content in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(content)
        for function in reading:
            function.cache_clear()

    yield write
    for function in reading:
        function.cache_clear()


def test_every_form_of_import_is_followed(tree: Callable[[dict[str, str]], None]) -> None:
    tree(
        {
            "scripts/job.py": "import json, numpy.linalg\nfrom lm_interpolation.room import one\n",
            "lm_interpolation/room/one.py": "import lm_interpolation.room.two\n",
            "lm_interpolation/room/two.py": "def f():\n from lm_interpolation.three import g\n from yaml import load\n",
            "lm_interpolation/three.py": "from lm_interpolation.room.one import f\n",
            "lm_interpolation/four.py": "import torch\n",
        }
    )
    found, outside = sources._walk("job.py")
    assert found == {"lm_interpolation.room.one", "lm_interpolation.room.two", "lm_interpolation.three"}
    assert outside == {"json", "numpy", "yaml"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from . import one", "job.py, line 1: relative import"),
        ("from .one import f", "job.py, line 1: relative import"),
        ("from lm_interpolation import one", "imports lm_interpolation.one, which is no module of ours"),
        ("import lm_interpolation.room", "imports lm_interpolation.room, which is no module of ours"),
    ],
)
def test_imports_that_cannot_be_followed_are_refused(
    line: str, words: str, tree: Callable[[dict[str, str]], None]
) -> None:
    tree({"scripts/job.py": line, "lm_interpolation/room/__init__.py": ""})
    with pytest.raises(ValueError, match=words):
        source_modules("job.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_hold_no_import_that_cannot_be_followed(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if path.name == "__init__.py":
        # Python runs it on the way to a module, but it is no source of a job.
        assert [type(node) for node in tree.body] == [ast.Expr]
        return
    sources._imports(path)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    # Stages of methods and members of ensembles are imported by their names; the digests of their modules are among the
    # settings of what uses them.
    named = {"import_module"} if path.as_posix().endswith(("methods/recipes.py", "texts/experts/base.py")) else set()
    assert names & {"import_module", "__import__"} == named


def test_a_method_holds_the_code_of_its_stages() -> None:
    method = MethodSpec.model_validate({"base": "base", "keep": {"by": "rank", "density": 0.5}, "elect": "sum"})
    code = method.built("della").recipe["code"]
    room = "lm_interpolation.points.methods"
    assert code.keys() >= {f"{room}.{module}" for module in ("rank", "elect", "random_bits", "spaces")}
    assert f"{room}.slerp" not in code
    assert code[f"{room}.rank"] == code_digest(PACKAGE / "points" / "methods" / "rank.py")


def test_no_job_imports_the_public_names_or_the_command_line() -> None:
    for script in SCRIPTS:
        assert all(module.count(".") >= 2 for module in source_modules(PATHS[script])), script


def test_better_words_change_no_digest(tree: Callable[[dict[str, str]], None]) -> None:
    plain = "LIMIT = 3\n\ndef f(x):\n    return x + 'y'\n\nclass A:\n    b: int = 1\n"
    told = (
        '"""A module."""\n\nLIMIT = 3  # of all\n"""How many."""\n\n\ndef f(x):\n    """Add."""\n    # so\n'
        "    return (\n        x\n        + \"y\")\n\nclass A:\n    'A class.'\n    b: int = 1\n    'A field.'\n"
    )
    digests = []
    for code in (plain, told, plain.replace("3", "4"), plain.replace("'y'", "'z'"), plain.replace("f(x)", "f(x, z=1)")):
        tree({"scripts/job.py": code})
        digests.append(source_digests("job.py")["job.py"])
    assert digests[0] == digests[1] and len(set(digests)) == 4
    assert re.fullmatch(r"[0-9a-f]{16}", digests[0])


def test_digests_are_of_the_script_and_its_modules() -> None:
    assert tuple(source_digests("points/merge.py")) == ("points/merge.py", *source_modules("points/merge.py"))


def users(module: str) -> set[str]:
    """The scripts that are run again after an edit in a module of ours."""
    return {script for script in SCRIPTS if module in libraries(script)}


def users_of(module: str) -> set[str]:
    """The same for a module by its whole name."""
    return {script for script in SCRIPTS if module in source_modules(PATHS[script])}


def test_an_edit_reruns_only_what_uses_it() -> None:
    language = {"train_language_model.py", "train_replicates.py", "trial.py"}
    training = language | {"tokenizer.py", "train_classifier.py"}
    in_memory = {"loss.py", "next_tokens.py", "linearity.py"}
    scores = {Path(kind.SCRIPT).name for kind in SCORERS}
    draw = {script for script in SCRIPTS if script.startswith("plot_")}
    classifiers = {"train_classifier.py", "train_replicates.py"}
    assert (users("language_training"), users("classifier_training")) == (language, classifiers)
    assert users("trainer") == language | {"train_classifier.py"}
    assert (users("tokenizer_training"), users("importing")) == (
        {"tokenizer.py"},
        {"import_model.py", "import_gguf.py"},
    )
    assert users("ensembles") == {"generate_ensemble.py", "cost.py"}
    assert users("layer_texts") == {"generate_layers.py"}
    # An edit for ensembles or layers leaves the texts of weight space as they are.
    assert users("generation") == {"generate.py", "precision.py"} | users("ensembles") | users("layer_texts")
    assert users("interpolation") >= in_memory
    assert users("merging") == {"merge.py", "mean.py", "greedy.py"}
    assert users("rebasin") == users("symmetries") == {"align.py"}
    # What data say about a model: an edit takes it again, and trains nothing.
    assert users("model_statistics") == {"fisher.py", "input_grams.py"}
    assert not users("statistic_folders")
    # What all merges share, and what others read tensors with.
    assert users("writing") >= {"merge.py", "merge_by_method.py", "norms.py"} | in_memory
    # How losses are computed does not decide on what is read from their files.
    of_sets = {"region.py", "traverse.py"}
    measuring = {"loss.py", "model_loss.py", "layers.py", "greedy.py", "tuning_contribution.py"} | of_sets
    assert users("losses") == measuring
    assert users("set_losses") == users("bodies") == of_sets
    told = {"plot_tuning_contribution.py", "caption_tuning_contribution.py", "claims.py"}
    assert users("contribution_tables") == {"tuning_contribution.py"} | told
    # How a region is measured decides on no verdict: claims and figures read its table.
    assert users("region_tables") == {"region.py", "claims.py", "plot_region.py", "caption_region.py"}
    files = {"loss.py", "loss_texts.py", "loss_table.py", "barrier_table.py", "claims.py"}
    assert users("loss_files") == files | {"model_loss.py", "model_loss_table.py", "layers.py"}
    assert users("loss_tables") == {"loss_table.py", "model_loss_table.py", "layers.py"}
    assert users("score_files") == scores | {"table.py", "barrier_table.py", "claims.py"}
    # A kind of scorer that is edited does not run the others again.
    for kind in SCORERS:
        script = Path(kind.SCRIPT)
        assert users(script.stem) & scores == {script.name}
    assert users("tables") >= {"table.py", "summary.py"} | draw - {
        "plot_training.py",
        "plot_calibration.py",
        "plot_layers.py",
        "plot_tsne.py",
        "plot_similarity.py",
        "plot_region.py",
        "plot_traverse.py",
        "plot_intruders.py",
        "plot_start.py",
        "plot_tuning_contribution.py",
    }
    # Files of a format that a study does not use make nothing again.
    assert users("gguf_files") == users("gguf_importing") | {"fetch.py"} == {"import_gguf.py", "fetch.py"}
    assert (users("verdicts"), users("cost")) == ({"claims.py"}, {"cost.py"})
    captions = {script for script in SCRIPTS if script.startswith(("caption_", "table_caption"))}
    assert users("captions") == users("findings") == captions
    # What the text beside a table is no part of the text beside a figure.
    assert users("table_captions") == {script for script in captions if script.startswith("table_caption")}
    assert users("markdown") == {"claims.py", "overview.py", "exam_page.py"} | users("captions")
    assert users("explorer") == {"explorer.py"}
    # A source that is added or edited makes no other corpus again, and trains nothing.
    for kind in (*SOURCES, *PROMPTS):
        family = "sources" if kind in SOURCES else "prompt_sources"
        modules = {module for module in source_modules(kind.SCRIPT) if f".data.{family}." in module}
        assert modules, kind
        # The hub holds files of several formats.
        shared = {"corpus_hub.py"} if kind in SOURCES else set()
        for module in modules if kind is not Hub else ():
            assert users_of(module) - shared == {Path(kind.SCRIPT).name}, module
    data = {script for script, path in PATHS.items() if path.startswith("data/")} - {"leaks.py"}
    derived = {"split_corpus.py", "join_corpora.py"}
    assert users("steps") & (training | {"import_model.py"} | derived) == derived
    assert (users("split"), users("join")) == ({"split_corpus.py"}, {"join_corpora.py"})
    assert users("corpora") >= training
    # Whether a judge is weak, and what leaks, is told: nothing is scored or tabulated again.
    assert users("leaks") == {"leaks.py", "claims.py", "overview.py", "summary.py"}
    assert users("judges") == users("leaks") - {"leaks.py"} | users("captions") | {
        "plot_curves.py",
        "plot_plane.py",
        "plot_methods.py",
        "plot_slices.py",
        "explorer.py",
        "exam_page.py",
    }
    # How a judge is examined decides on no score, and only its exam and probes need scikit-learn.
    assert users("exam") == users("tfidf") | {"exam.py"} == {"exam.py"}
    assert {script for script in SCRIPTS if "scikit-learn" in pinned_packages(PATHS[script])} == {
        "exam.py",
        "regions.py",
        *of_sets,
    }
    assert users("style") == draw
    # What comes early does not depend on what comes late.
    early = training | data | {"import_model.py"}
    for module in ("merging", "probing", "generation", "interpolation", "score_files", "tables", "verdicts", "style"):
        assert not users(module) & early, module
    for module in ("interpolation", "score_files", "tables", "verdicts", "style"):
        assert not users(module) & {
            "merge.py",
            "generate.py",
            "generate_ensemble.py",
            "generate_layers.py",
            "cost.py",
        }, module
    for module in ("merging", "interpolation", "tables", "verdicts", "style"):
        assert not users(module) & scores, module


def test_modules_that_only_check_or_keep_records_are_no_sources() -> None:
    assert "lm_interpolation.models.probing" in sources._imports(PACKAGE / "models/importing.py")
    assert "lm_interpolation.jobs.records" in sources._imports(PACKAGE / "jobs/runtime.py")
    assert libraries("import_model.py") >= {"importing", "checkpoints", "model_folders", "saving"}
    for module in sources._ASIDE:
        assert sources._file(module).is_file()
        assert users(module.rpartition(".")[2]) == set()


def test_planning_is_no_source_of_a_job() -> None:
    # The config reaches jobs as parameters: its reader may change without a rerun.
    for script in SCRIPTS:
        assert not libraries(script) & {"config", "study", "sources"}, script


def test_no_two_scripts_have_one_name() -> None:
    assert len(PATHS) == len(list((WORKFLOW / "scripts").rglob("*.py")))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_outside_import_is_pinned_or_of_python(script: str) -> None:
    _, _, direct = sources._read_lock()
    outside = {sources._DISTRIBUTIONS.get(name, name) for name in sources._walk(PATHS[script])[1]}
    assert outside - set(sys.stdlib_module_names) <= direct


# --- pins ---


def test_pins_are_those_of_the_lock_file() -> None:
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)$", LOCK.read_text(), re.MULTILINE))
    for script in SCRIPTS:
        pins = pinned_packages(PATHS[script])
        assert list(pins) == sorted(pins)
        assert pins == {package: lock[package] for package in pins}


def test_training_is_pinned_to_what_it_runs_on() -> None:
    pins = pinned_packages(PATHS["train_language_model.py"])
    # Some are only imported by transformers: safetensors, and accelerate, which it declares as an extra.
    assert {"torch", "transformers", "tokenizers", "safetensors", "accelerate", "numpy"} <= pins.keys()
    assert not {"seaborn", "matplotlib", "snakemake", "pytest", "ruff", "jinja2"} & pins.keys()


def test_packages_that_only_come_along_do_not_count() -> None:
    named = {re.split("[=<>]", line)[0].strip() for line in REQUIREMENTS.splitlines()}
    for script in SCRIPTS:
        assert pinned_packages(PATHS[script]).keys() <= named, script


LIGHT = [script for script, path in PATHS.items() if path.startswith("data/")]
LIGHT += ["merge.py", "norms.py", "search_table.py"]
LIGHT += ["measure_rounding.py", "summary.py", "plot_search.py", "plot_training.py", "explorer.py"]
LIGHT += ["caption_curves.py", "table_caption_words.py", "plot_curves.py", "plot_plane.py", "plot_barrier.py"]
LIGHT += ["plot_linearity.py", "plot_norms.py"]
LIGHT += ["table_caption.py", "claims_page.py", "overview.py", "plot_words.py"]


@pytest.mark.parametrize("script", LIGHT)
def test_an_upgrade_of_torch_reruns_only_what_uses_it(script: str) -> None:
    assert "numpy" in pinned_packages(PATHS[script])
    assert not {"torch", "transformers"} & pinned_packages(PATHS[script]).keys()


def test_drawing_is_pinned_to_seaborn() -> None:
    draw = users("style")
    for script in SCRIPTS:
        pins = pinned_packages(PATHS[script]).keys()
        assert ({"seaborn", "matplotlib", "pandas", "numpy"} <= pins) == (script in draw), script
        # The explorer has the colour maps of the figures.
        allowed = {"matplotlib"} if script == "explorer.py" else set()
        assert (script in draw) or {"seaborn", "matplotlib"} & pins == allowed, script


def test_the_page_is_pinned_to_what_it_is_made_with() -> None:
    assert {"jinja2", "plotly", "pandas", "numpy"} <= pinned_packages(PATHS["explorer.py"]).keys()


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


SCRIPTS_OF_KINDS = {
    "corpus": [kind.SCRIPT for kind in SOURCES],
    "prompts": [kind.SCRIPT for kind in PROMPTS],
    "score": [kind.SCRIPT for kind in SCORERS],
    "draw_figure": [kind.SCRIPT for kind in FIGURES],
    "describe_figure": [kind.CAPTION for kind in FIGURES],
    "describe_table": [TABLE_CAPTION, *(kind.TABLE_CAPTION for kind in FIGURES if kind.TABLE_CAPTION is not None)],
}
"""Rule whose script is that of a kind to the scripts of all kinds."""


def scripts_of(rule: tuple[str, str]) -> list[str]:
    found = re.findall(r'"(?:\.\./)+scripts/([\w/]+\.py|{params\.script})"', RULES[rule])
    assert len(found) == 1
    return SCRIPTS_OF_KINDS[rule[1]] if found == ["{params.script}"] else found


def test_every_script_belongs_to_one_rule() -> None:
    # Replicates are trained together, or taken from there: one script, so that both agree on all they depend on.
    rules = [rule for rule in RULES if rule[1] != "take_replicate"]
    assert sorted(script for rule in rules for script in scripts_of(rule)) == sorted(PATHS.values())
    assert scripts_of(("models.smk", "take_replicate")) == scripts_of(("models.smk", "train_replicates"))


def test_a_kind_of_figure_that_is_added_or_edited_reruns_no_other() -> None:
    for kind in map(tag, FIGURES):
        # The rows and columns of a plane are drawn as curves.
        drawn = {f"plot_{kind}.py"} | ({"plot_slices.py"} if kind == "curves" else set())
        assert users(f"plot_{kind}") == (drawn if kind != "slices" else set())
        assert users(f"finding_{kind}") <= {f"caption_{kind}.py", f"table_caption_{kind}.py"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[1])
def test_a_rule_depends_on_its_sources_and_pins(rule: tuple[str, str]) -> None:
    body = RULES[rule]
    if rule[1] in SCRIPTS_OF_KINDS:
        # The same declaration says which script runs and whose digests are among the settings.
        (script,) = re.findall(r"^        script=lambda wildcards(?:, threads)?: (.+),$", body, re.MULTILINE)
        assert re.search(rf"study\.settings\(\s*{re.escape(script)},", body)
    else:
        assert re.findall(r"study\.settings\(\s*\"([\w/]+\.py)\"", body) == scripts_of(rule)
    # A benchmark counts as an output: without any other the rule would run once only.
    benchmark = {"benchmark"} if re.search(r"^    output:", body, re.MULTILINE) else set()
    for keyword in {"log", "threads", "resources", "conda", "message"} | benchmark:
        assert re.search(rf"^    {keyword}:", body, re.MULTILINE), keyword
    assert {"mem_mb", "runtime"} <= set(re.findall(r"^        (\w+)=", body, re.MULTILINE))
