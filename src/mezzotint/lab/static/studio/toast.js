// A line that says what was just done, and takes it back if that is possible.

import { $, make } from "/static/lab.js";

const STAYS_MS = 12000;

let timer = 0;
let undo = null;

export function toast(words, undoing, named = "Undo") {
  clearTimeout(timer);
  undo = undoing ?? null;
  const children = [make("span", {}, words)];
  if (undo) {
    const button = make("button", { type: "button", "aria-keyshortcuts": "Z" }, named);
    button.addEventListener("click", takeBack);
    children.push(button);
  }
  host().append($("toast"));
  $("toast").replaceChildren(...children);
  wait();
}

// What is modal hides all that is not within it.
const host = () => document.querySelector("dialog[open]") ?? document.body;

// What can still be taken back stays to be seen when the dialog that showed it is gone.
export function leave(dialog) {
  if (dialog.contains($("toast"))) document.body.append($("toast"));
}

export function quiet() {
  clearTimeout(timer);
  undo = null;
  $("toast").replaceChildren();
}

export function takeBack() {
  const undoing = undo;
  if (!undoing) return;
  quiet();
  undoing();
}

// It stays as long as somebody is at it.
function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => ($("toast").matches(":hover, :focus-within") ? wait() : quiet()), STAYS_MS);
}
