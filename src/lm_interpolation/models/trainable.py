"""Which parameters a training changes: all, or the biases alone.

Source: BitFit, Ben Zaken, Ravfogel and Goldberg 2022, arXiv 2106.10199.
"""

from transformers import PreTrainedModel

from lm_interpolation.jobs.runtime import UserError

ALL, BIASES = "all", "biases"


def leave_trainable(name: str, model: PreTrainedModel, trainable: str, head: bool) -> None:
    """Freeze all parameters of ``model``, called ``name``, that ``trainable`` (``all`` or ``biases``) leaves out.

    ``biases`` keeps every parameter whose name ends in ``.bias``, those of layer norms included, and with ``head`` all
    that lies outside the body: the head of a classifier, which starts from random weights. Optimizers hold no state
    for frozen parameters. Raises ``UserError`` if the body has no biases.
    """
    if trainable == ALL:
        return
    if trainable != BIASES:
        raise ValueError(f"trainable is {trainable!r}")
    body = f"{model.base_model_prefix}."
    found = 0
    for key, parameter in model.named_parameters():
        bias = key.endswith(".bias")
        found += bias and key.startswith(body)
        parameter.requires_grad_(bias or (head and not key.startswith(body)))
    if not found:
        raise UserError(
            f"models.{name}.training.trainable: biases, but a model of type {model.config.model_type} has none; train "
            "all, or start from a model that has some"
        )
