"""The claim that the tuning contribution tells the texts of one group from those of another."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.analyses.contribution_tables import auc
from lm_interpolation.claims.data import ClaimData, Measured, compact, numbers


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """AUC of TuCo in an analysis ``tuning_contribution``; the interval is over texts (see ``contribution_tables.auc``).

    A verdict rests on as many texts as the smaller group has.
    """
    table = data.tables[spec["analysis"]]
    contributions = table.assign(tuco=numbers(table, "tuco"))
    found = auc(contributions, spec["group"], spec["against"], data.seed)
    groups = [contributions.loc[contributions["group"] == spec[key], "tuco"] for key in ("group", "against")]
    one, other = (compact(float(values.mean())) for values in groups)
    note = (
        f"mean {one} over {len(groups[0])} {spec['group']} texts, {other} over {len(groups[1])} {spec['against']} texts"
    )
    return Measured(found, note, min(map(len, groups)), "texts", found.undefined, least=0, most=1)
