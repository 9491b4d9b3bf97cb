// Lesson 2: drawings watched step by step as they come from the model, looked through afterwards,
// raced, and handed from one sampler to another. Time is counted in calls of the network.

import { $, listen, make } from "/static/lab.js";
import { draw } from "/static/emerge/plot.js";

const VIEWS = { x: "xₜ, what there is", x0: "x̂₀, what it would be", eps: "ε̂, the noise seen in it" };
const SHOW = Object.keys(VIEWS).join();
const MOST = 4; // lanes, as many as there are colours
const FRAME = 90; // ms, when it is played again

let lanes = [];
let follows = true; // what comes, as long as nobody has moved the slider back
let playing = null; // a timer

const shown = () => Number($("scrub").value) + 1;
const arrived = () => Math.max(0, ...lanes.map(({ steps }) => steps.at(-1)?.calls ?? 0));
const running = () => lanes.some((each) => each.stop);
const at = ({ steps }, calls) => steps.findLast((step) => step.calls <= calls) ?? steps[0];

function lane(title, steps = []) {
  const figures = Object.entries(VIEWS).map(([view, words]) =>
    make(
      "figure",
      {},
      make("img", { "data-view": view, alt: `${words}; ${title}` }),
      make("figcaption", {}, words),
    ),
  );
  const heading = make("h3", {}, title);
  const section = make("section", { class: "lane", "aria-label": title }, heading);
  section.append(make("div", { class: "pictures" }, ...figures));
  $("lanes").append(section);
  const made = { title, section, heading, steps, drawing: null, left: null, apart: null, stop: null };
  lanes.push(made);
  return made;
}

function show() {
  const calls = shown();
  for (const each of lanes) {
    const step = at(each, calls);
    if (!step) continue;
    for (const image of each.section.querySelectorAll("img")) {
      const picture = step.pictures[image.dataset.view];
      if (picture) image.src = picture;
    }
    each.heading.textContent = `${each.title}, step ${step.index + 1} of ${step.total}`;
  }
  $("at").textContent = `${calls} of ${Number($("scrub").max) + 1}`;
  const first = lanes[0] && at(lanes[0], calls);
  $("from").textContent = first
    ? `From step ${first.index + 1} of ${lanes[0].title} on with`
    : "From here on with";
  $("on").disabled = !first || first.index + 1 === first.total || lanes.length === MOST;
  compare(calls);
}

function compare(calls) {
  const ended = lanes.filter((each) => each.left);
  $("compared").hidden = !ended.length;
  if (!ended.length) return;
  draw($("plot"), lanes, calls, Number($("scrub").max) + 1);
  const rows = lanes.map((each, k) => {
    const step = at(each, calls);
    const name = make("th", { scope: "row", class: `c${k + 1}` }, each.title);
    const said = step
      ? [`${step.index + 1} of ${step.total}`, `${step.calls} of ${step.of}`, number(each.left?.[step.index])]
      : ["–", "–", "–"];
    return make("tr", {}, name, ...[...said, number(each.apart)].map((text) => make("td", {}, text)));
  });
  document.querySelector("#numbers tbody").replaceChildren(...rows);
}

const number = (value) => value?.toFixed(3) ?? "–";

function came(lane, step) {
  lane.steps.push(step);
  lane.drawing = step.drawing;
  const scrub = $("scrub");
  scrub.max = Math.max(scrub.max, step.of - 1);
  scrub.disabled = $("play").disabled = false;
  if (follows && !playing) scrub.value = arrived() - 1;
  show();
  $("said").textContent = lanes
    .map(({ title, steps }) => `${title}: ${steps.length} of ${steps.at(-1)?.total ?? "…"} steps`)
    .join(" · ");
}

function over(lane, words) {
  lane.stop?.();
  lane.stop = null;
  if (words) $("said").textContent = words;
  $("stop").disabled = !running();
  $("go").disabled = running();
  if (running()) return;
  if (!playing) pause();
  for (const each of lanes.slice(1)) {
    if (!each.left || !lanes[0].left || each.apart !== null) continue;
    const asked = { one: each.drawing, other: lanes[0].drawing };
    listen("/api/draw/apart", asked, {
      done: ({ apart }) => {
        each.apart = apart;
        show();
      },
    });
  }
}

function begin(lane, path, asked) {
  lane.stop = listen(path, { ...asked, show: SHOW }, {
    step: (step) => came(lane, step),
    more: ({ index, pictures }) => {
      Object.assign(lane.steps[index].pictures, pictures);
      show();
    },
    done: ({ left }) => {
      lane.left = left;
      show();
    },
    over: (why) => over(lane, why),
  });
  $("stop").disabled = false;
  $("go").disabled = true;
  play();
}

function pause() {
  clearInterval(playing);
  playing = null;
  follows = false;
  $("play").textContent = "Play";
}

// From where the slider is, or anew from the end; then along with what comes.
function play() {
  follows = true;
  $("play").textContent = "Pause";
  if (playing || shown() >= arrived()) return;
  playing = setInterval(() => {
    $("scrub").value = shown();
    show();
    if (shown() < arrived()) return;
    clearInterval(playing);
    playing = null;
    if (!running()) pause();
  }, FRAME);
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  for (const each of lanes) each.stop?.();
  pause();
  $("lanes").replaceChildren();
  Object.assign($("scrub"), { max: 0, value: 0, disabled: true });
  $("said").textContent = "Beginning…";
  lanes = [];
  const asked = Object.fromEntries(["prompt", "steps", "cfg", "seed"].map((name) => [name, $(name).value]));
  const [sampler, rival] = [$("sampler").value, $("rival").value];
  begin(lane(sampler), "/api/draw", { ...asked, sampler });
  if (rival) begin(lane(rival), "/api/draw", { ...asked, sampler: rival, budget_of: sampler });
});
$("stop").addEventListener("click", () => {
  for (const each of lanes) over(each, "Stopped.");
});
$("play").addEventListener("click", () => {
  if (follows) return pause();
  if (!running() && shown() >= arrived()) $("scrub").value = 0;
  show();
  play();
});
$("scrub").addEventListener("input", () => {
  pause();
  if (running() && shown() >= arrived()) play();
  show();
});
$("on").addEventListener("click", () => {
  const [first] = lanes;
  const after = at(first, shown()).index + 1;
  const sampler = $("other").value;
  const made = lane(`${first.title}, from ${after} on ${sampler}`, first.steps.slice(0, after));
  begin(made, "/api/draw/on", { drawing: first.drawing, after, sampler });
  show();
});
