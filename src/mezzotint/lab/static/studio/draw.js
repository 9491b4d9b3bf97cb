// A drawing as it goes: its previews, then what was made of it.

import { $, listen, make } from "/static/lab.js";
import { address } from "./gallery.js";

const ACROSS = 4; // pictures beside each other, at most
const DRAW = "/api/studio/draw";

const state = { stop: null, frames: [], made: 0, seed: "", notes: [] };

// What is asked for may have to be waited for. `made` is called with each finished picture, `opened`
// with the id of one that is chosen.
export async function begin(asking, { made, opened }) {
  cancel();
  let stopped = false;
  Object.assign(state, { frames: [], made: 0, seed: "", notes: [], stop: () => (stopped = true) });
  $("plate").replaceChildren();
  running(true);
  $("said").textContent = "Drawing …";
  const asked = await Promise.resolve(asking).catch((error) => over(error.message));
  if (stopped || !asked) return;
  $("plate").hidden = false;
  frames(Number(asked.batch ?? 1));
  $("plate").scrollIntoView({ block: "nearest" });
  state.stop = listen(DRAW, asked, {
    begun,
    step: came,
    picture: (told) => finished(told, { made, opened }),
    done: ({ notes }) => (state.notes = notes ?? []),
    over: (why) => over(why ?? `Done, with seed ${state.seed}. ${state.notes.join(" ")}`),
  });
}

function begun({ seed, batch }) {
  state.seed = String(seed);
  frames(batch ?? 1);
  $("said").textContent = `Drawing with seed ${seed}.`;
}

function frames(count) {
  while (state.frames.length < count) {
    const image = make("img", { alt: "" });
    state.frames.push(image);
    $("plate").append(make("figure", {}, image));
  }
  $("plate").style.setProperty("--across", Math.min(state.frames.length, ACROSS));
}

function came({ index, total, preview, previews }) {
  (previews ?? [preview]).forEach((each, k) => {
    if (!each || !state.frames[k]) return;
    state.frames[k].src = each;
    state.frames[k].alt = `after step ${index + 1} of ${total}`;
  });
  Object.assign($("progress"), { max: total, value: index + 1 });
  $("at").textContent = `${index + 1} of ${total}`;
}

function finished(told, { made, opened }) {
  frames(state.made + 1);
  const image = state.frames[state.made++];
  image.src = address(told.id, "file");
  image.alt = told.prompt || "no prompt";
  const open = make("button", { type: "button", class: "open" });
  image.replaceWith(open);
  open.append(image);
  open.addEventListener("click", () => opened(told.id));
  made(told);
}

// Within a step, for the lab draws no further than it is listened to.
export function cancel() {
  if (!state.stop) return;
  state.stop();
  over(state.made ? `Cancelled after ${state.made}.` : "Cancelled.");
}

function over(words) {
  state.stop = null;
  running(false);
  $("said").textContent = words;
  for (const image of state.frames.slice(state.made)) {
    const figure = image.closest("figure");
    if (image.src) figure.append(make("figcaption", {}, "Not finished, and not kept."));
    else figure.remove();
  }
  $("plate").hidden = !$("plate").children.length;
}

function running(on) {
  $("go").disabled = on;
  $("stop").disabled = !on;
  $("progress").hidden = !on;
  $("progress").value = 0;
  $("at").textContent = "";
  $("plate").setAttribute("aria-busy", String(on));
}
