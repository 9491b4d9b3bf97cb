// Pictures that steer what is drawn: maps that a ControlNet follows, and pictures as prompts.

import { $, bring, make } from "/static/lab.js";
import { address, input } from "./gallery.js";

const MOST = 8;
const BOXES = "control:boxes"; // which can be written as numbers
const KINDS = { control: "ControlNet", sight: "IP-Adapter" };
const HOW = {
  edges: "Its edges are found, unless it is a map of them: white lines on black.",
  depth: "A map of depth: the lighter, the nearer.",
  boxes: "White outlines on black, or numbers: left, top, right and bottom of each from 0 to 1, with + between.",
};
const FOLLOWED = "A map of the kind that it was trained on, of the shape of what is drawn.";
const LABELS = { scale: "How much", start: "From", end: "Until", boxes: "Boxes" };
const SHOWN = "What it shows is drawn, or its style: whatever the adapter was trained to see.";

const state = { options: [], rows: [], count: 0 };

export const withPicture = ({ id, prompt }) => added({ picture: id }, address(id, "thumb"), prompt || "a picture");

async function withFile(file) {
  try {
    const { picture } = await bring(file);
    added({ picture }, URL.createObjectURL(file), file.name);
  } catch (error) {
    say(error.message);
  }
}

// As a picture of the gallery was made. Returns a sentence for each that this model has not.
export function resume({ guides = "[]" }) {
  for (const row of [...state.rows]) remove(row);
  const misses = [];
  for (const each of JSON.parse(guides)) {
    const { by, name, picture } = each;
    if (state.options.some(([value]) => value === `${by}:${name}`)) added(each, picture && input(picture), picture ? "what steered it" : "boxes");
    else misses.push(`${KINDS[by]} ${name} is not to be had of this model, and is left out.`);
  }
  return misses;
}

function added(told, src, words) {
  say("");
  $("guides").open = true;
  if (state.rows.length >= MOST) return say(`${MOST} are the most: take one away first.`);
  const row = line(told, src, words);
  state.rows.push(row);
  $("guiding").append(row.element);
  counted();
  row.element.scrollIntoView({ block: "nearest" });
}

function remove(row) {
  state.rows = state.rows.filter((each) => each !== row);
  row.element.remove();
  counted();
}

function line({ by, name, picture = "", boxes = "", scale = 1, start = 0, end = 1 }, src, words) {
  const own = `guide-${state.count++}`;
  const seen = make("select", {}, ...state.options.map(([value, said]) => make("option", { value }, said)));
  if (by ?? !picture) seen.value = by ? `${by}:${name}` : BOXES;
  const fields = { scale: number(scale, -10, 10), start: number(start, 0, 1), end: number(end, 0, 1), boxes: text(boxes) };
  const how = make("p", { class: "hint" });
  const away = make("button", { type: "button", class: "quiet", "aria-label": `Take away: ${words}` }, "take away");
  const settings = Object.entries(fields).map(([key, field]) => setting(`${own}-${key}`, LABELS[key], field));
  const inside = [setting(`${own}-by`, "Seen by", seen), make("div", { class: "settings" }, ...settings), how, away];
  const element = make("li", { id: own }, ...(src ? [make("img", { src, alt: words })] : []), ...inside);
  const chosen = () => {
    const [kind, of] = split(seen.value);
    for (const key of ["start", "end"]) fields[key].parentElement.hidden = kind !== "control";
    fields.boxes.parentElement.hidden = seen.value !== BOXES;
    how.textContent = kind === "control" ? (HOW[of] ?? FOLLOWED) : SHOWN;
  };
  const row = { element, asked: () => asked(seen.value, fields, picture) };
  seen.addEventListener("change", chosen);
  away.addEventListener("click", () => {
    remove(row);
    $("guide-file").focus();
  });
  chosen();
  return row;
}

function asked(seen, { scale, start, end, boxes }, picture) {
  const [by, name] = split(seen);
  const told = { by, name, scale: Number(scale.value) };
  if (by === "control") Object.assign(told, { start: Number(start.value), end: Number(end.value) });
  const written = seen === BOXES && boxes.value.trim();
  return { ...told, ...(written ? { boxes: written } : picture ? { picture } : {}) };
}

const split = (value) => [value.slice(0, value.indexOf(":")), value.slice(value.indexOf(":") + 1)];

function number(value, min, max) {
  const made = make("input", { type: "number", min, max, step: "any", required: "" });
  made.value = value;
  return made;
}

function text(value) {
  const made = make("input", { type: "text", maxlength: 1000, placeholder: "0.1,0.4,0.5,0.9" });
  made.value = value;
  return made;
}

function setting(id, label, control) {
  const kind = control.tagName === "SELECT" ? "choice" : control.type;
  control.id = id;
  return make("div", { class: `setting of-${kind}` }, make("label", { for: id }, label), control);
}

function counted() {
  $("guided").textContent = state.rows.length ? `: ${state.rows.length}` : "";
}

function say(words) {
  $("guide-said").textContent = words;
  if (words) $("guides").open = true;
}

// What a drawing is asked for beside the form's settings.
export function values() {
  return state.rows.length ? { guides: JSON.stringify(state.rows.map((row) => row.asked())) } : {};
}

export const able = () => state.options.length > 0;

export function setUp({ controls, sights, why }) {
  const named = { control: controls, sight: sights };
  state.options = Object.entries(named).flatMap(([by, names]) => names.map((name) => [`${by}:${name}`, `${KINDS[by]}: ${name}`]));
  $("can-guide").hidden = !able();
  $("unguided").textContent = why ?? "";
  $("unguided").hidden = !why;
  $("boxed").hidden = !controls.includes("boxes");
  $("boxed").addEventListener("click", () => added({}, null, "boxes"));
  $("guide-file").addEventListener("change", () => {
    if ($("guide-file").files[0]) withFile($("guide-file").files[0]);
    $("guide-file").value = "";
  });
}
