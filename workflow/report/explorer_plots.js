// Curves and planes of the explorer. What they draw is in explorer.js, which follows.

const FONT = { family: 'system-ui, "DejaVu Sans", sans-serif', size: 12, color: "#1b1b1f" };
const HERE = { size: 13, color: "rgba(255,255,255,0.4)", line: { color: "#1b1b1f", width: 3 } };

function frame(extra) {
  const axis = { fixedrange: true, automargin: true, zeroline: false, linecolor: "#50535c", ticks: "outside", gridcolor: "#e6e8ec" };
  const layout = { font: FONT, margin: { l: 44, r: 8, t: 18, b: 40 }, showlegend: false, dragmode: false, ...extra };
  layout.xaxis = { ...axis, ...extra.xaxis };
  layout.yaxis = { ...axis, ...extra.yaxis };
  return layout;
}

// Values to label between two decimal logarithms, whether they lie a fraction of a decade apart or six.
function logTicks(low, high) {
  if (high <= low) return [10 ** low];
  const span = high - low, steps = span < 1 ? [1, 1.5, 2, 3, 5, 7] : span < 2 ? [1, 2, 5] : span < 3 ? [1, 3] : [1];
  const found = [];
  for (let power = Math.floor(low); power <= high; power += 1) found.push(...steps.map((step) => step * 10 ** power));
  const seen = found.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  return seen.length > 2 ? seen : evenTicks(10 ** low, 10 ** high);
}

// At least three multiples of 1, 2 or 5 times a power of ten.
function evenTicks(low, high) {
  for (let power = Math.floor(Math.log10(high - low)); ; power -= 1) {
    for (const size of [5, 2, 1].map((step) => step * 10 ** power)) {
      const first = Math.ceil(low / size), count = Math.floor(high / size) - first + 1;
      if (count > 2) return Array.from({ length: count }, (_, index) => (first + index) * size);
    }
  }
}

function curve(panel, values) {
  const { sweep, point } = state, x = sweep.points.map(({ at }) => at[0]);
  const band = { x: [], y: [] };
  // A band for each run of points that have an interval.
  for (let start = 0, end; start < x.length; start = end + 1) {
    for (end = start; end < x.length && values[end][1] !== null; end += 1);
    const run = [...x.keys()].slice(start, end), back = [...run].reverse();
    band.x.push(...run.map((i) => x[i]), ...back.map((i) => x[i]), null);
    band.y.push(...run.map((i) => values[i][1]), ...back.map((i) => values[i][2]), null);
  }
  const models = sweep.points.map((_, i) => i).filter((i) => singleModel(sweep, i));
  const logs = values.flatMap((value) => value.slice(0, 3)).filter((value) => value > 0).map(Math.log10);
  const labels = panel.scale === "log" && logs.length ? logTicks(Math.min(...logs), Math.max(...logs)) : [];
  const yaxis = panel.scale === "log" ? { type: "log", tickvals: labels, ticktext: labels.map(rounded) } : { type: "linear", nticks: 6 };
  const line = { color: "#0072b2", width: 1.8 };
  // Given, since names beside the ends of a line would widen it.
  const [first, last] = [Math.min(...x), Math.max(...x)], margin = 0.05 * (last - first || 1);
  // Two names keep off each other: within the panel, or where their lines are close, on the outer sides.
  const inside = models.length === 2 && Math.abs(x[models[1]] - x[models[0]]) > 0.6 * (last - first);
  const sides = inside ? ["left", "right"] : ["right", "left"];
  return {
    traces: [
      { ...band, type: "scatter", mode: "lines", fill: "toself", fillcolor: "rgba(0,114,178,0.2)", line: { width: 0 }, hoverinfo: "skip" },
      {
        x, y: values.map(([estimate]) => estimate), type: "scatter", mode: "lines+markers", line, marker: { size: 5 },
        text: values.map(([estimate, low, high]) => `${rounded(estimate)}, interval ${interval(low, high)}`), hovertemplate: "%{text}<extra></extra>",
      },
      { x: [x[point]], y: [values[point][0]], type: "scatter", mode: "markers", marker: HERE, hoverinfo: "skip" },
    ],
    layout: frame({
      hovermode: "x",
      xaxis: { title: { text: literal(sweep.coordinates[0].label) }, nticks: 8, tickangle: 0, showgrid: false, range: [first - margin, last + margin] },
      yaxis,
      margin: { l: 44, r: 8, t: 30, b: 40 },
      annotations: models.map((i, index) => ({
        x: x[i], y: 1, yref: "paper", yanchor: "bottom", xanchor: models.length === 2 ? sides[index] : "center",
        text: singleModel(sweep, i).replace(" ", "<br>"), align: "left", showarrow: false, font: { size: 10, color: "#50535c" },
      })),
      shapes: [
        ...models.map((i) => ({ type: "line", x0: x[i], x1: x[i], y0: 0, y1: 1, yref: "paper", layer: "below", line: { color: "#8a8f99", dash: "dash", width: 1 } })),
        { type: "line", x0: x[point], x1: x[point], y0: 0, y1: 1, yref: "paper", layer: "below", line: { color: "#1b1b1f", width: 1 } },
      ],
    }),
  };
}

