# Analyses: what is computed at points, or from weights, without generating texts. Each kind has its rules in a file.

from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import ANALYSES


def analysed(suffix="", caption="table"):
    """A table of an analysis, for rules in the folder ``analyses``, from which the report's caption is found."""
    return tabulated(f"{{analysis}}{suffix}", caption=f"../../report/{caption}.rst")


for analysis_kind in map(tag, ANALYSES):

    include: f"analyses/{analysis_kind}.smk"
