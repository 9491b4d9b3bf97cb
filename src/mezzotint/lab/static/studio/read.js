// A picture that is dropped, pasted or chosen: how it was made, put into the form.

import { $, ask, make } from "/static/lab.js";
import { fill } from "./form.js";

const state = { start: null };

export async function read(file) {
  let told;
  try {
    told = await ask("/api/studio/read", { method: "POST", body: file });
  } catch (error) {
    return say(error.message, [], file);
  }
  const misses = [...told.notes, ...fill(told.settings)];
  const from = `Read what ${told.tool || file.name} wrote`;
  say(`${from}${misses.length ? ", except:" : ": all of it is understood."}`, misses, file);
  $("prompt").focus();
}

function say(words, misses, file) {
  const close = make("button", { type: "button", class: "quiet" }, "Put away");
  close.addEventListener("click", () => $("notes").replaceChildren());
  const list = make("ul", {}, ...misses.map((each) => make("li", {}, each)));
  const row = make("p", { class: "row" }, ...(state.start ? [begin(file)] : []), close);
  $("notes").replaceChildren(make("p", {}, words), ...(misses.length ? [list] : []), row);
}

function begin(file) {
  const button = make("button", { type: "button", class: "quiet", id: "begin-with" }, "Begin an edit with it");
  button.addEventListener("click", () => state.start(file));
  return button;
}

const carries = (dragged) => dragged.dataTransfer?.types.includes("Files");

// `start` begins an edit with a file, if the model can.
export function setUp({ start }) {
  state.start = start;
  $("read").addEventListener("change", () => {
    if ($("read").files[0]) read($("read").files[0]);
    $("read").value = "";
  });
  document.addEventListener("dragover", (dragged) => {
    if (!carries(dragged)) return;
    dragged.preventDefault();
    $("drop").textContent = start && dragged.target.closest("#edit") ? "Drop it to begin with it" : "Drop it to read its settings";
    $("drop").hidden = false;
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || ($("drop").hidden = true));
  document.addEventListener("drop", (dropped) => {
    $("drop").hidden = true;
    if (!carries(dropped)) return;
    dropped.preventDefault();
    const [file] = dropped.dataTransfer.files;
    (start && dropped.target.closest("#edit") ? start : read)(file);
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    const file = [...clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (file) read(file);
  });
}