// `colours` is null if no point has a value.
function plane(panel, values, colours) {
  const { sweep, point } = state, [first, second] = sweep.coordinates, indices = cell(sweep, point);
  const { low, high, log, above, bracket } = colours ?? { low: 0, high: 1, log: false, above: false, bracket: null };
  const scale = (value) => (log && value !== null ? Math.log10(value) : value);
  const beyond = (value) => above && value > high;
  const scaled = values.map(([value]) => scale(value));
  // Logarithms themselves on a logarithmic scale: labelled by hand.
  const labels = log ? logTicks(scale(low), scale(high)) : [];
  const ticks = log ? { tickvals: labels.map(Math.log10), ticktext: labels.map(rounded) } : { nticks: 5 };
  // With more than two coordinates: the others as they are at this point.
  const at = (i, j) => pointAt(sweep, [i, j, ...indices.slice(2)]);
  const grid = second.values.map((_, j) => first.values.map((_, i) => at(i, j)));
  const rest = sweep.points[point].at.slice(2).join();
  const beside = sweep.points.map((_, i) => i).filter((i) => !onGrid(sweep, i) && sweep.points[i].at.slice(2).join() === rest);
  const told = (i) => `${literal(coordinatesText(sweep, i))}: ${rounded(values[i][0])}<br>95 % interval ${interval(values[i][1], values[i][2])}`;
  const cells = { type: "heatmap", x: first.values, y: second.values, xgap: 1, ygap: 1, hoverongaps: false, text: grid.map((row) => row.map(told)), hovertemplate: "%{text}<extra></extra>" };
  const disc = (kept, colour) => ({
    type: "scatter", mode: "markers", x: kept.map((i) => sweep.points[i].at[0]), y: kept.map((i) => sweep.points[i].at[1]),
    marker: { size: 11, line: { color: "#fff", width: 1.5 }, ...colour }, text: kept.map(told), hovertemplate: "%{text}<extra></extra>",
  });
  const within = beside.filter((i) => !beyond(values[i][0])), over = beside.filter((i) => beyond(values[i][0]));
  // The median interval, left of the colour bar and as long as on it.
  const stroke = (x0, y0, x1, y1) => ({
    type: "line", xref: "paper", yref: "paper", xsizemode: "pixel", xanchor: 1, x0, x1, y0, y1, line: { color: "#1b1b1f", width: 1.5 },
  });
  const [from, to] = bracket ?? [], clip = (share) => Math.min(1, Math.max(0, share));
  const strokes = bracket ? [stroke(6, clip(from), 6, clip(to)), stroke(6, clip(from), 11, clip(from)), stroke(6, clip(to), 11, clip(to))] : [];
  return {
    traces: [
      { ...cells, coloraxis: "coloraxis", z: grid.map((row) => row.map((i) => (beyond(values[i][0]) ? null : scaled[i]))) },
      {
        ...cells, showscale: false, colorscale: [[0, data.above], [1, data.above]],
        z: grid.map((row) => row.map((i) => (beyond(values[i][0]) ? 1 : null))),
      },
      disc(within, { color: within.map((i) => scaled[i]), coloraxis: "coloraxis" }),
      disc(over, { color: data.above }),
      // Where the named points are; their names stand above.
      {
        type: "scatter", mode: "markers", x: sweep.markers.map(({ at }) => at[0]), y: sweep.markers.map(({ at }) => at[1]), hoverinfo: "skip",
        marker: { size: 7, color: "#fff", line: { color: "#1b1b1f", width: 1.5 } },
      },
      {
        type: "scatter", mode: "markers", x: [sweep.points[point].at[0]], y: [sweep.points[point].at[1]], hoverinfo: "skip",
        marker: { size: 17, color: "rgba(0,0,0,0)", line: { color: "#fff", width: 6 } },
      },
      {
        type: "scatter", mode: "markers", x: [sweep.points[point].at[0]], y: [sweep.points[point].at[1]], hoverinfo: "skip",
        marker: { ...HERE, size: 17, color: "rgba(0,0,0,0)" },
      },
    ],
    layout: frame({
      hovermode: "closest",
      xaxis: { title: { text: literal(first.label) }, showgrid: false, constrain: "domain" },
      yaxis: { title: { text: literal(second.label) }, showgrid: false, scaleanchor: "x", constrain: "domain" },
      coloraxis: {
        cmin: scale(low), cmax: scale(high), colorscale: data.maps[colours?.map ?? Object.keys(data.maps)[0]],
        colorbar: { thickness: 12, outlinewidth: 0, x: 1, xanchor: "left", xpad: 14, ypad: 0, len: 1, ...ticks },
      },
      shapes: strokes,
      annotations: sweep.markers.map(({ label, at: [x, y] }) => ({
        x, y, text: literal(label), showarrow: false, font: { size: 11 }, bgcolor: "rgba(255,255,255,0.85)", borderpad: 1, yshift: 17,
      })),
    }),
  };
}

