"use strict";
// Texts reach the page as text nodes only, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { sweep: null, point: 0, prompts: "", row: 0 };
const BLUE = [0, 114, 178], ORANGE = [213, 94, 0];

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function minus(text) {
  return text.replace(/-/g, "−");
}

// For Plotly, to which some tags and entities are markup: as it stands.
function literal(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// A coordinate or a coefficient, as it is.
function exact(value) {
  return minus(String(value));
}

// A measured value: three digits; "–" where there is none.
function rounded(value) {
  if (value === null) return "–";
  const digits = Number(value.toPrecision(3)), size = Math.abs(digits);
  const plain = size === 0 || (size >= 1e-4 && size < 1e6);
  return minus(plain ? digits.toLocaleString("en", { maximumFractionDigits: 6 }) : digits.toExponential(2));
}

// --- the grid of a sweep ---

for (const sweep of data.sweeps) {
  sweep.index = new Map(sweep.points.map((point, index) => [point.at.join(), index]));
  sweep.middle = sweep.index.get(sweep.coordinates.map(({ values }) => values[values.length >> 1]).join());
}

// Along each coordinate the index of the grid value nearest to a point; that of the point itself if it lies on the grid.
function cell(sweep, point) {
  return sweep.coordinates.map(({ values }, axis) => {
    const distances = values.map((value) => Math.abs(value - sweep.points[point].at[axis]));
    return distances.indexOf(Math.min(...distances));
  });
}

function pointAt(sweep, indices) {
  return sweep.index.get(sweep.coordinates.map(({ values }, axis) => values[indices[axis]]).join());
}

// The next point of the grid along a coordinate, upwards (1) or downwards (-1); undefined at its end.
function neighbour(sweep, point, axis, direction) {
  const values = sweep.coordinates[axis].values, own = sweep.points[point].at[axis], indices = cell(sweep, point);
  const beyond = values.map((_, index) => index).filter((index) => (values[index] - own) * direction > 0);
  if (!beyond.length) return undefined;
  indices[axis] = direction > 0 ? beyond[0] : beyond[beyond.length - 1];
  return pointAt(sweep, indices);
}

function surroundings(sweep, point) {
  const names = sweep.coordinates.length === 1 ? [["previous", "next"]] : [["left", "right"], ["below", "above"]];
  const found = [["this", point]];
  sweep.coordinates.forEach(({ label }, axis) => {
    [-1, 1].forEach((direction, side) => {
      const other = neighbour(sweep, point, axis, direction);
      if (other !== undefined) found.push([names[axis] ? names[axis][side] : `${label} ${"−+"[side]}`, other]);
    });
  });
  return found;
}

function coordinatesText(sweep, point) {
  return sweep.coordinates.map(({ label }, axis) => `${label} = ${exact(sweep.points[point].at[axis])}`).join(", ");
}

function coefficients(sweep, point) {
  return sweep.points[point].id.split("+").map((part) => part.split("="));
}

// "0.5 negative + 0.5 positive"
function combination(sweep, point) {
  return coefficients(sweep, point)
    .map(([model, value], index) => {
      const size = value.replace("-", "") === "1" ? "" : `${value.replace("-", "")} `;
      const sign = value.startsWith("-") ? (index ? " − " : "−") : index ? " + " : "";
      return `${sign}${size}${model}`;
    })
    .join("");
}

// What the page calls the model that a point is; undefined if it combines several.
function singleModel(sweep, point) {
  const parts = coefficients(sweep, point);
  return parts.length === 1 ? data.names.models[parts[0][0]] : undefined;
}

function onGrid(sweep, point) {
  return pointAt(sweep, cell(sweep, point)) === point;
}

// --- the address ---

function writeAddress() {
  const at = state.sweep.points[state.point].at.join();
  const kept = { sweep: state.sweep.name, at, prompts: state.prompts, prompt: data.prompts[state.prompts].rows[state.row] };
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  byId("notice").hidden = true;
}

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)), lost = [];
  const chosen = (key, found, otherwise) => {
    if (asked.has(key) && (found === undefined || found === -1)) lost.push(`${key} ${asked.get(key)}`);
    return found === undefined || found === -1 ? otherwise : found;
  };
  state.sweep = chosen("sweep", data.sweeps.find(({ name }) => name === asked.get("sweep")), data.sweeps[0]);
  state.point = chosen("at", state.sweep.index.get(asked.get("at")), state.sweep.middle);
  const sets = state.sweep.prompts;
  state.prompts = chosen("prompts", sets.find((name) => name === asked.get("prompts")), sets[0]);
  state.row = chosen("prompt", data.prompts[state.prompts].rows.findIndex((row) => String(row) === asked.get("prompt")), 0);
  byId("notice").hidden = !lost.length;
  byId("notice").textContent = `Not on this page: ${lost.join(", ")}.`;
}

