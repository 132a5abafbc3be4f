"""What every expert declares."""

from typing import Any, ClassVar

from lm_interpolation.study.kinds.base import Declaration
from lm_interpolation.study.sources import module_digests


class Expert(Declaration):
    """A member of ensembles that is no model."""

    MODULE: ClassVar[str]
    """Name of the module of ``texts.experts`` that computes it, without its package."""

    def models_read(self) -> list[str]:
        """Names of the models whose logits it reads."""
        return []

    def arguments(self) -> dict[str, Any]:
        """Arguments of ``expert`` in its module."""
        return {key: value for key, value in self.plain().items() if key != "kind"}

    def settings(self) -> dict[str, Any]:
        """What a job needs to know about it (see ``texts.experts.base.build``)."""
        return {
            "models": self.models_read(),
            "module": self.MODULE,
            "settings": self.arguments(),
            "code": module_digests([f"texts.experts.{self.MODULE}"]),
        }
