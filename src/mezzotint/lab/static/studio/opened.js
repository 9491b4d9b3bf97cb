// One picture, large: how it was made, and what can be done with it.

import { $, make } from "/static/lab.js";
import { address, compare, details, favour, focus, neighbour, remove } from "./gallery.js";
import { leave, toast } from "./toast.js";

const state = { shown: null, does: {} };

export const linked = () => decodeURIComponent(location.hash.slice(1));

export async function open(id) {
  let shown;
  try {
    shown = await details(id);
  } catch {
    if (linked() === id) history.replaceState(null, "", location.pathname);
    return toast("There is no such picture here: it may have been deleted.");
  }
  state.shown = shown;
  if (linked() !== id) history[linked() ? "replaceState" : "pushState"](null, "", `#${encodeURIComponent(id)}`);
  const focused = $("opened").open && document.activeElement?.id;
  $("opened-inside").replaceChildren(...parts(shown));
  if (!$("opened").open) $("opened").showModal();
  (focused && $(focused) && !$(focused).disabled ? $(focused) : $("opened-close")).focus();
}

function parts(shown) {
  const { id, prompt, width, height, recipe } = shown;
  const image = make("img", { src: address(id, "file"), alt: prompt || "no prompt", width, height });
  const title = make("h2", { id: "opened-title" }, prompt || "No prompt");
  const text = make("pre", { tabindex: "0", "aria-label": "Recipe", id: "recipe" }, recipe);
  const made = shown.made ? `${width} × ${height}, ${when(shown.made)}` : `${width} × ${height}`;
  const beside = make("div", { class: "told" }, title, make("p", { class: "hint" }, made), text, actions(shown));
  return [bar(shown), make("div", { class: "large" }, make("figure", {}, image), beside)];
}

const when = (made) => new Date(typeof made === "number" ? made * 1000 : made).toLocaleString();

function button(id, words, act, attributes = {}) {
  const made = make("button", { type: "button", id: `opened-${id}`, ...attributes }, words);
  made.addEventListener("click", act);
  return made;
}

function bar({ id }) {
  const to = (by) => neighbour(id, by);
  const before = button("before", "←", () => step(-1), { "aria-label": "The one before" });
  const after = button("after", "→", () => step(1), { "aria-label": "The one after" });
  before.disabled = !to(-1);
  after.disabled = !to(1);
  return make("div", { class: "row top" }, before, after, button("close", "Close", () => $("opened").close()));
}

function step(by) {
  const next = neighbour(state.shown.id, by);
  if (next) open(next.id);
}

function actions(shown) {
  const { id } = shown;
  const away = (act) => () => {
    $("opened").close();
    act(shown);
  };
  const { again, vary, use, start, steer } = state.does;
  const one = shown.kind !== "sheet"; // and not a grid of them
  const star = button("favourite", "Favourite", love, { class: "loved", "aria-pressed": String(Boolean(shown.favourite)) });
  const file = make("a", { href: address(id, "file"), download: `${id}.png`, class: "button" }, "Download");
  return make(
    "div",
    { class: "row actions" },
    button("again", "Make again", away(again)),
    ...(one ? [button("vary", "Vary", away(vary))] : []),
    button("use", "Use its settings", away(use)),
    ...(start && one ? [button("start", "Begin an edit with it", away(start))] : []),
    ...(steer && one ? [button("steer", "Let it steer", away(steer))] : []),
    button("compare", "Compare …", away(() => compare(id))),
    file,
    button("copy", "Copy recipe", copy),
    star,
    button("delete", "Delete", erase),
  );
}

async function love() {
  const on = await favour(state.shown.id);
  state.shown.favourite = on;
  $("opened-favourite").setAttribute("aria-pressed", String(Boolean(on)));
}

async function copy() {
  try {
    await navigator.clipboard.writeText(state.shown.recipe);
    toast("Copied.");
  } catch {
    getSelection().selectAllChildren($("recipe"));
    toast("The browser does not let a page copy: the recipe is selected, press Ctrl+C.");
  }
}

async function erase() {
  const { id } = state.shown;
  const next = neighbour(id, 1) ?? neighbour(id, -1);
  if (!(await remove(id)) || state.shown.id !== id || !$("opened").open) return;
  if (next) await open(next.id);
  else $("opened").close();
}

// `does` has what the buttons do with a picture: again, vary, use and, if the model can, start
// and steer.
export function setUp(does) {
  state.does = does;
  $("opened").addEventListener("close", () => {
    if (linked()) history.replaceState(null, "", location.pathname);
    leave($("opened"));
    focus(state.shown?.id, { preventScroll: true });
  });
  $("opened").addEventListener("keydown", (pressed) => {
    if (pressed.ctrlKey || pressed.altKey || pressed.metaKey || pressed.target.closest("pre")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[pressed.key];
    const act = { f: love, Delete: erase }[pressed.key];
    if (!by && !act) return;
    pressed.preventDefault();
    if (by) step(by);
    else if (!pressed.repeat) act();
  });
  $("opened").addEventListener("click", ({ target }) => target === $("opened") && $("opened").close());
  addEventListener("popstate", fromAddress);
  fromAddress();
}

function fromAddress() {
  if (linked()) open(linked());
  else if ($("opened").open) $("opened").close();
}
