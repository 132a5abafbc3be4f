"""What stands in an ensemble beside models: experts, whose log-probabilities follow from models or from a rule.

A product of experts p(t) ~ prod_e p_e(t)^c_e (Hinton 1999; DExperts, Liu et al. 2021) has the logits sum_e c_e log p_e,
each up to a constant. So an expert may be unnormalised.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

ROOM = "lm_interpolation.texts.experts"
"""Where the modules of experts are. Each has a function ``expert(names, tokenizer, **settings) -> Expert``."""


class Expert(Protocol):
    """A member of an ensemble that is no model."""

    members: Sequence[int]
    """Indices of the models whose logits it reads."""

    def log_odds(self, logits: Sequence[torch.Tensor], texts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Log-probabilities of the next token, each row up to a constant: (n, V), or (1, V) for the same in all rows.

        Args:
            logits: those of each model of the ensemble, (n, V) each.
            texts: tokens so far, prompt included, of each of the n sequences.
        """
        ...


def build(declared: Mapping[str, Any], names: Sequence[str], tokenizer: Any) -> Expert:
    """The expert that ``declared`` (``module``, ``settings``) describes, in an ensemble of the models ``names``.

    Its module is imported by name, so that another kind of expert changes the code of no job: digests of the module are
    among the settings of the jobs that use it (``code``, which nothing here reads).
    """
    module = importlib.import_module(f"{ROOM}.{declared['module']}")
    expert: Expert = module.expert(names, tokenizer, **declared["settings"])
    return expert
