"""The settings of a job as text: what its result depends on besides its inputs, in one JSON object.

``settings`` holds the arguments of the script's ``main``; ``packages`` and ``sources`` identify the code behind it. The
text is one of the job's parameters: Snakemake reruns the job when it changes. Records keep the object itself.
"""

import json
from collections.abc import Mapping
from typing import Any

ARGUMENTS, CODE = "settings", ("packages", "sources")
"""Keys of the object."""


def to_text(settings: Mapping[str, Any]) -> str:
    """The text of ``settings``, in the order of its mappings. Equal settings in the same order have the same text.

    Raises ``TypeError`` or ``ValueError`` for values that JSON lacks, such as NaN and infinity.
    """
    return json.dumps(settings, ensure_ascii=False, allow_nan=False)


def arguments_of(text: str) -> dict[str, Any]:
    """The arguments of ``main`` that a text of settings holds."""
    arguments: dict[str, Any] = json.loads(text)[ARGUMENTS]
    return arguments
