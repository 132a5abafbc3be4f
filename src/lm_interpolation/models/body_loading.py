"""Loading models without their heads."""

from pathlib import Path
from typing import Any

from transformers import AutoModel


class BodyLoader:
    """Loads what lies below the head of a model, as ``AutoModel`` does, without a pooler.

    No hidden state depends on a pooler; some models have none, and that of others was never trained.
    """

    _model_mapping = AutoModel._model_mapping

    @staticmethod
    def from_pretrained(directory: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The model and transformers' report; ``output_loading_info`` must be among the ``options``."""
        model, report = AutoModel.from_pretrained(directory, **options)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
            for key in ("missing_keys", "mismatched_keys"):
                report[key] = {entry for entry in report[key] if not _name(entry).startswith("pooler.")}
        return model, report


def _name(entry: Any) -> str:
    """The name of a tensor in the report; with its shapes, if they do not fit."""
    return str(entry[0] if isinstance(entry, tuple) else entry)
