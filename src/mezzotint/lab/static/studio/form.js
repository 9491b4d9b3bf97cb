// What is asked for: a control for each setting that the lab names, with its sentence beside it.

import { $, make } from "/static/lab.js";

const KEPT = "studio";
const AT_HAND = ["steps", "cfg", "seed", "width", "height", "batch"];
const OF_EDIT = ["strength", "instruct", "expand", "image_cfg", "passes", "source", "keep"];
const WORDS = ["prompt", "negative"];

let settings = [];

export const all = () => settings;
export const setting = (name) => settings.find((each) => each.name === name);
const control = (name) => $(WORDS.includes(name) ? name : `set-${name}`);

export function build({ settings: told, variants, adapters }) {
  settings = variants.length ? [...told, variant(variants)] : told;
  for (const each of settings) {
    if (WORDS.includes(each.name)) {
      $(`says-${each.name}`).textContent = each.says;
      if (each.default) control(each.name).defaultValue = each.default;
      continue;
    }
    const places = AT_HAND.includes(each.name) ? "settings" : "more-settings";
    $(OF_EDIT.includes(each.name) ? "edit-settings" : places).append(row(each));
  }
  const named = Object.entries(adapters).flatMap(([kind, names]) => names.map((name) => [kind, name]));
  if (named.length) $("more-settings").append(inserting(named));
  $("further").hidden = !$("more-settings").children.length;
  fill(JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
}

const variant = (names) => ({
  name: "variant",
  label: "Variant",
  kind: "choice",
  choices: ["", ...names],
  default: "",
  says: "Which of the model's other trainings draws.",
});

// What a prompt can name is put at its end.
function inserting(named) {
  const options = named.map(([kind, name]) => make("option", { value: kind === "lora" ? `<lora:${name}:1>` : name }, name));
  const select = make("select", { id: "insert" }, make("option", { value: "" }, "…"), ...options);
  select.addEventListener("change", () => {
    fill({ prompt: `${$("prompt").value} ${select.value}`.trim() });
    select.value = "";
  });
  return make("div", { class: "setting of-choice" }, make("label", { for: "insert" }, "Add to the prompt"), select);
}

// Another variant has defaults of its own; what was chosen by hand stays.
export function renew(told) {
  for (const { name, default: now } of told) {
    const shown = control(name);
    const was = setting(name);
    if (!shown || !was || String(was.default) === String(now)) continue;
    if (shown.value === String(was.default)) shown.value = now;
    if (shown.tagName === "SELECT") for (const each of shown.options) each.defaultSelected = each.value === String(now);
    else shown.defaultValue = now;
    was.default = now;
  }
  changed();
}

function row(told) {
  const { name, label, kind, says } = told;
  const id = `set-${name}`;
  const shown = kind === "choice" ? choice(told) : kind === "number" ? number(told) : line(told);
  for (const [key, value] of Object.entries({ id, name, "aria-describedby": `says-${name}` })) {
    shown.setAttribute(key, value);
  }
  const title = make("label", { for: id }, label);
  const box = make("div", { class: `setting of-${kind}` }, title, shown);
  if (name === "seed") box.append(dice());
  if (shown.type === "range") title.append(" ", make("output", { for: id }, shown.value));
  box.append(make("p", { class: "says", id: `says-${name}` }, says));
  return box;
}

function choice({ choices, default: usual }) {
  const options = choices.map((each) => {
    const option = make("option", { value: each }, each.replaceAll("_", " ") || "as it was loaded");
    option.defaultSelected = each === (usual ?? "");
    return option;
  });
  return make("select", {}, ...options);
}

// A seed may have more digits than a number of JavaScript's keeps, so it is text.
function number({ name, min, max, step, default: usual }) {
  if (name === "seed") return make("input", { inputmode: "numeric", pattern: "\\d{1,20}", placeholder: "random" });
  const sliding = name === "strength" || name === "keep";
  const by = sliding || step >= 1 ? step : "any"; // steps between are good as well
  const shown = make("input", { type: sliding ? "range" : "number", step: by });
  if (min != null) shown.min = min;
  if (max != null) shown.max = max;
  if (usual != null) shown.defaultValue = usual;
  else shown.placeholder = "usual";
  return shown;
}

function line({ default: usual }) {
  const shown = make("input", { type: "text", maxlength: "1000" });
  if (usual) shown.defaultValue = usual;
  return shown;
}

function dice() {
  const button = make("button", { type: "button", class: "quiet", id: "random" }, "random");
  button.addEventListener("click", () => fill({ seed: "" }));
  return button;
}

// What stands in the form, as the lab is asked; what is left open is not said.
export function values() {
  const names = [...new Set([...WORDS, ...settings.map((each) => each.name)])];
  const said = names.map((name) => [name, control(name)?.value.trim() ?? ""]);
  return Object.fromEntries(said.filter(([name, value]) => value !== "" && !OF_EDIT.includes(name)));
}

export function editing() {
  const said = OF_EDIT.filter(setting).map((name) => [name, control(name).value.trim()]);
  return Object.fromEntries(said.filter(([, value]) => value !== ""));
}

// Put settings into the form. Returns a sentence for each that does not fit there.
export function fill(wanted) {
  const misses = [];
  for (const [name, value] of Object.entries(wanted)) {
    const shown = control(name);
    if (!shown || value == null) continue;
    const before = shown.value;
    shown.value = value;
    if ((shown.value === "" && value !== "") || !shown.checkValidity()) {
      misses.push(`${setting(name)?.label ?? name} ${value} is not to be had of this model, and is left as it was.`);
      shown.value = before;
    }
  }
  changed();
  return misses;
}

// All as the model likes it; the words stay.
export function usual() {
  const said = settings.filter(({ name }) => !WORDS.includes(name) && control(name));
  fill(Object.fromEntries(said.map(({ name }) => [name, byDefault(control(name))])));
}

export const isUsual = (name) => control(name)?.value === byDefault(control(name));

function byDefault(shown) {
  if (shown.tagName !== "SELECT") return shown.defaultValue;
  return ([...shown.options].find((each) => each.defaultSelected) ?? shown.options[0]).value;
}

function changed() {
  for (const output of document.querySelectorAll(".setting output")) {
    output.value = $(output.htmlFor.value).value;
  }
  localStorage.setItem(KEPT, JSON.stringify(kept()));
}

function kept() {
  const names = [...new Set([...WORDS, ...settings.map((each) => each.name)])];
  return Object.fromEntries(names.filter(control).map((name) => [name, control(name).value]));
}

function explain(on) {
  $("ask").classList.toggle("explained", on);
  $("explain").setAttribute("aria-pressed", String(on));
}

export function setUp() {
  $("ask").addEventListener("input", changed);
  $("explain").addEventListener("click", () => explain(!$("ask").classList.contains("explained")));
  $("usual").addEventListener("click", usual);
  // What is wrong must be seen to be put right.
  $("ask").addEventListener("invalid", ({ target }) => (target.closest("details") ?? {}).open = true, true);
  $("ask").addEventListener("keydown", (pressed) => {
    if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) $("ask").requestSubmit();
  });
}
