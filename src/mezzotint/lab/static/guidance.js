// Lesson 6: a drawing with what guidance has before it at each step, and a strip over its scales.

import { $, listen, make } from "/static/lab.js";
import { draw } from "/static/guidance/plane.js";

const MOST = 20;
const SIGNS = { uncond: "○", cond: "●", guided: "■" };

let steps = [];
let stop = null;
let halt = null;
let regimes = [];
let away = ""; // the negative prompt of what is shown

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const regimeOf = (scale) => regimes.findLast(({ begins }) => begins <= scale);
const names = () => ({
  uncond: away ? "the negative prompt" : "without the prompt",
  cond: "with the prompt",
  guided: "guided",
});

function figures() {
  const words = { ...names(), difference: "where they differ" };
  $("pictures").replaceChildren(
    ...Object.entries(words).map(([view, name]) =>
      make(
        "figure",
        {},
        make("img", { "data-view": view, alt: `${name}, at this step` }),
        make("figcaption", { id: `of-${view}` }, `${SIGNS[view] ?? ""} ${name}`),
      ),
    ),
  );
}

function show() {
  const step = steps[Number($("scrub").value)];
  if (!step) return;
  $("at").textContent = `${step.index + 1} of ${step.total}`;
  for (const image of $("pictures").querySelectorAll("img")) {
    const picture = step.pictures[image.dataset.view];
    if (picture) image.src = picture;
  }
  $("of-difference").textContent = `where they differ, by ${step.difference.toFixed(2)}`;
  draw($("plane"), step.plane, Number($("cfg").value), {
    uncond: away ? "negative" : "without",
    cond: "with",
  });
  const rows = Object.entries(names()).map(([view, name]) => [
    `${SIGNS[view]} ${name}`,
    step.strength[view].toFixed(2),
  ]);
  rows.push(["the difference of the first two", step.difference.toFixed(2)]);
  rows.push(["guided: colours at their end", percent(step.clipped)]);
  document.querySelector("#numbers tbody").replaceChildren(
    ...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))),
  );
}

function came(step) {
  const scrub = $("scrub");
  const along = Number(scrub.value) >= steps.length - 1;
  steps.push(step);
  Object.assign(scrub, { max: step.total - 1, disabled: false });
  if (along) scrub.value = step.index;
  $("said").textContent = `Step ${step.index + 1} of ${step.total}, at scale ${Number($("cfg").value)}.`;
  show();
}

function over(why) {
  stop?.();
  stop = null;
  $("stop").disabled = true;
  if (why) $("said").textContent = why;
}

function asked() {
  const told = ["prompt", "negative", "steps", "seed", "rule"].map((name) => [name, $(name).value]);
  return Object.fromEntries(told);
}

function begin() {
  stop?.();
  steps = [];
  away = $("negative").value.trim();
  figures();
  Object.assign($("scrub"), { max: 0, value: 0, disabled: true });
  $("said").textContent = "Beginning…";
  $("stop").disabled = false;
  stop = listen("/api/guidance", { ...asked(), cfg: $("cfg").value }, {
    step: came,
    more: ({ index, pictures }) => {
      Object.assign(steps[index].pictures, pictures);
      show();
    },
    done: () => {
      $("said").textContent = `Drawn at scale ${Number($("cfg").value)}.`;
    },
    over,
  });
}

function slid() {
  const scale = Number($("cfg").value);
  const regime = regimeOf(scale);
  $("scale").textContent = scale;
  $("regime").textContent = regime?.name ?? "";
  $("words").textContent = regime?.words ?? "";
  regimes.forEach((each, k) => {
    $("band").children[k].setAttribute("class", each === regime ? "here" : "");
    $("regimes").children[k].setAttribute("aria-pressed", each === regime);
  });
  show();
}

// The slider's band and the buttons under it: a regime where it begins, and up to the next.
function lay(usual) {
  const NS = "http://www.w3.org/2000/svg";
  regimes.forEach(({ begins, name }, k) => {
    const next = regimes[k + 1]?.begins ?? MOST;
    const rect = document.createElementNS(NS, "rect");
    const place = { x: (1000 * begins) / MOST + 1, width: Math.max(2, (1000 * (next - begins)) / MOST - 2) };
    for (const [key, value] of Object.entries({ ...place, y: 0, height: 14 })) rect.setAttribute(key, value);
    $("band").append(rect);
    const alone = begins === 0 || begins === 1;
    const button = make("button", { type: "button" }, alone ? `${begins} ${name}` : `from ${begins} ${name}`);
    button.addEventListener("click", () => {
      $("cfg").value = begins <= usual && usual < next ? usual : alone ? begins : Math.min(MOST, (begins + next) / 2);
      slid();
      changed();
    });
    $("regimes").append(button);
  });
}

function changed() {
  if (steps.length || stop) begin();
}

function strip() {
  halt?.();
  $("scales").replaceChildren();
  $("told").textContent = "";
  $("halt").disabled = false;
  $("strip").disabled = true;
  halt = listen("/api/guidance/strip", asked(), {
    tick: ({ scale, index, total }) => {
      $("told").textContent = `Scale ${scale}: step ${index + 1} of ${total}`;
    },
    drawn: ({ scale, picture, strength, clipped }) => {
      const { name } = regimeOf(scale);
      const said = [`strength ${strength.toFixed(2)}`, `${percent(clipped)} at their end`];
      const small = said.map((each) => make("small", {}, each));
      const caption = make("figcaption", {}, make("b", {}, `${scale}`), ` ${name}`, ...small);
      const image = make("img", { src: picture, alt: `drawn at scale ${scale}` });
      $("scales").append(make("li", {}, make("figure", {}, image, caption)));
    },
    done: () => {
      $("told").textContent = "Drawn.";
    },
    over: ended,
  });
}

function ended(why) {
  halt?.();
  halt = null;
  $("halt").disabled = true;
  $("strip").disabled = false;
  if (why) $("told").textContent = why;
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  begin();
});
$("stop").addEventListener("click", () => over("Stopped."));
$("strip").addEventListener("click", strip);
$("halt").addEventListener("click", () => ended("Stopped."));
$("scrub").addEventListener("input", show);
$("cfg").addEventListener("input", slid);
$("cfg").addEventListener("change", changed);
$("rule").addEventListener("change", changed);

figures();
slid();
listen("/api/guidance/about", {}, {
  done: (told) => {
    regimes = told.regimes;
    for (const [id, usual] of [["cfg", Math.min(told.usual, MOST)], ["steps", told.steps]]) {
      if ($(id).value === $(id).defaultValue) $(id).value = usual; // and else somebody has chosen
    }
    $("distilled").hidden = !told.distilled;
    lay(told.usual);
    slid();
  },
  over: (why) => {
    if (why) $("said").textContent = why;
  },
});