// --- controls ---

function fill(select, labels, chosen) {
  select.replaceChildren(...labels.map((label, index) => element("option", { value: String(index), textContent: label })));
  select.selectedIndex = chosen;
}

function showControls() {
  const { sweep, prompts, row } = state;
  fill(byId("sweep"), data.sweeps.map(({ name, label }) => (label === name ? name : `${name}: ${label}`)), data.sweeps.indexOf(sweep));
  fill(byId("prompts"), sweep.prompts.map((name) => data.names.prompts[name]), sweep.prompts.indexOf(prompts));
  fill(byId("row"), data.prompts[prompts].texts, row);
  byId("sliders").replaceChildren(
    ...sweep.coordinates.map(({ label, values }, axis) => {
      const input = element("input", {
        id: `slider-${axis}`, type: "range", min: 0, max: values.length - 1, step: 1, disabled: values.length < 2,
      });
      input.addEventListener("input", () => {
        const indices = cell(state.sweep, state.point);
        indices[axis] = Number(input.value);
        move(pointAt(state.sweep, indices));
      });
      const name = element("label", { htmlFor: input.id }, label), value = element("span", { className: "value" });
      return element("div", { className: "slider" }, element("span", {}, name, " = ", value), input);
    }),
  );
  const jumps = sweep.points.map((_, point) => point).filter((point) => singleModel(sweep, point) || !onGrid(sweep, point));
  byId("jumps").hidden = !jumps.length;
  byId("jumps").replaceChildren(
    "Go to",
    ...jumps.map((point) => {
      const label = singleModel(sweep, point) ?? coordinatesText(sweep, point);
      const button = element("button", { type: "button", title: coordinatesText(sweep, point), "data-point": point }, label);
      button.addEventListener("click", () => move(point));
      return button;
    }),
  );
  byId("formula").textContent = sweep.formula;
}

function showPoint() {
  const { sweep, point } = state, indices = cell(sweep, point);
  sweep.coordinates.forEach(({ label }, axis) => {
    const input = byId(`slider-${axis}`), value = exact(sweep.points[point].at[axis]);
    input.value = indices[axis];
    input.setAttribute("aria-valuetext", `${label} = ${value}`);
    input.parentElement.querySelector(".value").textContent = value;
  });
  const [symbol, note] = sweep.space === "logits" ? ["logits", " (an ensemble)"] : ["θ", ""];
  byId("point").textContent = `${symbol} = ${combination(sweep, point)}${note}`;
  for (const button of byId("jumps").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(Number(button.dataset.point) === point));
  }
}

// --- scores ---

function showScores() {
  const { sweep, point, prompts } = state;
  const rows = sweep.panels.map((panel, index) => [panel, ...sweep.scores[prompts][index][point]]);
  byId("scores").replaceChildren(
    ...rows.map(([panel, estimate, low, high, excluded]) => {
      const name = element("th", { scope: "row", title: `${panel.scorer}, ${panel.statistic}` }, panel.label);
      if (excluded) name.append(element("div", { className: "note" }, `texts without a score: ${excluded}`));
      return element("tr", {}, name, element("td", {}, rounded(estimate)), element("td", {}, interval(low, high)));
    }),
  );
  const set = data.prompts[prompts];
  byId("counts").textContent =
    `From all texts: ${set.samples} continuations of each of the ${set.total} ${data.names.prompts[prompts]}. Intervals over prompts.`;
  const said = rows.map(([panel, estimate, low, high]) => `${panel.label} ${rounded(estimate)}, interval ${interval(low, high)}`);
  byId("status").textContent = `${coordinatesText(sweep, point)}. ${said.join(". ")}.`;
}

function interval(low, high) {
  return low === null || high === null ? "–" : `${rounded(low)} to ${rounded(high)}`;
}

// --- texts ---

function mixed(share) {
  const end = share < 0.5 ? ORANGE : BLUE, amount = 0.5 * Math.abs(2 * share - 1);
  return `rgb(${end.map((part) => Math.round(255 + (part - 255) * amount)).join()})`;
}

