// Lesson 3: two small networks learn the shape in the plane; all numbers come from the server.

import { $, ask, filled, fit, listen, make } from "/static/lab.js";
import { chart, decades, look, shape } from "/static/plot.js";

const MOST = 400; // points of a shape
const NEAR = 5; // hundredths that the pen moves before it leaves another point
const STEP = 10; // hundredths that an arrow moves it, and with Shift four times as far
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const LONGEST = 0.3; // of an arrow
const RIVALS = { picture: "the picture", weighed: "weighed", velocity: "velocity" };
const PLANES = ["first", "second", "perfect"];

const { edge, shapes } = await ask("/api/shapes");
const state = { points: [], strokes: [], drawing: false, pen: null, stop: null, known: null, losses: [], seen: [], step: 0 };

const dots = (numbers, unit) => {
  let d = "";
  for (let k = 0; k < numbers.length; k += 2) d += `M${numbers[k] / unit} ${-numbers[k + 1] / unit}h0`;
  return d;
};

// An arrow a place: its direction is the field's, its length grows with it up to `LONGEST`.
function arrows(places, field) {
  let d = "";
  for (let k = 0; k < places.length; k += 2) {
    const long = Math.hypot(field[k], field[k + 1]);
    const scale = (LONGEST * Math.tanh(long)) / (long || 1);
    const [x, y, dx, dy] = [places[k], -places[k + 1], field[k] * scale, -field[k + 1] * scale];
    const barb = (turn) => {
      const [c, s] = [Math.cos(turn) * 0.35, Math.sin(turn) * 0.35];
      return `L${(x + dx - c * dx + s * dy).toFixed(3)} ${(y + dy - s * dx - c * dy).toFixed(3)}`;
    };
    const tip = `${(x + dx).toFixed(3)} ${(y + dy).toFixed(3)}`;
    d += `M${x} ${y}L${tip}${barb(0.5)}M${tip}${barb(-0.5)}`;
  }
  return d;
}

const given = () => shape("path", { class: "given", d: dots(state.points.flat(), 100) });

function drawPad() {
  const pen = state.pen && shape("circle", { class: "pen", cx: state.pen[0] / 100, cy: -state.pen[1] / 100, r: 0.1 });
  $("pad").replaceChildren(given(), ...(pen ? [pen] : []));
}

function drawPlanes() {
  if (!state.known) return;
  const { levels, places, perfect } = state.known;
  const at = levels.length - 1 - Number($("level").value);
  const { t, ratio } = levels[at];
  $("at").textContent = `t = ${t}, σ/α = ${ratio.toPrecision(2)}`;
  $("level").setAttribute("aria-valuetext", $("at").textContent);
  const kind = document.querySelector("[name=dots]:checked").value;
  [...state.seen, perfect].forEach((seen, k) => {
    const plane = [given()];
    if (seen) plane.push(shape("path", { class: "arrows", d: arrows(places, seen.field[at]) }));
    if (seen && kind) plane.push(shape("path", { class: `dots c${k + 1}`, d: dots(seen[kind], 1) }));
    $(PLANES[k]).replaceChildren(...plane);
  });
}

const rival = () => RIVALS[state.against];
const names = () => ["the noise", rival()];

function drawLosses() {
  const { losses, known, total } = state;
  const all = [...losses.flatMap(({ losses: each }) => each), ...known.floors];
  const lines = names().flatMap((name, k) => [
    { name, colour: `c${k + 1}`, points: losses.map((each) => [each.step, each.losses[k]]) },
    { colour: `c${k + 1}`, dashed: true, points: [[0, known.floors[k]], [total, known.floors[k]]] },
  ]);
  const x = { from: 0, to: total, ticks: [0, total / 2, total], label: "steps of training" };
  chart($("losses"), { x, y: decades(all), lines });
}

function drawErrors() {
  if (!state.seen.some(Boolean)) return;
  const ratios = state.known.levels.map(({ ratio }) => ratio);
  const lines = state.seen.map((seen, k) => ({
    ...look(k),
    name: names()[k],
    points: seen ? seen.errors.map((error, at) => [ratios[at], error]) : [],
  }));
  const x = { from: ratios.at(-1), to: ratios[0], log: true, ticks: [0.1, 1, 10], label: "σ/α" };
  chart($("errors"), { x, y: decades(lines.flatMap(({ points }) => points.map(([, error]) => error))), lines });
}

function drawNumbers() {
  const { known, losses, seen } = state;
  const { levels, perfect, floors, data } = known;
  const ratio = (k) => levels.at(k).ratio.toPrecision(2);
  const each = (f) => [...seen.map((one) => (one ? f(one) : null)), f(perfect)];
  const rows = [
    ["Loss (and the perfect network's)", ...(losses.at(-1)?.losses ?? [null, null]), null],
    [`x̂₀ is off, where σ/α = ${ratio(0)}`, ...each(({ errors }) => errors[0])],
    [`x̂₀ is off, where σ/α = ${ratio(-1)}`, ...each(({ errors }) => errors.at(-1))],
    [`Samples are off the shape (data: ${data.toFixed(3)})`, ...each(({ distance }) => distance)],
    ["One guess is off the shape", ...each(({ guessed }) => guessed)],
    ["One guess is as wide as the shape, times", ...each(({ spread }) => spread)],
  ];
  const body = $("numbers").tBodies[0];
  body.replaceChildren(
    ...rows.map(([name, ...values], row) => {
      const cells = values.map((value, k) => {
        const floor = row === 0 && k < 2 ? ` (${floors[k].toFixed(3)})` : "";
        return make("td", {}, value === null ? "–" : value.toFixed(3) + floor);
      });
      return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    }),
  );
}

