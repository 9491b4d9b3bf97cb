// Lesson 11: what a picture costs on this machine, measured while the page is open.

import { $, listen, make } from "/static/lab.js";

const WIDE = 1000;

let taken = []; // seconds of each step, and whether it was a picture's first
let figures = null;
const stops = {};

const seconds = (s) => (s >= 10 ? `${s.toFixed(1)} s` : s >= 0.1 ? `${s.toFixed(2)} s` : `${(1000 * s).toFixed(1)} ms`);
const round = (n) => (n >= 100 ? Math.round(n).toLocaleString("en") : n.toPrecision(3));

function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

// A mark for each step along the seconds it took; the first steps, which read the prompt, are hollow.
function ticks() {
  const most = Math.max(...taken.map(({ took }) => took)) * 1.1;
  const marks = taken.map(({ took, first }, k) =>
    svg("circle", { cx: (WIDE * took) / most, cy: 30 + ((k * 37) % 80), r: first ? 7 : 5, class: first ? "tick first" : "tick" }),
  );
  marks.push(svg("text", { x: 8, y: 142 }, "0"), svg("text", { x: WIDE - 8, y: 142, "text-anchor": "end" }, seconds(most)));
  $("ticks").replaceChildren(...marks);
  $("ticks").setAttribute("aria-label", `Seconds of each of ${taken.length} steps, up to ${seconds(most)}`);
}

function tell() {
  const { step, first, decode, picture, an_hour, joules } = figures;
  if (step) {
    $("step").textContent = seconds(step.median);
    $("spread").textContent = `median of ${step.count}; eight in ten from ${seconds(step.low)} to ${seconds(step.high)}`;
  }
  if (!picture) return;
  $("picture").textContent = seconds(picture);
  $("parts").textContent = `first step ${seconds(first)}, decoding ${seconds(decode)}`;
  $("hour").textContent = round(an_hour);
  if (joules !== null) $("energy").textContent = `${round(joules)} J`;
  price();
}

function price() {
  const hourly = Number($("price").value);
  if (!figures?.picture || !(hourly >= 0)) return;
  $("cost").textContent = round((1000 * hourly * figures.picture) / 3600);
}

function told(machine) {
  $("machine").textContent = `${machine.model} at ${machine.size} × ${machine.size}, ${machine.dtype}, on ${machine.processor}, ${machine.threads} threads, torch ${machine.torch}.`;
  $("steps").textContent = `${machine.steps} steps of ${machine.sampler}`;
  if (machine.meter) $("meter").textContent = "of the processors, whoever used them";
  else {
    $("energy").textContent = "–";
    $("meter").textContent = "this machine has no meter that may be read";
  }
}

function measure() {
  taken = [];
  $("measure").disabled = true;
  $("said").textContent = "Measuring…";
  stops.measure?.();
  stops.measure = listen("/api/production/measure", {}, {
    machine: told,
    step: (step) => {
      taken.push({ took: step.last, first: step.index === 0 });
      figures = step;
      ticks();
      tell();
    },
    done: (all) => {
      figures = all;
      tell();
    },
    over: (why) => {
      $("said").textContent = why ?? `Measured on ${taken.length} steps. What else this machine was doing is in it.`;
      $("measure").disabled = false;
    },
  });
}

const NAMES = { steps: "steps", size: "side", batch: "at once" };
const EACH = {
  steps: ["a step", ({ x, seconds }) => seconds / x],
  size: ["a megapixel", ({ x, seconds }) => (1e6 * seconds) / x ** 2],
  batch: ["a picture", ({ x, seconds }) => seconds / x],
};

function plot(points, against) {
  const high = 330;
  const most = Math.max(...points.map((point) => point.seconds)) * 1.1;
  const far = Math.max(...points.map((point) => point.x)) * 1.05;
  const place = ({ x, seconds }) => [(WIDE * x) / far, high * (1 - seconds / most)];
  const parts = [svg("path", { class: "axis", fill: "none", d: `M0 0V${high}H${WIDE}` })];
  parts.push(svg("polyline", { class: "curve c1", points: points.map((point) => place(point).join()).join(" ") }));
  for (const point of points) {
    const [cx, cy] = place(point);
    parts.push(svg("circle", { cx, cy, r: 8, class: "dot" }), svg("text", { x: cx, y: high + 34, "text-anchor": "middle" }, String(point.x)));
  }
  parts.push(svg("text", { x: 8, y: 24 }, seconds(most)));
  $("grown").hidden = false;
  $("curve").replaceChildren(...parts);
  $("what").textContent = NAMES[against];
  $("each").textContent = EACH[against][0];
  const rows = points.map((point) => {
    const cells = [seconds(point.seconds), seconds(EACH[against][1](point))].map((text) => make("td", {}, text));
    return make("tr", {}, make("th", { scope: "row" }, point.x), ...cells);
  });
  $("points").tBodies[0].replaceChildren(...rows);
}

$("draw").addEventListener("click", () => {
  const against = $("against").value;
  const points = [];
  $("draw").disabled = true;
  $("curve-said").textContent = "Measuring…";
  let left = 0;
  stops.curve = listen("/api/production/curve", { against }, {
    turn: () => {},
    point: (point) => {
      points.push(point);
      plot(points, against);
    },
    done: (told) => {
      left = told.left;
    },
    over: (why) => {
      const short = against === "steps" ? "" : ` Each picture was drawn in ${points[0]?.short} steps.`;
      const rest = left ? ` ${left} larger ones were left out: they would take long here.` : "";
      $("curve-said").textContent = why ?? `Measured once each, decoding included.${short}${rest}`;
      $("draw").disabled = false;
    },
  });
});

function read({ file, text, recipe, tool, misses, bare }) {
  $("carried").hidden = false;
  $("shown").src = $("save").href = `data:image/png;base64,${file}`;
  $("shown").alt = recipe.prompt;
  $("text").textContent = text;
  $("bare").textContent = bare;
  const lines = Object.entries({ ...recipe, "made with": tool }).filter(([, value]) => value && value !== "None" && value !== "()");
  const rows = lines.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name.replace("_", " ")), make("td", {}, value)));
  $("recipe").tBodies[0].replaceChildren(...rows);
  $("again").textContent = misses.length ? `It cannot be made again: ${misses.join("; ")}` : "Read back from the file. Drawing it again from that alone…";
}

function over(why) {
  stops.make?.();
  stops.make = null;
  if (why) $("again").textContent = why;
  $("go").disabled = false;
  $("stop").disabled = true;
}

$("make").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  $("go").disabled = true;
  $("stop").disabled = false;
  $("carried").hidden = true;
  $("again").textContent = "Beginning…";
  stops.make = listen("/api/production/provenance", { prompt: $("prompt").value, seed: $("seed").value || 0 }, {
    step: ({ index, total }) => {
      if ($("carried").hidden) $("again").textContent = `Step ${index + 1} of ${total}.`;
    },
    read,
    done: ({ same, numbers }) => {
      const all = same === numbers;
      $("again").textContent = all
        ? `Drawn again from what the file says: all ${numbers.toLocaleString("en")} numbers of the picture are the same.`
        : `Drawn again from what the file says: ${(numbers - same).toLocaleString("en")} of ${numbers.toLocaleString("en")} numbers differ.`;
    },
    over,
  });
});
$("stop").addEventListener("click", () => over("Stopped."));
$("measure").addEventListener("click", measure);
$("price").addEventListener("input", price);
measure();
