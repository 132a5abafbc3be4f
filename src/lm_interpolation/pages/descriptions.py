"""Settings of searches and trainings in words, for the texts beside figures and tables."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.pages.wording import number, numbers


def describe_search(name: str, spec: Mapping[str, Any]) -> str:
    """One line on a search: which model's training it varies, and over which values."""
    words = {"learning_rate": "learning rate", "batch_size": "batch size", "steps": "number of steps"}
    grid = ", ".join(f"{word} ({numbers(spec['grid'][key])})" for key, word in words.items())
    return f"{name}: trainings of {spec['model']} with each combination of {grid}"


def describe_lora(settings: Mapping[str, Any]) -> str:
    """What an adapter is trained with, in words."""
    scale = f"alpha {number(settings['alpha'])}{' by the root of the rank' if settings['rslora'] else ''}"
    dropout = f", dropout {number(settings['dropout'])}" if settings["dropout"] else ""
    return f"LoRA of rank {number(settings['rank'])}, {scale}{dropout}, on {', '.join(settings['targets'])}"


def describe_training(name: str, training: Mapping[str, Any]) -> str:
    """One line on how a model is trained."""
    warmup = f", {number(training['warmup_steps'])} of them warm-up" if training["warmup_steps"] else ""
    betas = f"{number(training['adam_beta1'])} and {number(training['adam_beta2'])}"
    part = "; biases only" if training.get("trainable") == "biases" else ""
    if "lora" in training:
        part = f"; {describe_lora(training['lora'])}"
    return (
        f"{name}: {number(training['steps'])} steps{warmup}, of {number(training['batch_size'])} sequences of "
        f"{number(training['block_length'])} tokens; learning rate {number(training['learning_rate'])} "
        f"({training['schedule'].replace('_', ' ')}), AdamW with betas {betas}, weight decay "
        f"{number(training['weight_decay'])}{part}; {training['precision']}, seed {training['seed']}"
    )
