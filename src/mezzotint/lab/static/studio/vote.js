// Which of two pictures of one prompt is better; asked again and again, by keys.

import { $, ask, make } from "/static/lab.js";
import { address } from "./gallery.js";

const SIDES = ["left", "right"];

const state = { pair: null, count: 0, busy: false };

export async function next() {
  try {
    state.pair = await ask("/api/studio/pair");
  } catch (error) {
    return none(error.message);
  }
  if (state.pair.why) return none(`Nothing to compare: ${state.pair.why}.`);
  $("about").textContent = state.pair.prompt;
  $("pair").replaceChildren(...SIDES.map(side));
  $("skip").disabled = false;
}

function none(why) {
  state.pair = null;
  $("pair").replaceChildren();
  $("about").textContent = "";
  $("skip").disabled = true;
  $("voted").textContent = why;
}

function side(name) {
  const image = make("img", { src: address(state.pair[name].id, "file"), alt: `The ${name} one` });
  const button = make("button", { type: "button", id: `vote-${name}`, "aria-label": `The ${name} one is better` }, image);
  button.addEventListener("click", () => vote(name));
  return button;
}

async function vote(better) {
  if (!state.pair || state.busy) return;
  state.busy = true;
  const [one, other] = better === "left" ? SIDES : [...SIDES].reverse();
  const body = JSON.stringify({ better: state.pair[one].id, worse: state.pair[other].id });
  try {
    await ask("/api/studio/preferences", { method: "POST", headers: { "content-type": "application/json" }, body });
    state.count += 1;
    $("voted").textContent = `The ${better} one. ${state.count} said so far.`;
    await next();
  } catch (error) {
    $("voted").textContent = error.message;
  } finally {
    state.busy = false;
  }
}

function keyed(pressed) {
  if ($("view-vote").hidden || document.querySelector("dialog[open]")) return;
  if (pressed.target.closest("input, textarea, select, [role='tab']")) return;
  const acts = { ArrowLeft: () => vote("left"), ArrowRight: () => vote("right"), ArrowDown: next };
  if (!acts[pressed.key] || pressed.ctrlKey || pressed.altKey) return;
  pressed.preventDefault();
  acts[pressed.key]();
}

export function setUp() {
  $("skip").addEventListener("click", next);
  document.addEventListener("keydown", keyed);
}
