// Lesson 7: how near each sampler comes, in how many calls; on the model, and where that is known.

import { $, ask, filled, listen, make } from "/static/lab.js";
import { chart, decades, look } from "/static/plot.js";

const NAMES = ["ddim", "heun", "dpm2", "dpmpp_2m", "deis", "unipc", "lms", "euler_ancestral"];
const FIRST = ["ddim", "dpmpp_2m"];

const state = { stop: null, question: "", reference: null, runs: [], live: {}, exact: {}, refused: "" };
let stopExact = null;

const chosen = () => NAMES.filter((name) => $(`use-${name}`).checked);
const number = (p) => (p === null || p === undefined ? "–" : p.toFixed(2));

// A curve a sampler, alike on both charts.
function curves(id, found, label) {
  const lines = NAMES.filter((name) => found[name]?.length).map((name) => ({
    ...look(NAMES.indexOf(name)),
    name,
    points: found[name].toSorted(([a], [b]) => a - b),
  }));
  const all = lines.flatMap(({ points }) => points);
  const calls = all.map(([n]) => n);
  const from = Math.min(5, ...calls);
  const to = Math.max(50, ...calls);
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200].filter((n) => n >= from && n <= to);
  const x = { from, to, log: true, ticks, label };
  chart($(id), { x, y: decades(all.map(([, error]) => error)), lines });
}

function drawExact() {
  const found = Object.fromEntries(chosen().map((name) => [name, state.exact[name]?.runs ?? []]));
  curves("exact", found, "calls of the denoiser");
  drawOrders();
}

function drawLive() {
  const found = {};
  for (const { sampler, calls, error } of state.runs) (found[sampler] ??= []).push([calls, error]);
  curves("live", found, "calls of the network");
  drawOrders();
}

function drawOrders() {
  const names = NAMES.filter((name) => state.exact[name] || state.live[name]);
  const rows = names.map((name) => {
    const [exact, live] = [state.exact[name], state.live[name]];
    const order = (exact ?? live).order ?? "draws new noise";
    const cells = [order, number(exact?.measured), number(live?.measured)];
    const head = make("th", { scope: "row" }, name);
    return make("tr", {}, head, ...cells.map((cell) => make("td", {}, String(cell))));
  });
  $("orders").tBodies[0].replaceChildren(...rows);
}

function picture(alt, source, ...words) {
  return make("td", {}, make("img", { src: source, alt }), ...words.map((each) => make("span", {}, each)));
}

function drawStrip() {
  const calls = [...new Set(state.runs.map(({ budget }) => budget))].sort((a, b) => a - b);
  const names = NAMES.filter((name) => state.runs.some(({ sampler }) => sampler === name));
  const head = make("tr", {}, make("th", { scope: "col" }, "Sampler"));
  for (const n of calls) head.append(make("th", { scope: "col" }, `about ${n} calls`));
  head.append(make("th", { scope: "col" }, "the reference"));
  const rows = names.map((name, k) => {
    const row = make("tr", {}, make("th", { scope: "row" }, name));
    for (const n of calls) {
      const run = state.runs.find(({ sampler, budget }) => sampler === name && budget === n);
      const words = run && [`${run.calls} calls: ${run.error.toPrecision(2)}`];
      row.append(run ? picture(`${name} in ${run.calls} calls`, run.picture, ...words) : make("td"));
    }
    if (k === 0) row.append(picture("The reference", state.reference.picture, `${state.reference.steps} steps`));
    return row;
  });
  if (!names.length) rows.push(make("tr", {}, make("th", { scope: "row" }, ""), picture("The reference", state.reference.picture)));
  $("strip").tHead.replaceChildren(head);
  $("strip").tBodies[0].replaceChildren(...rows);
  $("strip").hidden = false;
}

function came(run) {
  state.runs = state.runs.filter(({ sampler, budget }) => sampler !== run.sampler || budget !== run.budget);
  state.runs.push(run);
  state.live[run.sampler] = run;
  $("said").textContent = `${run.sampler}, ${run.calls} calls: ${run.error.toPrecision(3)} from the reference.`;
  drawLive();
  drawStrip();
}

// How the two that everybody asks about compare, in the server's numbers.
function ended({ equal }) {
  $("said").textContent = equal
    ? `Measured. ${equal.dpmpp_2m} calls of dpmpp_2m come as near as ${equal.ddim} of ddim.`
    : "Measured.";
}

function over(why) {
  state.stop?.();
  state.stop = null;
  if (why) $("said").textContent = why;
  $("done").value = 0;
  $("stop").disabled = true;
  $("go").disabled = false;
}

function measure() {
  const asked = { prompt: $("prompt").value, ...filled("seed", "cfg", "fine") };
  const question = JSON.stringify(asked);
  if (question !== state.question) Object.assign(state, { question, reference: null, runs: [], live: {} });
  Object.assign(asked, { samplers: chosen().join(), ...filled("calls") });
  $("said").textContent = "…";
  $("go").disabled = true;
  $("stop").disabled = false;
  state.stop = listen("/api/measure", asked, {
    step: ({ sampler, index, total, reference }) => {
      $("done").value = (index + 1) / total;
      if (reference && !index) $("said").textContent = `First the reference: ${total} steps of ${sampler}.`;
    },
    reference: (told) => {
      state.reference = told;
      drawStrip();
    },
    run: came,
    done: ended,
    over,
  });
}

function measureExact() {
  stopExact?.();
  state.exact = {};
  const asked = { samplers: NAMES.join(), process: $("process").value, spacing: $("spacing").value };
  stopExact = listen("/api/orders", asked, {
    curve: (told) => {
      state.exact[told.sampler] = told;
      drawExact();
    },
    over: (why) => {
      if (why) $("said").textContent = why;
    },
  });
}

// What bench/quality.py left: not how near a sampler comes, but what its pictures are good for.
function drawQuality({ made, true: best, samplers }) {
  const lines = NAMES.filter((name) => samplers[name]).map((name) => ({
    ...look(NAMES.indexOf(name)),
    name,
    points: samplers[name].map(([calls, share]) => [calls, 100 * share]),
  }));
  const calls = [...new Set(lines.flatMap(({ points }) => points.map(([n]) => n)))].sort((a, b) => a - b);
  const [from, to] = [calls[0], calls.at(-1)];
  const scenes = { name: "true scenes", dashed: true, points: [from, to].map((n) => [n, 100 * best]) };
  const x = { from, to, log: true, ticks: calls, label: "calls of the network, guided ones counted once" };
  const y = { from: 0, to: 100, ticks: [0, 20, 40, 60, 80, 100] };
  $("pictures-measured").hidden = false;
  $("made").textContent = made;
  chart($("quality"), { x, y, lines: [...lines, scenes] });
}

for (const name of NAMES) {
  const box = make("input", { type: "checkbox", id: `use-${name}` });
  box.checked = FIRST.includes(name);
  box.addEventListener("change", drawExact);
  $("samplers").append(make("label", {}, box, ` ${name}`));
}
$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  measure();
});
$("stop").addEventListener("click", () => over("Stopped: what was measured stays."));
for (const id of ["process", "spacing"]) $(id).addEventListener("change", measureExact);
drawLive();
measureExact();
const { found } = await ask("/api/quality");
if (found) drawQuality(found);
