"""What figures, captions and the explorer call things."""

import textwrap


def scaled_label(label: str, scale: str, width: int | None = None) -> str:
    """The label of an axis or a colour bar, wrapped at ``width`` letters; it says so if its ``scale`` is ``log``."""
    # The two words stay together.
    told = f"{label} (log\N{NO-BREAK SPACE}scale)" if scale == "log" else label
    return (told if width is None else textwrap.fill(told, width)).replace("\N{NO-BREAK SPACE}", " ")


def model_label(model: str) -> str:
    """What figures call a model, so that it differs from prompts, classes and groups of words with the same name."""
    return f"model {model}"


def prompts_label(prompts: str) -> str:
    """What figures call a set of prompts."""
    return f"{prompts} prompts"


def coordinate_text(name: str, value: float) -> str:
    """``α = −1``."""
    return f"{name} = {value:g}".replace("-", "−")
