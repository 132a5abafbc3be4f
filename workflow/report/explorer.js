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
  const [symbol, note] = { weights: ["θ", ""], layers: ["each layer", ""], logits: ["logits", " (an ensemble)"] }[sweep.space];
  byId("point").textContent = `${symbol} = ${combination(sweep, point)}${note}`;
  for (const button of byId("jumps").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(Number(button.dataset.point) === point));
  }
}

// --- scores ---

function showScores() {
  const { sweep, point, prompts } = state;
  const rows = sweep.panels.map((panel, index) => [panel, ...sweep.scores[prompts][index][point]]);
  const set = data.prompts[prompts], judged = (panel) => data.judged[panel.scorer]?.[prompts];
  byId("scores").replaceChildren(
    ...rows.map(([panel, estimate, low, high, excluded]) => {
      const name = element("th", { scope: "row", title: `${panel.scorer}, ${panel.statistic}` }, panel.label);
      if (judged(panel)) name.append(element("div", { className: "note" }, `first ${judged(panel)} of ${set.samples} continuations`));
      if (excluded) name.append(element("div", { className: "note" }, `texts without a score: ${excluded}`));
      return element("tr", {}, name, element("td", {}, rounded(estimate)), element("td", {}, interval(low, high)));
    }),
  );
  const noted = sweep.panels.some(judged) ? ", unless noted" : "";
  byId("counts").textContent =
    `From all texts${noted}: ${set.samples} continuation${set.samples === 1 ? "" : "s"} of each of the ${set.total} ${data.names.prompts[prompts]}. Intervals over prompts.`;
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

// Where a score lies on the scale of its scorer; null for a text that has none (null) or was not judged (undefined).
function shareOf(scorer, score) {
  const [low, high] = data.scorers[scorer].range;
  return score === null || score === undefined ? null : Math.min(1, Math.max(0, (score - low) / (high - low || 1)));
}

// Number and bar, with the name of the scorer where there are others.
function scoreLine(scorer, score, named) {
  const bar = element("span", { className: "track", "aria-hidden": "true" }, element("span", {}));
  bar.firstChild.style.width = `${100 * (shareOf(scorer, score) ?? 0)}%`;
  const name = named ? [element("span", { className: "scorer" }, scorer)] : [];
  const told = score === undefined ? "not judged" : score === null ? "no score" : minus(score.toFixed(2));
  return element("div", { className: "score" }, ...name, told, bar);
}

function card(where, point) {
  const { sweep, prompts, row } = state, { id } = sweep.points[point], scorers = sweep.text_scorers;
  const texts = data.texts[sweep.space][prompts][id][row];
  const scores = scorers.map((scorer) => data.scores[scorer][sweep.space][prompts][id][row]);
  const items = texts.map((text, index) => {
    // Scores end where a scorer has not judged further continuations.
    const own = scores.map((found) => (index < found.length ? found[index] : undefined));
    const lines = scorers.map((scorer, order) => scoreLine(scorer, own[order], scorers.length > 1));
    const item = element("li", {}, ...lines);
    const share = scorers.length ? shareOf(scorers[0], own[0]) : null;
    if (share !== null) item.style.background = mixed(share);
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
  const shown = set.samples === 1 ? "the one continuation" : `${set.shown} of ${set.samples} continuations`;
  byId("thinned").textContent = `Showing ${set.rows.length} of ${set.total} prompts, ${shown} of each: the same at all points.`;
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
  const [first, ...others] = state.sweep.text_scorers;
  if (first === undefined) {
    byId("legend").replaceChildren("No scorer gives each of these texts a score, so they have no colour.");
    return;
  }
  const { description, range } = data.scorers[first];
  const scale = element("span", { className: "scale", "aria-hidden": "true" });
  scale.style.background = `linear-gradient(to right, ${[0, 0.5, 1].map(mixed).join()})`;
  const parts = [`Number, bar and colour: ${description}`, exact(range[0]), scale, exact(range[1])];
  if (first in data.judges) parts.push(judgeNote(first, "span", ""));
  const lines = others.map((scorer) => {
    const { description, range } = data.scorers[scorer], judge = scorer in data.judges ? [judgeNote(scorer, "span", "; ")] : [];
    return element("span", { className: "line" }, `Number and bar: ${description}, from ${exact(range[0])} to ${exact(range[1])}`, ...judge);
  });
  byId("legend").replaceChildren(...parts.map((part) => (typeof part === "string" ? element("span", {}, part) : part)), ...lines);
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
