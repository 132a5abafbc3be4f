"""config/regions-demo.yaml: regions in miniature."""

from collections import Counter
from pathlib import Path

import pytest

from lm_interpolation.study.kinds.analyses.regions import Regions
from lm_interpolation.study.kinds.analyses.set_losses import SetLosses
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(read_study([ROOT / "config" / "regions-demo.yaml"]))


def test_nothing_is_left_out_and_nothing_is_read(study: Study) -> None:
    assert study.left_out == {}
    assert study.models.imported() == []


def test_sixty_models_of_three_tasks_with_four_data_sets(study: Study) -> None:
    sets = study.declared.sets
    members = study.declared.members_of("all")
    assert len(members) == 60
    labels = {model: entry.labels for entry in sets.values() if "data" in entry.labels for model in entry.models or []}
    found = [labels[model] for model in members]
    assert set(Counter(entry["data"] for entry in found).values()) == {5}
    assert Counter(entry["task"] for entry in found) == {"sentiment": 20, "acceptability": 20, "topic": 20}
    specs = study.config["models"]
    assert all(specs[model]["start"] == {"model": "base"} for model in members)
    second = study.declared.members_of("second")
    assert Counter(labels[model]["task"] for model in second) == {"sentiment": 2, "acceptability": 2, "topic": 2}
    assert {specs[model]["start"]["model"] for model in second} == {"base2"}
    # The bases differ in their seed alone.
    one, two = specs["base"], specs["base2"]
    assert one["training"]["seed"] != two["training"]["seed"]
    assert one == {**two, "training": {**two["training"], "seed": one["training"]["seed"]}}


def test_data_sets_share_no_texts(study: Study) -> None:
    shards = [(spec["shard"]["index"], spec["shard"]["count"]) for spec in study.config["corpora"].values()]
    assert len(set(shards)) == len(shards) and {count for _, count in shards} == {8}


def test_centroids_leave_their_target_out(study: Study) -> None:
    members = study.declared.members_of("all")
    centroids = study.models.derived("mean")
    assert len(centroids) == 8
    for name in centroids:
        target = name.removeprefix("without-")
        parts = study.models.ingredients(name)
        assert sorted(parts) == sorted(model for model in members if not model.startswith(f"{target}.s"))
        assert len(parts) == 55


def test_pairs_start_from_the_centroid_without_their_target(study: Study) -> None:
    specs, claims = study.config["models"], study.declared.claims
    panels = study.declared.figures["start"].panels  # type: ignore[attr-defined]
    for how, panel in zip(("few", "biases"), panels, strict=True):
        targets = claims[f"start-{how}"].targets  # type: ignore[attr-defined]
        # Fewer give no verdict.
        assert len(targets) == 8 and targets == panel.targets
        for name, target in targets.items():
            assert {specs[model]["start"]["model"] for model in target.centroid} == {f"without-{name}"}
            assert {specs[model]["start"]["model"] for model in target.base} == {"base"}
            for model in [*target.centroid, *target.base]:
                spec = specs[model]
                assert spec["data"].get("limit") == (100 if how == "few" else None)
                assert spec["training"].get("trainable", "all") == ("biases" if how == "biases" else "all")
                assert spec["data"]["corpus"] == study.config["analyses"][f"{name}-loss"]["corpus"]
                # It is measured on its own class.
                known = study.config["analyses"][f"{name}-loss"].get("classes", [None])
                assert known == [spec["data"].get("class")]


def test_models_are_measured_on_what_they_learnt(study: Study) -> None:
    specs = study.config["models"]
    for name in ("same-data", "same-task", "general", "lines"):
        analysis = study.analysis(name)
        assert isinstance(analysis, SetLosses)
        found = analysis.data_sets(study.declared)
        assert len(found) == 12
        for one, learnt in found:
            assert len(one.models) == 5
            for model in one.models:
                assert specs[model]["data"] == learnt.model_dump(by_alias=True, exclude_none=True)


def test_bases_are_compared_by_models_of_the_same_data_sets(study: Study) -> None:
    analysis, specs = study.analysis("bases"), study.config["models"]
    assert isinstance(analysis, Regions)
    models, bases = analysis.models(study.declared), analysis.labels(study.declared)["base"]
    assert [specs[model]["start"]["model"] for model in models] == bases
    assert Counter(bases) == {"base": 15, "base2": 6}
    learnt = [str(specs[model]["data"]) for model in models]
    assert set(learnt[:15]) == set(learnt[15:])


def test_claims_are_those_of_the_paper_with_thresholds_of_ours(study: Study) -> None:
    claims = study.declared.claims
    assert {name: (claim.test, claim.threshold) for name, claim in claims.items()} == {
        "clusters-data": ("clusters", 0.9),
        "clusters-task": ("clusters", 0.8),
        **{f"hull-outside-{level}": ("region", 0.9) for level in ("data", "task", "general")},
        **{f"hull-models-{level}": ("region", 0.5) for level in ("data", "task", "general")},
        "start-few": ("start_gain", 0),
        "start-biases": ("start_gain", 0),
    }
    assert all(claim.reason.startswith("Ours") for claim in claims.values())


def test_it_is_a_study_of_its_own() -> None:
    assert "regions-demo" not in (ROOT / "Makefile").read_text(encoding="utf-8")
