"""config/regions.yaml: the second paper's own setting."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from lm_interpolation.analyses import region, traverse
from lm_interpolation.analyses.set_losses import DataSet
from lm_interpolation.study.kinds.analyses.set_losses import SetLosses
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from tests.offline import run_offline
from tests.whole.test_workflow import copy_sources

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "regions.yaml"
HEADER = FILE.read_text(encoding="utf-8").partition("\nstudy:")[0].replace("\n#", "")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(read_study([FILE]))


def test_nothing_is_left_out(study: Study) -> None:
    assert study.left_out == {}


def test_models_of_the_hub(study: Study) -> None:
    specs = study.config["models"]
    hub = {name: specs[name]["start"]["hub"] for name in study.models.imported()}
    assert hub["base"] == "FacebookAI/roberta-base"
    assert len(set(hub.values())) == len(hub) == 37
    assert {specs[name]["task"] for name in hub} == {"encoder"}
    sets = {name: spec for name, spec in study.declared.sets.items() if spec.models and name.startswith("hub-")}
    members = Counter(model for spec in sets.values() for model in spec.models or [])
    assert members == Counter(hub.keys() - {"base"})
    assert len({spec.labels["data"] for spec in sets.values()}) == len(sets) == 17
    assert "has 36 fine-tunings of RoBERTa-base by others, from the hub, on 17 data sets" in HEADER


def test_sixty_models_are_trained_in_the_papers_way(study: Study) -> None:
    members = study.declared.members_of("all")
    assert len(members) == 60 and "60 models here in" in HEADER
    for name in members:
        spec = study.config["models"][name]
        assert (spec["task"], spec["start"]) == ("classifier", {"model": "base"})
        assert (spec["training"]["batch_size"], spec["training"]["learning_rate"]) == (256, 0.00005)
        assert spec["data"]["corpus"] == name.rpartition(".")[0]
    assert Counter(name.rpartition(".")[2] for name in members) == {f"s{seed}": 12 for seed in range(5)}


def test_probes_read_a_part_of_what_models_learnt(study: Study) -> None:
    corpora = study.config["corpora"]
    for name, spec in study.declared.sets.items():
        if spec.corpus is not None:
            probe = corpora[spec.corpus.corpus]
            assert probe["split_from"] == spec.labels["data"], name
            assert probe["limit"] == {"train": 2000, "test": 1000}


def test_the_header_counts_the_losses(study: Study) -> None:
    total = 0
    for name, analysis in study.declared.analyses.items():
        if isinstance(analysis, SetLosses):
            settings = analysis.settings(study, name)
            sets = [DataSet(one["name"], one["group"], tuple(one["models"])) for one in settings["sets"]]
            if analysis.kind == "region":
                total += region.count_losses(sets)
            else:
                total += traverse.count_losses(sets, settings["per_level"], settings["seed"])
    (told,) = re.findall(r"analyses below measure ([\d,]+):", HEADER)
    assert int(told.replace(",", "")) == total


@pytest.mark.snakemake
@pytest.mark.usefixtures("warm_python")
def test_it_is_planned_without_the_network(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "config").mkdir()
    shutil.copy(FILE, tmp_path / "config")
    done = run_offline(tmp_path, ["config/regions.yaml"], "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    assert "left out (" not in done.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert jobs["import_model"] == "37" and jobs["train_replicates"] == "12" and jobs["take_replicate"] == "60"
    assert jobs["find_regions"] == "3" and jobs["measure_region"] == "6" and jobs["traverse_region"] == "2"
