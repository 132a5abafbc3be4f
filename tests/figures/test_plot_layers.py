"""Figures of layers: where each group stands, and what brackets and hatching mean."""

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.figures.finding_layers import find_layers
from lm_interpolation.figures.layers_data import read_layers
from lm_interpolation.figures.plot_layers import plot_layers
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import write_table

KINDS = ("attention", "mlp", "norm")


def table_of(blocks: int) -> pd.DataFrame:
    """A made-up table: a cell brings 0.01 per block, more in the MLP; layer norms bring nothing."""
    groups = [("whole", None, "all")]
    groups += [("block", block, "all") for block in range(blocks)]
    groups += [("kind", None, kind) for kind in ("embedding", *KINDS)]
    groups += [("cell", None, "embedding"), ("cell", None, "norm")]
    groups += [("cell", block, kind) for block in range(blocks) for kind in KINDS]
    rows = []
    for group, layer, kind in groups:
        for mode in ("graft", "reset"):
            share = 1.0 if group == "whole" else 0.0 if kind == "norm" else 0.05 + 0.01 * (layer or 0)
            share *= 2 if kind == "mlp" else 1
            loss = 4 - share if mode == "graft" else 3 + share
            rows.append(
                {
                    "group": group,
                    "layer": layer,
                    "kind": kind,
                    "mode": mode,
                    "class": "positive",
                    "statistic": "nll_token",
                    "estimate": loss,
                    "low": loss - 0.1,
                    "high": loss + 0.1,
                    "share": share,
                    "share_low": share - 0.01,
                    "share_high": share + 0.01,
                    "n_texts": 20,
                    "n_tokens": 200,
                }
            )
    return pd.DataFrame(rows).astype({"layer": "Int64"})


def test_groups_stand_in_their_block_and_kind():
    figure = plot_layers(table_of(3), class_name="positive", title="Layers")
    figure.draw_without_rendering()
    graft, reset = figure.axes[:2]
    assert [label.get_text() for label in graft.get_xticklabels()] == ["0", "1", "2", "outside", "all"]
    assert [label.get_text() for label in graft.get_yticklabels()] == ["embedding", "attention", "mlp", "norm", "all"]
    assert graft.get_title(loc="left") == "share of the gain kept, grafted alone"
    assert reset.get_title(loc="left") == "share of the gain lost, reset alone"
    (image,) = graft.images
    values = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_allclose(values[2], [0.1, 0.12, 0.14, np.nan, 0.1])
    np.testing.assert_allclose(values[4], [0.05, 0.06, 0.07, np.nan, np.nan])
    # Every cell without tensors is hatched.
    assert len(graft.patches) == np.isnan(values).sum() == 7
    words = {(int(text.get_position()[0]), int(text.get_position()[1])): text.get_text() for text in graft.texts}
    assert words[1, 2] == "0.12" and words[1, 3] == "(0.00)"


def test_many_blocks_have_no_numbers():
    figure = plot_layers(table_of(24), class_name="positive")
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {"•"}
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown[:4] == ["0", "", "2", ""] and shown[-2:] == ["outside", "all"]


def test_what_the_table_lacks():
    with pytest.raises(UserError, match=r"no nll_text of class 'positive'; it has \[\('nll_token', 'positive'\)\]"):
        plot_layers(table_of(1), "nll_text", "positive")
    with pytest.raises(UserError, match="there is no gain to share"):
        plot_layers(table_of(1).assign(share=np.nan), class_name="positive")


def test_the_text_names_the_largest_shares(tmp_path):
    write_table(table_of(3), tmp_path / "layers.csv", ["estimate", "low", "high", "share", "share_low", "share_high"])
    assert read_layers(tmp_path / "layers.csv")["layer"].isna().sum() == 14
    gain, graft, reset, marked = find_layers(
        [tmp_path / "layers.csv"], {}, statistic="nll_token", class_name="positive"
    )
    assert gain == "nll_token of the model 3 [2.9, 3.1], of the base 4 [3.9, 4.1]."
    assert graft.startswith("Grafted alone onto the base, these keep most of the gain: block 2 0.07 [0.06, 0.08], not ")
    assert "; mlp 0.1 [0.09, 0.11]; mlp of block 2 0.14 [0.13, 0.15], not apart from the next beyond chance." in graft
    assert marked.startswith("Numbers in brackets")
    assert reset.startswith("Reset alone in the model, these lose most of it: block 2 ")
