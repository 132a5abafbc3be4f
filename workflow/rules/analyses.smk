# Analyses: computations at points or on weights, beyond generating and scoring texts. Each kind has a file of rules.

from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import ANALYSES


def analysed(suffix="", caption="table"):
    """A table of an analysis, for rules in the folder ``analyses``: the path of the caption starts there."""
    return tabulated(f"{{analysis}}{suffix}", caption=f"../../report/{caption}.rst")


for analysis_kind in map(tag, ANALYSES):

    include: f"analyses/{analysis_kind}.smk"
