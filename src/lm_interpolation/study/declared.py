"""The declarations of a resolved config."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.study.kinds.study_config import StudyConfig

_OF_A_SHARE = ("source", "offset", "label", "classes")
"""Keys that ``config.resolve`` gives to a corpus that is split from another one."""


def declared(config: Mapping[str, Any]) -> StudyConfig:
    """The declarations behind ``config``, which ``config.resolve`` returned."""
    corpora = {
        name: {key: value for key, value in spec.items() if "split_from" not in spec or key not in _OF_A_SHARE}
        for name, spec in config["corpora"].items()
    }
    return StudyConfig.model_validate({**config, "corpora": corpora})
