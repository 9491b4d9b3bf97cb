// A line that says what was just done, and takes it back if that is possible.

import { $, make } from "/static/lab.js";

const STAYS_MS = 12000;

let timer = 0;
let offer = null; // of the line that is seen, and gone with it
const undos = []; // of what was done, the last one last: they outlive their lines

export function toast(words, offered, named = "Undo") {
  clearTimeout(timer);
  offer = offered ?? null;
  const children = [make("span", {}, words)];
  if (offer) {
    const button = make("button", { type: "button", "aria-keyshortcuts": "Z" }, named);
    button.addEventListener("click", takeBack);
    children.push(button);
  }
  host().append($("toast"));
  $("toast").replaceChildren(...children);
  wait();
}

// Whatever is said after it, `undoing` stays to be taken back.
export function undoable(words, undoing) {
  undos.push(undoing);
  toast(words, takeBack);
}

export const left = () => undos.length;

// What is modal hides all that is not within it.
const host = () => document.querySelector("dialog[open]") ?? document.body;

// What can still be taken back stays to be seen when the dialog that showed it is gone.
export function leave(dialog) {
  if (dialog.contains($("toast"))) document.body.append($("toast"));
}

export function quiet() {
  clearTimeout(timer);
  offer = null;
  $("toast").replaceChildren();
}

export function takeBack() {
  const undoing = offer ?? undos.pop();
  if (!undoing) return;
  quiet();
  undoing();
}

// It stays as long as somebody is at it.
function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => ($("toast").matches(":hover, :focus-within") ? wait() : quiet()), STAYS_MS);
}