function card(where, point) {
  const { sweep, prompts, row } = state;
  const texts = data.texts[sweep.space][prompts][sweep.points[point].id][row];
  const scores = sweep.colour && data.scores[sweep.colour][sweep.space][prompts][sweep.points[point].id][row];
  const items = texts.map((text, index) => {
    const item = element("li", {});
    if (sweep.colour) {
      const score = scores[index], [low, high] = data.scorers[sweep.colour].range;
      const share = score === null ? null : Math.min(1, Math.max(0, (score - low) / (high - low || 1)));
      const bar = element("span", { className: "track", "aria-hidden": "true" }, element("span", {}));
      bar.firstChild.style.width = `${100 * (share ?? 0)}%`;
      if (share !== null) item.style.background = mixed(share);
      item.append(element("div", { className: "score" }, score === null ? "no score" : minus(score.toFixed(2)), bar));
    }
    item.append(text ? element("p", { className: "text" }, text) : element("p", { className: "text empty" }, "(nothing)"));
    return item;
  });
  const names = { this: "this point", previous: "previous point", next: "next point" };
  const head = element("header", {}, element("h3", {}, coordinatesText(sweep, point)), element("p", {}, names[where] ?? where));
  if (singleModel(sweep, point)) head.append(element("p", {}, `the ${singleModel(sweep, point)}`));
  return element("article", { className: where === "this" ? "card here" : "card", "data-where": where }, head, element("ol", {}, ...items));
}

function showTexts() {
  const { sweep, point, prompts, row } = state, set = data.prompts[prompts];
  byId("prompt").textContent = set.texts[row];
  byId("thinned").textContent =
    `Showing ${set.rows.length} of ${set.total} prompts, ${set.shown} of ${set.samples} continuations of each: the same at all points.`;
  byId("cards").replaceChildren(...surroundings(sweep, point).map(([where, other]) => card(where, other)));
}

function judgeNote(scorer, tag, before) {
  const { quality, weak } = data.judges[scorer];
  return element(tag, { className: weak ? "judge weak" : "judge" }, `${before}${quality}`);
}

// Of the scorers of this sweep.
function showJudges() {
  const scorers = new Set(state.sweep.panels.map(({ scorer }) => scorer).filter((scorer) => scorer in data.judges));
  byId("judges").hidden = !scorers.size;
  byId("judges").replaceChildren(...[...scorers].map((scorer) => judgeNote(scorer, "li", `${scorer} by ${data.judges[scorer].model}: `)));
}

function showLegend() {
  const { sweep } = state;
  if (!sweep.colour) {
    byId("legend").replaceChildren("No scorer gives each of these texts a score, so they have no colour.");
    return;
  }
  const { description, range } = data.scorers[sweep.colour];
  const scale = element("span", { className: "scale", "aria-hidden": "true" });
  scale.style.background = `linear-gradient(to right, ${[0, 0.5, 1].map(mixed).join()})`;
  const parts = [`Number, bar and colour: ${description}`, exact(range[0]), scale, exact(range[1])];
  if (sweep.colour in data.judges) parts.push(judgeNote(sweep.colour, "span", ""));
  byId("legend").replaceChildren(...parts.map((part) => (typeof part === "string" ? element("span", {}, part) : part)));
}

// --- curves and planes ---

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
        x, y, text: literal(label), showarrow: false, font: { size: 11 }, bgcolor: "rgba(255,255,255,0.85)", borderpad: 1, yshift: 16,
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

// --- all of it ---

let pending = false;

// Plots follow once per frame, however fast the slider moves.
function showPlots() {
  if (pending || !window.Plotly) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    showPanels().then(() => document.querySelector("main").removeAttribute("aria-busy"));
  });
}

function showView() {
  showPoint();
  showScores();
  showTexts();
  showPlots();
}

function showAll() {
  showControls();
  showJudges();
  showLegend();
  showView();
}

function move(point) {
  state.point = point;
  writeAddress();
  showView();
}

byId("sweep").addEventListener("change", (event) => {
  const { prompts } = state, at = state.sweep.points[state.point].at.join();
  state.sweep = data.sweeps[event.target.selectedIndex];
  state.point = state.sweep.index.get(at) ?? state.sweep.middle;
  if (!state.sweep.prompts.includes(prompts)) Object.assign(state, { prompts: state.sweep.prompts[0], row: 0 });
  writeAddress();
  showAll();
});
byId("prompts").addEventListener("change", (event) => {
  Object.assign(state, { prompts: state.sweep.prompts[event.target.selectedIndex], row: 0 });
  writeAddress();
  showAll();
});
byId("row").addEventListener("change", (event) => {
  state.row = event.target.selectedIndex;
  writeAddress();
  showTexts();
});
window.addEventListener("hashchange", () => {
  readAddress();
  showAll();
});
// Scores and texts are there before Plotly, the largest part of the page, is read.
document.addEventListener("DOMContentLoaded", showPlots);
readAddress();
showAll();
