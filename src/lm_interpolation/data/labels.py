"""The classes of a corpus: which of its raw labels belong to which class.

The Snakefile imports this module, so it imports no heavy package.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_interpolation.data.raw_values import Key, as_string, cell_keys, value_key
from lm_interpolation.jobs.runtime import UserError


def class_of_label(classes: Mapping[str, Sequence[Any]], key: str) -> dict[Key, str]:
    """Raw label (as it is compared) -> class name, from class name -> raw labels.

    Raises ``UserError`` for a label that is in two classes; ``key`` is that of the corpus.
    """
    class_of: dict[Key, str] = {}
    # Two labels are the same if a cell can match both.
    class_of_cell: dict[Key, str] = {}
    for class_name, labels in classes.items():
        for label in labels:
            cells = cell_keys(label, untyped=True)
            known = [class_of_cell.get(value_key(label)), *map(class_of.get, cells)]
            other = next((found for found in known if found not in (None, class_name)), None)
            if other is not None:
                raise UserError(
                    f"{key}.classes.{class_name}: label {as_string(label)} is also in {other}; keep it in one class"
                )
            class_of[value_key(label)] = class_name
            class_of_cell |= dict.fromkeys(cells, class_name)
    return class_of