function showPanels() {
  const { sweep, point, prompts } = state, along = sweep.coordinates.map(({ label }) => label).join(" and ");
  const holder = byId("panels"), isPlane = sweep.coordinates.length > 1;
  byId("view").classList.toggle("plane", isPlane);
  if (holder.childElementCount !== sweep.panels.length || holder.dataset.sweep !== sweep.name) {
    for (const plot of holder.querySelectorAll(".plot")) Plotly.purge(plot);
    holder.replaceChildren(...sweep.panels.map(() => element("figure", {}, element("figcaption", {}), element("div", { className: "plot" }))));
    holder.dataset.sweep = sweep.name;
  }
  const drawn = sweep.panels.map((panel, index) => {
    const [caption, plot] = holder.children[index].children, values = sweep.scores[prompts][index];
    const colours = isPlane ? sweep.colours[prompts][index] : null;
    const above = colours?.above ? ` (above ${rounded(colours.high)} grey)` : "";
    caption.replaceChildren(`${panel.axis}${above}`);
    if (isPlane) caption.append(element("div", { className: "note" }, colours ? colours.note : "no values"));
    const { traces, layout } = isPlane ? plane(panel, values, colours) : curve(panel, values);
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${panel.axis} along ${along}; ${rounded(values[point][0])} at ${coordinatesText(sweep, point)}`);
    return Plotly.react(plot, traces, layout, { displayModeBar: false, responsive: true }).then(() => {
      plot.removeAllListeners("plotly_click");
      plot.on("plotly_click", ({ points: [clicked] }) => {
        const found = sweep.points.findIndex(({ at }) => at[0] === clicked.x && (!isPlane || (at[1] === clicked.y && at.slice(2).join() === sweep.points[state.point].at.slice(2).join())));
        if (found !== -1) move(found);
      });
    });
  });
  byId("panels-note").textContent = isPlane
    ? "Click a cell to go there. White cells and discs have no value."
    : "Click a point of a curve to go there. Bands are 95 % intervals; dashed lines are single models.";
  return Promise.all(drawn);
}
