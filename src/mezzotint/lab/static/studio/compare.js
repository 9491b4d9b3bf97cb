// Two pictures against each other: side by side or under a wipe, and the settings that differ.

import { $, make } from "/static/lab.js";
import { address, details } from "./gallery.js";
import { leave, toast } from "./toast.js";

export async function both(first, second) {
  let pictures;
  try {
    pictures = await Promise.all([first, second].map(details));
  } catch (error) {
    return toast(error.message);
  }
  $("comparing").replaceChildren(bar(), stage(pictures), slider(), table(pictures));
  wipe(false);
  $("comparing").showModal();
}

function bar() {
  const title = make("h2", { id: "comparing-title" }, "Two pictures");
  const wiped = make("button", { type: "button", id: "wipe", "aria-pressed": "false" }, "Wipe");
  const close = make("button", { type: "button", id: "comparing-close" }, "Close");
  wiped.addEventListener("click", () => wipe(!$("against").classList.contains("wiped")));
  close.addEventListener("click", () => $("comparing").close());
  return make("div", { class: "row top" }, title, wiped, close);
}

function stage(pictures) {
  const figures = pictures.map(({ id, prompt, width, height }, k) => {
    const name = "AB"[k];
    const image = make("img", { src: address(id, "file"), alt: `${name}: ${prompt}`, width, height });
    return make("figure", {}, image, make("figcaption", {}, make("b", {}, name), ` ${prompt}`));
  });
  return make("div", { id: "against", class: "against" }, ...figures);
}

function slider() {
  const range = make("input", { type: "range", id: "edge", min: "0", max: "100", value: "50" });
  range.addEventListener("input", edge);
  const label = make("label", { for: "edge" }, "A is left of here, B right");
  return make("div", { id: "edges" }, label, range);
}

function edge() {
  $("against").style.setProperty("--edge", `${$("edge").value}%`);
}

function wipe(on) {
  $("against").classList.toggle("wiped", on);
  $("wipe").setAttribute("aria-pressed", String(on));
  $("edges").hidden = !on;
  edge();
}

// Every setting of either, those that differ first.
export function rows(one, other) {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  const said = (value) => (value == null || value === "" ? "–" : String(value));
  const found = names.map((name) => ({ name, values: [said(one[name]), said(other[name])] }));
  const all = found.map((each) => ({ ...each, differs: each.values[0] !== each.values[1] }));
  return all.sort((a, b) => Number(b.differs) - Number(a.differs));
}

function table([one, other]) {
  const all = rows(one.settings, other.settings);
  const body = make("tbody");
  for (const { name, values, differs } of all) {
    const title = make("th", { scope: "row" }, (differs ? "≠ " : "") + name.replaceAll("_", " "));
    const row = make("tr", {}, title, ...values.map((value) => make("td", {}, value)));
    row.className = differs ? "differs" : "";
    body.append(row);
  }
  const count = all.filter((each) => each.differs).length;
  const words = count === 1 ? "One setting differs" : `${count || "No"} settings differ`;
  const head = ["Setting", "A", "B"].map((name) => make("th", { scope: "col" }, name));
  const caption = make("caption", {}, words);
  return make("table", { id: "settings-of-both" }, caption, make("thead", {}, make("tr", {}, ...head)), body);
}

export function setUp() {
  $("comparing").addEventListener("close", () => leave($("comparing")));
  $("comparing").addEventListener("click", ({ target }) => target === $("comparing") && $("comparing").close());
}
