// Lesson 2: a drawing, watched step by step as it comes from the model, and looked through afterwards.

import { $, listen } from "/static/lab.js";

const VIEWS = { x: "xₜ, what there is", x0: "x̂₀, what it would be", eps: "ε̂, the noise seen in it" };

let lanes = [];

function lane(sampler, raced) {
  const section = document.createElement("section");
  section.className = "lane";
  const title = raced ? `<h3>${sampler}</h3>` : "";
  const figures = Object.entries(VIEWS).map(
    ([view, words]) =>
      `<figure><img data-view="${view}" alt="${words}"><figcaption>${words}</figcaption></figure>`,
  );
  section.innerHTML = `${title}<div class="pictures">${figures.join("")}</div>`;
  $("lanes").append(section);
  return { sampler, section, steps: [], stop: null };
}

function show(index) {
  for (const { steps, section } of lanes) {
    const step = steps[Math.min(index, steps.length - 1)];
    if (!step) continue;
    for (const image of section.querySelectorAll("img")) image.src = step.pictures[image.dataset.view];
  }
  $("at").textContent = `${index + 1} of ${Number($("scrub").max) + 1}`;
}

// While pictures come, the slider goes along with them, unless somebody has moved it back.
function came(lane, step) {
  const scrub = $("scrub");
  const along = Number(scrub.value) >= Math.max(...lanes.map((each) => each.steps.length)) - 1;
  lane.steps.push(step);
  scrub.max = Math.max(scrub.max, step.total - 1);
  scrub.disabled = false;
  if (along) scrub.value = step.index;
  show(Number(scrub.value));
  $("said").textContent = lanes.map((each) => `${each.sampler}: ${each.steps.length} of ${each.steps.at(-1)?.total ?? "…"} steps`).join(" · ");
}

function over(lane, words) {
  lane.stop?.();
  lane.stop = null;
  if (words) $("said").textContent = words;
  const running = lanes.some((each) => each.stop);
  $("stop").disabled = !running;
  $("go").disabled = running;
}

function begin(sampler, raced) {
  const made = lane(sampler, raced);
  const asked = { prompt: $("prompt").value, show: Object.keys(VIEWS).join(), sampler };
  for (const name of ["steps", "cfg", "seed"]) asked[name] = $(name).value;
  made.stop = listen("/api/draw", asked, {
    step: (step) => came(made, step),
    over: (why) => over(made, why),
  });
  return made;
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  for (const each of lanes) over(each);
  $("lanes").replaceChildren();
  Object.assign($("scrub"), { max: 0, value: 0, disabled: true });
  $("said").textContent = "";
  lanes = [];
  const samplers = [$("sampler").value, $("rival").value].filter(Boolean);
  for (const sampler of samplers) lanes.push(begin(sampler, samplers.length > 1));
  $("stop").disabled = false;
  $("go").disabled = true;
});
$("stop").addEventListener("click", () => {
  for (const each of lanes) over(each, "Stopped.");
});
$("scrub").addEventListener("input", () => show(Number($("scrub").value)));
