"""Points of a region: weights, tensors, probes and losses against values computed directly."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from lm_interpolation.analyses import region
from lm_interpolation.analyses.region import RANDOM, count_losses, hull_point, hull_weights, region_losses
from lm_interpolation.analyses.region_tables import (
    PB_COLUMNS,
    REGION_COLUMNS,
    read_region,
    superiority_table,
)
from lm_interpolation.analyses.set_losses import Losses, ProbeLoss, open_losses, probe
from lm_interpolation.analyses.set_texts import Texts, read_set_texts, write_set_texts
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.bodies import BodySpace
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.random_directions import length, random_direction
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.tables.tables import write_table
from tests.regions import family, sets_of, texts_of


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    return family(tiny_gpt2, tmp_path_factory.mktemp("family"), "abcdef")


# --- points


def test_weights_of_a_hull_are_uniform_on_the_simplex() -> None:
    weights = hull_weights(4000, 3, 0, "films")
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights >= 0).all()
    # Dirichlet(1) of three: means of 1/3, variances of 1/18.
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 3, atol=0.015)
    np.testing.assert_allclose(weights.var(axis=0), 1 / 18, atol=0.004)
    assert (hull_weights(2, 3, 0, "films") == hull_weights(2, 3, 0, "films")).all()
    assert (hull_weights(2, 3, 0, "films") != hull_weights(2, 3, 0, "books")).any()
    assert (hull_weights(2, 3, 0, "films") != hull_weights(2, 3, 1, "films")).any()


def test_points_of_a_hull_lie_in_it() -> None:
    names = [f"m{number}" for number in range(60)]
    for weights in hull_weights(50, 60, 0, "all"):
        point = hull_point(dict(zip(names, weights, strict=True)))
        values = [value for _, value in point.coefficients]
        assert sum(values) == 1 and min(values) > 0
        of_model = dict(point.coefficients)
        given = dict(zip(names, weights, strict=True))
        assert all(abs(float(of_model.get(name, 0)) - given[name]) < 1e-4 for name in names)
    # A part of the weights, scaled to sum 1.
    assert hull_point({"a": 0.1, "b": 0.3}) == Point.of({"a": 0.25, "b": 0.75})


def test_tensors_of_a_hull_point_are_the_weighted_sum(models: dict[str, Path]) -> None:
    space = WeightSpace(models)
    weights = dict(zip("abc", hull_weights(1, 3, 0, "x")[0], strict=True))
    point = hull_point(weights)
    space.set_point(point)
    for name, tensor in space.current().items():
        parts = [float(value) * space.parameters(model)[name].double() for model, value in point.coefficients]
        torch.testing.assert_close(tensor, sum(parts).float(), rtol=1e-6, atol=1e-7)
        stacked = torch.stack([space.parameters(model)[name] for model in "abc"])
        assert (tensor >= stacked.amin(dim=0) - 1e-6).all() and (tensor <= stacked.amax(dim=0) + 1e-6).all()


def test_a_random_direction_has_length_1_and_the_spread_of_its_tensors() -> None:
    shapes = {"matrix": (300, 100), "vector": (50,)}
    one = random_direction(shapes, 0, 0)
    assert length(one.values()) == pytest.approx(1, rel=1e-6)
    # Bounds of Glorot and Bengio, relative to each other.
    bound = math.sqrt(6 / 400) / math.sqrt(6 / 51)
    found = float(one["matrix"].abs().max() / one["vector"].abs().max())
    assert found == pytest.approx(bound, rel=0.1)
    assert all(torch.equal(one[name], random_direction(shapes, 0, 0)[name]) for name in shapes)
    other = random_direction(shapes, 0, 1)
    # In so many dimensions two of them are almost orthogonal.
    assert abs(sum(float((one[name] * other[name]).sum()) for name in shapes)) < 0.05


def test_held_weights_are_a_model_for_points(models: dict[str, Path]) -> None:
    space = WeightSpace({"a": models["a"], "base": models["base"]})
    base = space.parameters("base")
    space.hold("away", {name: tensor + 1 for name, tensor in base.items()})
    assert space.names == ("a", "base", "away")
    space.set_point(Point.of({"away": 0.5, "base": 0.5}))
    for name, tensor in space.current().items():
        torch.testing.assert_close(tensor, base[name] + 0.5)
    space.hold("away", {name: tensor * 2 for name, tensor in base.items()})
    space.set_point(Point.of({"away": 1}))
    assert all(torch.equal(tensor, base[name] * 2) for name, tensor in space.current().items())
    assert space.names == ("a", "base", "away")


# --- losses


def test_in_hull_and_ex_by_data_set(models: dict[str, Path], tmp_path: Path) -> None:
    sets = sets_of(x=("x", "ab"), y=("y", "cd"))
    texts = texts_of("x", "y")
    done: list[int] = []
    losses = open_losses("nll", models, texts, 2, "cpu", done.append)
    table = region_losses(losses, sets, "base", seed=0)
    assert list(table) == REGION_COLUMNS
    # Each loss is measured once: base and models on both, two hull points of each.
    assert done == list(range(1, 10 + 4 + 1)) and count_losses(sets) == 14
    rows = table[table["data"] == "x"]
    assert rows.groupby("kind", sort=False)["point"].apply(list).to_dict() == {
        "base": ["base"],
        "in": ["a", "b"],
        "in'": ["hull 0", "hull 1"],
        "ex": ["c", "d"],
    }
    assert (rows["group"] == "x").all() and (rows["n_texts"] == 6).all()
    assert rows.loc[rows["kind"] == "in'", "models"].tolist() == [2, 2]
    for model in "abcd":
        flat = texts["x"]["test"].texts
        scored = score_perplexity(models[model], [""] * len(flat), flat, batch_size=3)
        direct = scored["nll_text"].sum() / scored["tokens_text"].sum()
        assert rows.loc[rows["point"] == model, "loss"].item() == pytest.approx(direct, rel=1e-5)
    write_table(table, tmp_path / "region.csv", ["loss"])
    read = read_region(tmp_path / "region.csv")
    found = superiority_table(read, resamples=100, seed=0)
    assert list(found) == PB_COLUMNS and found["group"].tolist() == [*["x"] * 3, *["y"] * 3, *["all groups"] * 3]
    pooled = found[found["group"] == "all groups"].set_index("pair")
    assert pooled.loc["in'-ex", ["models", "first", "second"]].tolist() == [4, 4, 4]
    by_hand = []
    for name in "xy":
        part = read[read["data"] == name]
        one, other = (part.loc[part["kind"] == kind, "loss"].to_numpy() for kind in ("in'", "ex"))
        by_hand.append(np.mean(np.sign(other[None, :] - one[:, None]) / 2 + 0.5))
    assert pooled.loc["in'-ex", "pb"] == pytest.approx(np.mean(by_hand))


def test_a_group_of_several_data_sets_is_measured_on_what_it_has_not_learnt(models: dict[str, Path]) -> None:
    sets = sets_of(x=("one", "ab"), y=("one", "cd"), z=("two", "ef"))
    losses = open_losses("nll", models, texts_of("x", "y", "z"), 4, "cpu")
    table = region_losses(losses, sets, "base", seed=0)
    inside = table[table["kind"] == "in"].groupby("data")["point"].apply("".join).to_dict()
    assert inside == {"x": "cd", "y": "ab", "z": "ef"}
    outside = table[table["kind"] == "ex"].groupby("data")["point"].apply("".join).to_dict()
    assert outside == {"x": "ef", "y": "ef", "z": "abcd"}
    hull = table[(table["kind"] == "in'") & (table["data"] == "x")]
    # As many as the group has models, each made of those that have not learnt x.
    assert len(hull) == 4 and (hull["models"] == 2).all()
    weights = hull_weights(4, 4, 0, "one")
    losses.space.set_point(hull_point({"c": weights[1, 2], "d": weights[1, 3]}))
    direct = open_losses("nll", models, texts_of("x"), 4, "cpu")
    direct.space.set_point(hull_point({"c": weights[1, 2], "d": weights[1, 3]}))
    assert hull["loss"].iloc[1] == pytest.approx(direct._measure("x"), rel=1e-6)
    assert count_losses(sets) == len(losses._known)


def test_outside_of_all_models_are_random_directions(models: dict[str, Path]) -> None:
    sets = sets_of(x=("general", "ab"), y=("general", "cd"))
    losses = open_losses("nll", models, texts_of("x", "y"), 4, "cpu")
    held = []
    hold = losses.space.hold
    losses.space.hold = lambda name, weights: (held.append((name, weights)), hold(name, weights))  # type: ignore
    table = region_losses(losses, sets, "base", seed=0)
    outside = table[(table["kind"] == "ex") & (table["data"] == "x")]
    assert outside["point"].tolist() == [f"random {number}" for number in range(4)]
    base = losses.space.parameters("base")
    lengths = [length(losses.space.parameters(model)[name] - base[name] for name in base) for model in "abcd"]
    assert {name for name, _ in held} == {RANDOM} and len(held) == 4
    for _, weights in held:
        assert length(weights[name] - base[name] for name in base) == pytest.approx(np.mean(lengths), rel=1e-4)
    assert count_losses(sets) == len(losses._known)


def test_a_loss_that_overflows_is_infinite(models: dict[str, Path]) -> None:
    losses = open_losses("nll", models, texts_of("x"), 4, "cpu")
    base = losses.space.parameters("base")
    losses.space.hold("far", {name: tensor * 1e30 for name, tensor in base.items()})
    assert losses.at("far", Point.of({"far": 1}), ["x"]) == {"x": math.inf}


def test_a_text_without_tokens_is_named(models: dict[str, Path]) -> None:
    texts = {"x": {"test": Texts(["a", ""], [None, None])}}
    with pytest.raises(UserError, match=r"set x: text 0 .*nothing to predict"):
        open_losses("nll", {"base": models["base"]}, texts, 2, "cpu")


def test_texts_are_read_as_they_were_written(tmp_path: Path) -> None:
    texts = texts_of("x", "null", splits=("train", "test"))
    write_set_texts(
        ((name, split, part) for name, splits in texts.items() for split, part in splits.items()),
        tmp_path / "t.parquet",
    )
    assert read_set_texts(tmp_path / "t.parquet") == texts


# --- probes


def test_a_probe_is_the_regression_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    train, test = random.normal(size=(40, 5)) * [1, 10, 0.1, 1, 1], random.normal(size=(20, 5)) * [1, 10, 0.1, 1, 1]
    labels = ["a" if value > 0 else "b" for value in train[:, 0]]
    wanted = ["a" if value > 0 else "b" for value in test[:, 0]]
    scaler = StandardScaler().fit(train)
    direct = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit(scaler.transform(train), labels)
    chances = direct.predict_proba(scaler.transform(test))
    expected = -np.mean([np.log(chances[row, list(direct.classes_).index(name)]) for row, name in enumerate(wanted)])
    assert probe(train, labels, test, wanted) == pytest.approx(expected, rel=1e-3)


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path, tiny_gpt2: Path) -> dict[str, Path]:
    """RoBERTa classifiers with heads of 2 and 3 classes from one encoder, and the encoder itself, with a pooler."""
    folder = tmp_path_factory.mktemp("classifiers")
    sizes = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    config = AutoConfig.for_model(
        "roberta", vocab_size=300, max_position_embeddings=34, pad_token_id=0, bos_token_id=0, eos_token_id=0, **sizes
    )
    torch.manual_seed(0)
    encoder = AutoModel.from_config(config)
    encoder.save_pretrained(folder / "base")
    found = {"base": folder / "base"}
    for name, classes in (("two", 2), ("three", 3)):
        model = AutoModelForSequenceClassification.from_pretrained(folder / "base", num_labels=classes)
        with torch.no_grad():
            for parameter in model.roberta.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        model.save_pretrained(folder / name)
        found[name] = folder / name
    for directory in found.values():
        AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(directory)
    return found


def test_bodies_of_models_with_other_heads_are_combined(classifiers: dict[str, Path]) -> None:
    space = BodySpace(classifiers)
    names = set(space.parameters("base"))
    assert "embeddings.word_embeddings.weight" in names and not any("pooler" in name for name in names)
    space.set_point(Point.of({"two": 0.25, "three": 0.75}))
    two, three = (
        dict(AutoModelForSequenceClassification.from_pretrained(classifiers[name]).roberta.named_parameters())
        for name in ("two", "three")
    )
    for name, tensor in space.current().items():
        torch.testing.assert_close(tensor, 0.25 * two[name] + 0.75 * three[name], rtol=1e-5, atol=1e-6)


def test_whole_models_with_other_heads_are_still_refused(classifiers: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="cannot be combined"):
        WeightSpace({name: classifiers[name] for name in ("two", "three")})


def test_a_probe_reads_the_mean_state_of_each_text(classifiers: dict[str, Path]) -> None:
    space = BodySpace(classifiers)
    texts = texts_of("x", splits=("train", "test"))
    measure = ProbeLoss(space, texts, batch_size=2)
    space.set_point(Point.of({"two": 1}))
    features = measure.features("x", "test")
    body = AutoModelForSequenceClassification.from_pretrained(classifiers["two"]).roberta.eval()
    tokenizer = AutoTokenizer.from_pretrained(classifiers["two"])
    for row, text in enumerate(texts["x"]["test"].texts):
        with torch.no_grad():
            states = body(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).last_hidden_state[0]
        np.testing.assert_allclose(features[row], states.double().mean(dim=0).numpy(), rtol=1e-4, atol=1e-6)
    # The loss is that of scikit-learn on exported features.
    labels = {split: [str(label) for label in part.labels] for split, part in texts["x"].items()}
    scaler = StandardScaler().fit(measure.features("x", "train"))
    direct = LogisticRegression(C=1.0, max_iter=1000).fit(
        scaler.transform(measure.features("x", "train")), labels["train"]
    )
    chances = direct.predict_proba(scaler.transform(features))
    chosen = [chances[row, list(direct.classes_).index(label)] for row, label in enumerate(labels["test"])]
    assert measure("x") == pytest.approx(-np.mean(np.log(chosen)), rel=1e-9)
    assert measure.count("x") == 6


def test_classifiers_and_language_models_have_bodies_in_common(
    tmp_path: Path, tiny_gpt2: Path, models: dict[str, Path]
) -> None:
    judge = AutoModelForSequenceClassification.from_pretrained(tiny_gpt2, num_labels=3)
    judge.config.pad_token_id = 0
    judge.save_pretrained(tmp_path / "judge")
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(tmp_path / "judge")
    texts = texts_of("x", "y", splits=("train", "test"))
    sets = sets_of(x=("x", "ab"), y=("y", ["judge", "c"]))
    folders = {name: models[name] for name in ("a", "b", "c", "base")} | {"judge": tmp_path / "judge"}
    losses = open_losses("probe", folders, texts, 4, "cpu")
    assert isinstance(losses, Losses)
    table = region_losses(losses, sets, "base", seed=0)
    rows = table.drop_duplicates(["data", "point"]).set_index(["data", "point"])["loss"]
    # Below the head it is the base.
    assert rows["x", "judge"] == pytest.approx(rows["x", "base"], rel=1e-9)
    assert rows["x", "a"] != rows["x", "base"]


def test_splits_that_a_probe_cannot_learn_from(models: dict[str, Path]) -> None:
    one = {"train": Texts(["good", "fine"], ["a", "a"]), "test": Texts(["good"], ["a"])}
    with pytest.raises(UserError, match=r"set x: all 2 training texts have one class; raise train_limit"):
        open_losses("probe", {"base": models["base"]}, {"x": one}, 2, "cpu")
    two = {"train": Texts(["good", "fine"], ["a", "b"]), "test": Texts(["good"], ["c"])}
    with pytest.raises(UserError, match=r"set x: no training text of class c; raise train_limit"):
        open_losses("probe", {"base": models["base"]}, {"x": two}, 2, "cpu")
    assert region.RANDOM not in models
