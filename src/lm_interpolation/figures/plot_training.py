"""Figure of training: loss on train and dev, and the learning rate (Fig. 11 of arXiv 2211.12092)."""

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lm_interpolation.figures.naming import model_label
from lm_interpolation.figures.phrases import number
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title
from lm_interpolation.jobs.runtime import UserError


def plot_training(
    curves: Sequence[pd.DataFrame],
    models: Sequence[str],
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Loss over the steps of one or several trainings, and below it their learning rates.

    ``curves`` are loss curves as ``training.train_language_model`` writes them (columns ``step, split, loss`` in nats
    per token, ``learning_rate``), in the order of ``models``, their names. Train loss is a thin line, dev loss one with
    markers; models differ in colour, marker and dashes. The axis on the right shows the same as perplexity, exp(loss).
    The legend gives each model's lowest dev loss. The figure is 1.6 ``panel_width`` by 1.4 ``panel_height`` inches;
    ``font_size`` is in points.

    Raises ``UserError`` if a curve has no train or no dev loss, or if there are more models than can be told apart.
    """
    for model, curve in zip(models, curves, strict=True):
        for split in ("train", "dev"):
            if not (curve["split"] == split).any():
                raise UserError(
                    f"models.{model}: its loss curve has no {split} loss; train for more steps, or log more often"
                )
    styles = series_styles(len(models))
    # The panel takes about 0.7 of the width, a handle 0.1, a character about 0.55 of the font size.
    wrap = max(16, int(1.6 * panel_width * 72 * 0.72 / (0.55 * font_size)))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(1.6 * panel_width, 1.4 * panel_height), layout="constrained")
        axes, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        handles = []
        for model, curve, style in zip(models, curves, styles, strict=True):
            train, dev = (curve[curve["split"] == split].sort_values("step") for split in ("train", "dev"))
            line = {key: style[key] for key in ("color", "linestyle")}
            axes.plot(train["step"], train["loss"], linewidth=0.9, alpha=0.6, **line)
            # About twenty markers, no matter how many evaluations there are.
            every = max(1, round(len(dev) / 20))
            axes.plot(dev["step"], dev["loss"], markevery=every, **style)
            rate.plot(train["step"], train["learning_rate"], linewidth=1.3, **line)
            step, loss = dev[["step", "loss"]].to_numpy()[int(dev["loss"].to_numpy().argmin())]
            lowest = f"lowest dev loss {loss:.3g} (perplexity {np.exp(loss):.3g})"
            # The last three words stay together.
            place = f"at step {step:,.0f}".replace(" ", "\N{NO-BREAK SPACE}")
            label = textwrap.fill(f"{model_label(model)}: {lowest} {place}", wrap).replace("\N{NO-BREAK SPACE}", " ")
            handles.append(Line2D([], [], label=label, **style))
        axes.set_ylabel("loss (nats per token)")
        _perplexity_axis(axes)
        rate.set_ylabel("learning rate")
        rate.set_ylim(bottom=0)
        rate.yaxis.set_major_locator(ticker.MaxNLocator(3))
        rate.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(value)))
        rate.set_xlabel("step")
        rate.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
        sns.despine(ax=axes, right=False)
        sns.despine(ax=rate)
        figure.align_ylabels([axes, rate])
        splits = [
            Line2D([], [], color="0.35", linewidth=0.9, alpha=0.6, label="train"),
            Line2D([], [], color="0.35", linewidth=1.3, marker="o", markersize=3.5, label="dev"),
        ]
        axes.add_artist(axes.legend(handles=splits, loc="best", frameon=False))
        # Part of the panel: a legend of the figure would cover its title.
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _perplexity_axis(axes: Axes) -> None:
    """A second axis on the right, with round perplexities at the height of their logarithms."""
    low, high = np.exp(axes.get_ylim())
    if high / low < 3:
        values = ticker.MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
    else:
        decades = np.log10(high / low)
        subs = (1, 2, 3, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1, 3) if decades < 4 else (1,)
        values = ticker.LogLocator(subs=subs).tick_values(low, high)
    values = [value for value in values if low <= value <= high]
    right = axes.secondary_yaxis("right")
    right.set_yticks(np.log(values), [f"{value:,.6g}" for value in values])
    right.set_ylabel("perplexity (exp of the loss)")
