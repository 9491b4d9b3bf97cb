// Lesson 10: models that people use, from the package's own families; two of them side by side.

import { $, ask, listen, make } from "/static/lab.js";

const PLACES = ["one", "other"];
const WIDE = 1000;
const HIGH = 360;
const KINDS = { eps: "ε, the noise", v: "v", flow: "velocity", x0: "x₀" };

const beside = {};
let stop = null;
let rows = {};

const many = (n) => n.toLocaleString("en");
const large = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} billion` : n >= 1e6 ? `${(n / 1e6).toFixed(0)} million` : many(n));
const cell = (...inside) => make("td", {}, ...inside);

function known(each) {
  const texts = each.texts.map(({ name, weights }) => `${name}, ${large(weights)}`);
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, each.title),
    cell(`${each.channels}, 1 : ${each.factor}`),
    cell(texts.join("; ")),
    cell(`${each.denoiser}, ${large(each.weights)}`),
    cell(each.process),
    cell(KINDS[each.prediction]),
    cell(`${each.sampler}, ${each.steps}`),
    cell(each.guidance === null ? (each.cfg === 1 ? "none" : `cfg ${each.cfg}`) : `distilled, ${each.guidance}`),
    cell(`${each.size}²`),
    cell(each.after || "–"),
    cell(each.licence || "–"),
  );
}

function closed({ title, told, source }) {
  const lines = told.map(([what, said]) => make("tr", {}, make("th", { scope: "row" }, what), cell(said)));
  const body = make("table", {}, make("tbody", {}, ...lines));
  return make("section", {}, make("h3", {}, title), body, make("p", { class: "hint" }, source));
}

// The range of what is shown: ᾱ from 0 to 1, the SNR from a ten-millionth to ten thousand.
function height(value) {
  const share = $("show").value === "alpha_bar" ? value : (value + 7) / 11;
  return HIGH * (1 - Math.min(1, Math.max(0, share)));
}

function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

function curve(place, k) {
  const { curve, steps } = beside[place];
  const show = $("show").value;
  const at = (levels) => levels.share.map((share, i) => [WIDE * share, height(levels[show][i])]);
  const line = at(curve).map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const marks = at(steps).map(([x, y]) =>
    k
      ? svg("rect", { x: x - 6, y: y - 6, width: 12, height: 12, class: `marks c${k + 1}`, fill: "none" })
      : svg("circle", { cx: x, cy: y, r: 7, class: `marks c${k + 1}`, fill: "none" }),
  );
  return [svg("polyline", { class: `curve c${k + 1}`, points: line }), ...marks];
}

function draw() {
  const shown = PLACES.filter((place) => beside[place]?.curve);
  const snr = $("show").value === "log_snr";
  const ticks = snr ? [4, 2, 0, -2, -4, -6] : [1, 0.5, 0];
  const axes = [svg("path", { class: "axis", fill: "none", d: `M0 0V${HIGH}H${WIDE}` })];
  for (const tick of ticks) axes.push(svg("text", { x: -14, y: height(tick) + 9, "text-anchor": "end" }, snr ? `10${sup(tick)}` : String(tick)));
  axes.push(svg("text", { x: 0, y: HIGH + 34 }, "clean"));
  axes.push(svg("text", { x: WIDE, y: HIGH + 34, "text-anchor": "end" }, "noise"));
  $("plot").replaceChildren(...axes, ...shown.flatMap((place) => curve(place, PLACES.indexOf(place))));
}

const sup = (n) => [...String(n)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

const LINES = [
  ["numbers", (b) => many(b.pixels)],
  ["numbers of its latent", (b) => `${b.channels} × ${b.side}² = ${many(b.latents)}`],
  ["times fewer", (b) => (b.pixels / b.latents).toFixed(0)],
  ["tokens that attend to each other", (b) => (b.joined ? `${many(b.tokens[0])} + ${b.prompt} of words` : b.tokens.map(many).join(", ") || "none")],
  ["tokens of the prompt", (b) => many(b.prompt)],
  ["calls of the network", (b) => many(b.calls)],
  ["shift towards noise", (b) => (b.shift === null ? "none" : b.shift.toFixed(2))],
];

function tell() {
  for (const place of PLACES) $(`head-${place}`).textContent = beside[place]?.title ?? "–";
  const lines = LINES.map(([name, of]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...PLACES.map((place) => cell(beside[place]?.curve ? of(beside[place]) : "–"))),
  );
  $("numbers").tBodies[0].replaceChildren(...lines);
  const whys = PLACES.map((place) => beside[place]?.why).filter(Boolean);
  $("said").textContent = whys.join(" · ");
  draw();
}

function commands() {
  const chosen = [...new Set(PLACES.map((place) => $(place).value))];
  const parts = chosen.flatMap((slug) => {
    const each = rows[slug];
    if (!each) return [];
    const code = make("dd", {}, make("code", {}, each.command));
    return [make("dt", {}, `To draw with ${each.title}`), code, make("dd", { class: "hint" }, each.source)];
  });
  $("commands").replaceChildren(...parts);
}

function compare() {
  stop?.();
  commands();
  const asked = Object.fromEntries([...PLACES, "size"].map((id) => [id, $(id).value]));
  stop = listen("/api/wild/beside", asked, {
    beside: (told) => {
      beside[told.place] = told;
      tell();
    },
    over: (why) => {
      if (why) $("said").textContent = why;
      $("plot").dataset.asked = Object.values(asked).join();
    },
  });
}

for (const id of [...PLACES, "size"]) $(id).addEventListener("change", compare);
$("show").addEventListener("change", draw);

const told = await ask("/api/wild");
rows = told.known;
$("known").tBodies[0].append(...Object.values(rows).map(known));
$("closed").append(...told.closed.map(closed));
$("counting").hidden = true;
for (const place of PLACES) {
  $(place).append(make("option", { value: "here" }, "the model here"));
  for (const [slug, each] of Object.entries(rows)) $(place).append(make("option", { value: slug }, each.title));
}
$("one").value = "sd1";
$("other").value = "flux-dev";
compare();
listen("/api/wild/here", {}, {
  done: (each) => {
    rows.here = each;
    $("known").tBodies[0].append(known(each));
    commands();
  },
});
