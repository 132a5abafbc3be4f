"""Generating at a point in layer space, beside the cost of its models one after another.

The models are two copies of one model, with coefficients that sum to 1: the point then samples the texts that the model
samples, so that no difference in their lengths disturbs the comparison. Models are loaded.
"""

from pathlib import Path

from benchmarks.generation import SAMPLING, Setting, setting_of_embedded, setting_of_gpt2
from benchmarks.harness import Goal, Growth, Row, alternate
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.layer_space import LayerSpace
from lm_interpolation.texts.generation import sample_texts
from lm_interpolation.texts.language_models import Mixture, load_language_model
from lm_interpolation.texts.layer_texts import mixture_in_layers

POINT = Point.of({"base": -0.5, "tuned": 1.5})
"""FTC scaling with alpha = 3/2."""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """A row for the embedded model and one for a GPT-2 small shape."""
    return [compare(setting_of_embedded(200), runs), compare(setting_of_gpt2(folder / "gpt2", 8), runs)], []


def compare(setting: Setting, runs: int) -> Row:
    """A point of two models in turns with each of them alone."""
    prepare_torch(setting.threads)
    mixtures = {
        name: Mixture(((1.0, load_language_model(setting.model_dir, "cpu", f"model {name}")),)) for name in POINT.models
    }
    mixtures["layers"] = mixture_in_layers(POINT, LayerSpace(dict.fromkeys(POINT.models, setting.model_dir)))
    texts = {}

    def sample(name: str) -> None:
        texts[name] = sample_texts(mixtures[name], setting.prompts, SAMPLING, AdaptiveBatches(setting.batch_size))

    seconds = alternate(
        runs,
        {
            "layers": lambda: sample("layers"),
            "base": lambda: sample("base"),
            "tuned": lambda: sample("tuned"),
        },
    )
    different = int((texts["layers"]["continuation"] != texts["base"]["continuation"]).sum())
    assert different <= 0.001 * len(texts["base"]), different
    return Row(
        "layers",
        f"{setting.name}, two models, {len(setting.prompts)} prompts, {setting.threads} thread(s)",
        seconds["layers"],
        limit="both models, one after the other",
        limits=[one + other for one, other in zip(seconds["base"], seconds["tuned"], strict=True)],
        goals=[Goal("limit", "at most", 1.15)],
        note=f"{different} of {len(texts['base'])} texts differ from those of the one model (rounding of the sums)",
    )
