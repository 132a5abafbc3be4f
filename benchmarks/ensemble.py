"""Ensembling three models in logit space, beside three times the cost of one of them.

The members are three copies of one model, loaded one by one, with coefficients that sum to 1: the ensemble then samples
the texts that the model samples, so that no difference in their lengths disturbs the comparison. Models are loaded.
"""

from pathlib import Path

from benchmarks.generation import SAMPLING, Setting, setting_of_embedded, setting_of_gpt2
from benchmarks.harness import Goal, Growth, Row, alternate
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.texts.generation import sample_texts
from lm_interpolation.texts.language_models import Mixture, load_language_model

COEFFICIENTS = (1.0, 0.5, -0.5)
"""DExperts with gamma = 1/2."""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """A row for the embedded model and one for a GPT-2 small shape."""
    return [compare(setting_of_embedded(200), runs), compare(setting_of_gpt2(folder / "gpt2", 8), runs)], []


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