function say() {
  const [first, second] = state.seen;
  const steps = `${state.step} of ${state.total} steps`;
  const off = (seen) => seen.distance.toFixed(3);
  const words = second
    ? `: samples of the one are ${off(first)} off the shape, of the other ${off(second)}, and ${off(state.known.perfect)} would be perfect.`
    : ".";
  $("said").textContent = steps + words;
}

function begun(known) {
  state.known = known;
  const snr = (k) => known.levels.at(k).ratio ** -2;
  $("heavy").textContent = Math.round(snr(-1)).toLocaleString("en");
  $("light").textContent = `1/${Math.round(1 / snr(0))}`;
  Object.assign($("level"), { disabled: false, max: known.levels.length - 1 });
  drawPlanes();
  drawNumbers();
}

function over(why) {
  state.stop?.();
  state.stop = null;
  if (why) $("said").textContent = why;
  $("stop").disabled = true;
  $("go").disabled = false;
}

function train() {
  if (!fit("steps", "seed")) return;
  const asked = { points: state.points.flat().join("_"), ...filled("against", "steps", "seed") };
  Object.assign(state, { losses: [], seen: [null, null], step: 0, against: asked.against });
  $("rival").textContent = rival();
  $("column").textContent = rival();
  $("said").textContent = "…";
  $("go").disabled = true;
  $("stop").disabled = false;
  state.stop = listen("/api/learn", asked, {
    begun,
    learned: (told) => {
      Object.assign(state, { step: told.step, total: told.total });
      state.losses.push(told);
      drawLosses();
      say();
    },
    seen: (told) => {
      state.seen[told.network] = told;
      drawPlanes();
      drawErrors();
      drawNumbers();
      say();
    },
    over,
  });
}

// What was learned was of another shape: it goes with it.
function use(points) {
  over();
  Object.assign(state, { points, known: null, seen: [] });
  for (const id of PLANES) $(id).replaceChildren();
  $("said").textContent = points.length ? `A shape of ${points.length} points.` : "Draw a shape.";
  drawPad();
}

function afresh(points) {
  state.strokes = [];
  use(points);
}

// Hundredths of the plane, where a pointer is.
function place(event) {
  const box = $("pad").getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width;
  const down = (event.clientY - box.top) / box.height;
  return [across, 1 - down].map((share) => Math.round((2 * share - 1) * edge * 100));
}

function begin(at) {
  if ($("presets").querySelector(":checked")) afresh([]);
  unpick();
  state.drawing = true;
  state.strokes.push(state.points.length);
  mark(at);
}

function end() {
  state.drawing = false;
  if (state.strokes.at(-1) === state.points.length) state.strokes.pop(); // nothing was drawn
}

function mark(at) {
  const [x, y] = state.points.at(-1) ?? [Infinity, 0];
  const outside = at.some((each) => Math.abs(each) > edge * 100);
  if (outside || Math.hypot(at[0] - x, at[1] - y) < NEAR) return;
  if (state.points.length === MOST) $("said").textContent = `${MOST} points are all that a shape has.`;
  else use([...state.points, at]);
}

function moved(by) {
  const most = edge * 100;
  state.pen = state.pen.map((each, k) => Math.min(Math.max(each + by[k], -most), most));
  const [x, y] = state.pen.map((each) => (each / 100).toFixed(1).replace("-", "−"));
  if (state.drawing) mark(state.pen);
  else $("said").textContent = `The pen is at ${x}, ${y}.`;
  drawPad();
}

for (const id of ["pad", ...PLANES]) $(id).setAttribute("viewBox", `${-edge} ${-edge} ${2 * edge} ${2 * edge}`);
for (const [name, points] of Object.entries(shapes)) {
  const radio = make("input", { type: "radio", name: "shape", value: name });
  radio.addEventListener("change", () => afresh(points));
  $("presets").append(make("label", {}, radio, ` ${name}`));
}
$("presets").querySelector("input").checked = true;
use(Object.values(shapes)[0]);
$("said").textContent = "Pick a shape or draw one, and train.";

const unpick = () => {
  for (const radio of $("presets").querySelectorAll("input")) radio.checked = false;
};
$("pad").addEventListener("pointerdown", (event) => {
  $("pad").setPointerCapture(event.pointerId);
  state.pen = null; // which is of the keyboard
  begin(place(event));
});
$("pad").addEventListener("pointermove", (event) => {
  if (!state.drawing) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) mark(place(each));
});
for (const name of ["pointerup", "pointercancel"]) $("pad").addEventListener(name, end);
$("pad").addEventListener("focus", () => {
  if (!$("pad").matches(":focus-visible")) return;
  state.pen = [0, 0];
  drawPad();
});
$("pad").addEventListener("blur", () => {
  end();
  state.pen = null;
  drawPad();
});
$("pad").addEventListener("keydown", (pressed) => {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
  state.pen ??= [0, 0];
  const way = ARROWS[pressed.key];
  if (way) moved(way.map((each) => each * STEP * (pressed.shiftKey ? 4 : 1)));
  else if (pressed.key === " ") {
    if (!state.drawing) begin(state.pen);
  } else if (pressed.key.toLowerCase() === "z") {
    if (state.strokes.length) use(state.points.slice(0, state.strokes.pop()));
  } else return;
  pressed.preventDefault();
});
$("pad").addEventListener("keyup", (left) => left.key === " " && end());
$("clear").addEventListener("click", () => {
  unpick();
  afresh([]);
});
$("go").addEventListener("click", train);
$("stop").addEventListener("click", () => over(`Stopped after ${state.step} steps.`));
$("level").addEventListener("input", drawPlanes);
for (const radio of document.querySelectorAll("[name=dots]")) radio.addEventListener("change", drawPlanes);
$("go").disabled = false;
