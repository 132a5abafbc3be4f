"""Ensembling three models in logit space, beside the cost of the three one by one.

The members are copies of one model, loaded one by one, with coefficients that sum to 1: the ensemble then samples the
texts that the model samples, so that no difference in their lengths disturbs the comparison. Across sizes, as in proxy
tuning, two are copies of a smaller model, with opposite coefficients. Models are loaded.
"""

import functools
from pathlib import Path

from benchmarks.generation import SAMPLING, Setting, setting_of_embedded, setting_of_gpt2
from benchmarks.harness import Goal, Growth, Row, alternate
from benchmarks.models import decided_gpt2
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.texts.generation import sample_texts
from lm_interpolation.texts.language_models import Mixture, load_language_model

COEFFICIENTS = (1.0, 0.5, -0.5)
"""DExperts with gamma = 1/2."""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Rows for the embedded model, for a GPT-2 small shape, and for that with two of half as many layers."""
    gpt2 = setting_of_gpt2(folder / "gpt2", 8)
    small = decided_gpt2(folder / "half", "gpt2", seed=1, n_layer=6)
    return [compare(setting_of_embedded(200), runs), compare(gpt2, runs), across_sizes(gpt2, small, runs)], []


def compare(setting: Setting, runs: int) -> Row:
    """An ensemble of three in turns with one model; all, as a job does, with the nucleus of the first."""
    prepare_torch(setting.threads)
    members = [load_language_model(setting.model_dir, "cpu", f"model {place}") for place in range(len(COEFFICIENTS))]
    ensemble = Mixture(tuple(zip(COEFFICIENTS, members, strict=True)), nucleus=0)
    alone = Mixture(((1.0, members[0]),))
    texts = {}

    def sample(name: str, mixture: Mixture) -> None:
        texts[name] = sample_texts(mixture, setting.prompts, SAMPLING, AdaptiveBatches(setting.batch_size))

    seconds = alternate(
        runs, {"ensemble": lambda: sample("ensemble", ensemble), "alone": lambda: sample("alone", alone)}
    )
    different = int((texts["ensemble"]["continuation"] != texts["alone"]["continuation"]).sum())
    assert different <= 0.001 * len(texts["alone"]), different
    return Row(
        "ensemble",
        f"{setting.name}, three models, {len(setting.prompts)} prompts, {setting.threads} thread(s)",
        seconds["ensemble"],
        limit="three times one model",
        limits=[len(members) * value for value in seconds["alone"]],
        goals=[Goal("limit", "at most", 1.15)],
        note=f"{different} of {len(texts['alone'])} texts differ from those of the one model (rounding of the sum)",
    )


def across_sizes(setting: Setting, small_dir: Path, runs: int) -> Row:
    """A model and two copies of a smaller one with opposite coefficients, in turns with both models alone."""
    prepare_torch(setting.threads)
    large = load_language_model(setting.model_dir, "cpu", "large")
    tuned, small = (load_language_model(small_dir, "cpu", name) for name in ("tuned", "small"))
    mixtures = {
        "ensemble": Mixture(((1.0, large), (1.0, tuned), (-1.0, small))),
        "large": Mixture(((1.0, large),)),
        "small": Mixture(((1.0, small),)),
    }
    tokens = {}

    def sample(name: str) -> None:
        texts = sample_texts(mixtures[name], setting.prompts, SAMPLING, AdaptiveBatches(setting.batch_size))
        tokens[name] = int(texts["tokens"].sum())

    seconds = alternate(runs, {name: functools.partial(sample, name) for name in mixtures})
    # Random weights hardly ever end a text.
    assert min(tokens.values()) >= 0.98 * max(tokens.values()), tokens
    return Row(
        "ensemble",
        f"{setting.name} and two of half as many layers, {len(setting.prompts)} prompts, {setting.threads} thread(s)",
        seconds["ensemble"],
        limit="the large one and twice the small one",
        limits=[one + 2 * two for one, two in zip(seconds["large"], seconds["small"], strict=True)],
        goals=[Goal("limit", "at most", 1.15)],
        note=f"tokens: {tokens}",
    )
