// Lesson 9: four kinds of generator learn points on a plane, in turns, and are measured.

import { $, ask, filled, fit, listen, make } from "/static/lab.js";

const KINDS = ["gan", "vae", "flow", "diffusion"];
const TITLES = { gan: "GAN", vae: "VAE", flow: "flow", diffusion: "diffusion" };
const REACH = 2.3; // of the plane that is shown, on every side of its middle

let stop = null;
let told = null; // what was said at the beginning: the data, and what each kind is
let clouds = {};

function plot(id) {
  const canvas = $(id);
  const { color, borderTopColor } = getComputedStyle(canvas);
  const context = canvas.getContext("2d");
  const side = canvas.width;
  const place = (value) => ((value + REACH) / (2 * REACH)) * side;
  context.clearRect(0, 0, side, side);
  context.strokeStyle = borderTopColor;
  context.lineWidth = 2;
  for (const [x, y] of told?.means ?? []) {
    context.beginPath();
    context.arc(place(x), place(-y), (3 * told.std * side) / (2 * REACH), 0, 2 * Math.PI);
    context.stroke();
  }
  context.fillStyle = color;
  for (const [x, y] of clouds[id] ?? []) context.fillRect(place(x) - 2, place(-y) - 2, 4, 4);
}

const plotAll = () => ["true", ...KINDS].forEach(plot);

// A GAN's losses are a game's, and say nothing of how well it draws; a likelihood's are nats.
function losses(kind, found) {
  const numbers = Object.entries(found).map(([player, loss]) =>
    kind === "gan" ? `${player} ${loss.toFixed(2)}` : loss.toFixed(2),
  );
  return numbers.join(", ") + (kind === "vae" || kind === "flow" ? " nats" : "");
}

function row(title, ...cells) {
  return make("tr", {}, title, ...cells.map((text) => make("td", {}, text)));
}

function begun(begin) {
  told = begin;
  clouds = { true: begin.points };
  plotAll();
  const head = make("th", { scope: "row" }, "the data");
  const near = `${(100 * begin.near).toFixed(1)} %`;
  const rows = [row(head, `${begin.means.length} of ${begin.means.length}`, near, begin.entropy.toFixed(2), "", "", "", "", "")];
  for (const [k, kind] of KINDS.entries()) {
    const { weights, beside, calls } = begin.kinds[k];
    const name = make("th", { scope: "row", class: `c${k + 1}` }, TITLES[kind]);
    rows.push(row(name, "…", "…", "…", weights.toLocaleString("en"), beside.toLocaleString("en"), "…", calls, "…"));
  }
  $("numbers").tBodies[0].replaceChildren(...rows);
}

function at({ kind, step, steps, losses: found, points }) {
  clouds[kind] = points;
  plot(kind);
  $(`${kind}-loss`).textContent = losses(kind, found);
  $("said").textContent = `Step ${step} of ${steps}, ${TITLES[kind]}.`;
}

function measured({ kind, found, bumps, near, nats: mean, trained, seconds }) {
  const cells = $("numbers").tBodies[0].rows[KINDS.indexOf(kind) + 1].cells;
  cells[1].textContent = `${found} of ${bumps}`;
  cells[2].textContent = `${(100 * near).toFixed(1)} %`;
  cells[3].textContent = mean === null ? "none here" : (kind === "vae" ? "≤ " : "") + mean.toFixed(2);
  cells[6].textContent = `${trained.toFixed(1)} s`;
  cells[8].textContent = (1e6 * seconds).toFixed(1);
  $(kind).setAttribute("aria-label", `What the ${TITLES[kind]} draws: ${found} of ${bumps} bumps found`);
}

function over(why) {
  stop?.();
  stop = null;
  $("go").disabled = false;
  $("stop").disabled = true;
  $("said").textContent = why ?? "Done, and measured below.";
}

$("go").addEventListener("click", () => {
  if (!fit("steps", "seed")) return;
  const asked = filled("data", "game", "steps", "seed");
  $("go").disabled = true;
  $("stop").disabled = false;
  stop = listen("/api/kinds/race", asked, { begin: begun, at, measured, over });
});
$("stop").addEventListener("click", () => over("Stopped, and not measured."));
addEventListener("theme", plotAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plotAll);

const { table } = await ask("/api/kinds/measured");
if (table) {
  const head = make("tr", {}, ...table.columns.map((text) => make("th", { scope: "col" }, text)));
  const rows = table.rows.map(([first, ...rest]) => row(make("th", { scope: "row" }, first), ...rest));
  $("taxonomy").append(make("thead", {}, head), make("tbody", {}, ...rows));
  $("made").textContent = table.made;
  $("taxonomy").parentElement.hidden = false;
  $("none").hidden = true;
}
