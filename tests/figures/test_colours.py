"""Colour scales: their limits, what they know of intervals, and that figures and explorer share them."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from lm_interpolation.figures.colours import ABOVE, CENTRED, LEAST_INTERVALS, PLAIN, colour_scale, colour_stops
from lm_interpolation.jobs.runtime import UserError


def values(*estimates: float, width: float = np.nan, factor: float = np.nan) -> pd.DataFrame:
    data = pd.DataFrame({"alpha": range(len(estimates)), "estimate": estimates}).astype({"estimate": float})
    if not np.isnan(factor):
        return data.assign(low=data["estimate"] / factor**0.5, high=data["estimate"] * factor**0.5)
    return data.assign(low=data["estimate"] - width / 2, high=data["estimate"] + width / 2)


def test_a_scale_spans_its_values_where_intervals_are_narrow() -> None:
    scale = colour_scale(values(1, 4, 9, width=0.5))
    assert (scale.low, scale.high, scale.map, scale.interval, scale.span) == (1, 9, PLAIN, 0.5, 8)
    assert scale.bracket == pytest.approx((0.5 - 0.25 / 8, 0.5 + 0.25 / 8))
    assert scale.describe_interval() == "bracket: median 95 % interval, 0.5 wide"
    log = colour_scale(values(1, 10, 100, factor=2), "log")
    assert (log.low, log.high) == (1, 100)
    assert log.bracket == pytest.approx((0.5 - np.log10(2) / 4, 0.5 + np.log10(2) / 4))
    assert log.describe_interval() == "bracket: median 95 % interval, a factor of 2"


def test_noise_does_not_fill_a_scale() -> None:
    # The example of the issue: values from 0.305 to 0.360, intervals of ±0.08.
    scale = colour_scale(values(0.305, 0.33, 0.360, width=0.16), centre=0.5)
    assert scale.map == CENTRED
    assert (scale.low, scale.high) == pytest.approx((0.5 - 0.195, 0.5 + 0.195))
    assert scale.unresolved
    assert scale.describe_interval().endswith("values span 0.055, within noise")
    near = colour_scale(values(0.48, 0.51, width=0.16), centre=0.5)
    assert near.high - near.low == pytest.approx(LEAST_INTERVALS * 0.16)
    plain = colour_scale(values(0.305, 0.360, width=0.16))
    assert plain.high - plain.low == pytest.approx(LEAST_INTERVALS * 0.16)
    assert (plain.low + plain.high) / 2 == pytest.approx(0.3325)
    log = colour_scale(values(20, 21, factor=1.5), "log")
    assert log.high / log.low == pytest.approx(1.5**LEAST_INTERVALS)
    assert log.unresolved


def test_a_widened_scale_keeps_its_limit_and_does_not_pass_below_zero() -> None:
    limited = colour_scale(values(5, 6, 7, width=4), limit=6)
    assert (limited.low, limited.high, limited.above) == (0, 6, True)
    assert colour_scale(values(20, 23, factor=1.5), "log", 22).high == 22
    # A limit that no value passes is none.
    assert colour_scale(values(5, 6, width=0.1), limit=100).high == 6
    shares = colour_scale(values(0.05, 0.1, width=0.2))
    assert (shares.low, shares.high) == (0, pytest.approx(0.4))


def test_values_without_intervals_say_so() -> None:
    scale = colour_scale(values(1, 2))
    assert (scale.interval, scale.bracket, scale.unresolved) == (None, None, False)
    assert scale.describe_interval() == "no intervals"
    # The median is of those that have one; points without a value count for nothing.
    data = values(1, 2, np.nan, width=0.1)
    data.loc[0, ["low", "high"]] = np.nan
    assert colour_scale(data).interval == pytest.approx(0.1)
    assert colour_scale(data).missing


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("width", [0.0, np.nan])
def test_equal_values_have_a_scale(scale: str, width: float) -> None:
    for value in (3.0, -3.0, 0.0):
        if scale == "linear" or value > 0:
            found = colour_scale(values(value, value, width=width), scale)
            assert found.low < value < found.high


def test_contradictions_are_errors() -> None:
    for message, data, options in (
        ("no point has a value", values(np.nan), {}),
        (r"the value at \{'alpha': 1.0\} is infinite", values(1, np.inf), {}),
        ("0 is not positive; use scale: linear", values(0, 1), {"scale": "log"}),
        ("limit 1 is not above the smallest value, 1", values(1, 2), {"limit": 1}),
        ("centre goes with scale: linear", values(1, 2), {"centre": 1, "limit": 3}),
    ):
        with pytest.raises(UserError, match=message):
            colour_scale(data, **options)


@pytest.mark.parametrize("name", [PLAIN, CENTRED])
def test_stops_are_those_of_the_figures(name: str) -> None:
    stops = colour_stops(name)
    assert [share for share, _ in stops][:: len(stops) - 1] == [0, 1]
    assert all(colour == to_hex(mpl.colormaps[name](share)) for share, colour in stops)
    # What lies above a limit is none of them.
    assert ABOVE not in [colour for _, colour in stops]
    # Between stops, which the explorer joins by straight lines, no channel is off by more than 3 of 255.
    shares = np.linspace(0, 1, 257)
    joined = [np.interp(shares, [s for s, _ in stops], [mpl.colors.to_rgb(c)[i] for _, c in stops]) for i in range(3)]
    assert np.abs(np.array(joined).T - mpl.colormaps[name](shares)[:, :3]).max() < 3.5 / 255
