// The pictures that were made: searched, looked through by keys, loved, deleted and brought back.

import { $, ask, make } from "/static/lab.js";
import { left, quiet, takeBack, toast, undoable } from "./toast.js";

const AT = "/api/studio/pictures";
const PAGE = 48;

const state = { pictures: [], more: false, asked: 0, compared: null, open: null, compare: null };
const going = new Set(); // ids that are being deleted

export const address = (id, what = "") => `${AT}/${encodeURIComponent(id)}${what && `/${what}`}`;
export const input = (name) => `/api/studio/inputs/${encodeURIComponent(name)}`; // of what one was made
export const picture = (id) => state.pictures.find((each) => each.id === id);

// The one that is `by` further along, if there is one.
export function neighbour(id, by) {
  const at = state.pictures.findIndex((each) => each.id === id);
  return at < 0 ? undefined : state.pictures[at + by];
}

export async function details(id) {
  const found = await ask(address(id));
  const shown = picture(id);
  if (shown) Object.assign(shown, found);
  return shown ?? found;
}

// From the newest on, or what comes after those that are there.
export async function load(further = false) {
  const asked = new URLSearchParams({ limit: PAGE });
  if ($("search").value.trim()) asked.set("search", $("search").value.trim());
  if ($("favourites").checked) asked.set("favourite", "true");
  if (further && state.pictures.length) asked.set("before", state.pictures.at(-1).id);
  const turn = ++state.asked;
  const told = await ask(`${AT}?${asked}`).catch((error) => ({ why: error.message }));
  if (turn !== state.asked) return; // a later question has been asked since
  if (told.why) return void ($("counted").textContent = told.why);
  state.more = told.more;
  state.pictures = further ? [...state.pictures, ...told.pictures] : told.pictures;
  if (further) $("gallery").append(...told.pictures.map(tile));
  else $("gallery").replaceChildren(...told.pictures.map(tile));
  counted();
}

// A picture that was just made comes first, whatever is searched for.
export function add(made, at = 0) {
  if (picture(made.id)) return;
  state.pictures.splice(at, 0, made);
  $("gallery").insertBefore(tile(made), $("gallery").children[at] ?? null);
  counted();
}

function counted() {
  const count = state.pictures.length;
  const searched = $("search").value.trim() || $("favourites").checked;
  const none = searched ? "None is like that." : "Nothing yet: what is drawn is kept here.";
  const all = `${count}${state.more ? " and more" : ""} ${count === 1 ? "picture" : "pictures"}`;
  $("counted").textContent = count ? all : none;
  $("more").hidden = !state.more;
  const tiles = [...$("gallery").querySelectorAll(".open")];
  if (tiles.length && !tiles.some((each) => each.tabIndex === 0)) tiles[0].tabIndex = 0;
}

function tile(shown) {
  const image = make("img", { src: address(shown.id, "thumb"), alt: shown.prompt || "no prompt", loading: "lazy" });
  const open = make("button", { type: "button", class: "open", tabindex: "-1" }, image);
  const star = make("button", { type: "button", class: "star loved", tabindex: "-1" });
  open.addEventListener("click", () => chosen(shown.id));
  star.addEventListener("click", () => favour(shown.id));
  const item = make("li", { class: "tile", "data-id": shown.id }, open, star);
  item.title = shown.prompt;
  marked(item, shown);
  return item;
}

function marked(item, { favourite, id, prompt }) {
  const star = item.querySelector(".star");
  star.setAttribute("aria-pressed", String(Boolean(favourite)));
  star.setAttribute("aria-label", `Favourite: ${prompt}`);
  item.querySelector(".open").setAttribute("aria-keyshortcuts", "F C Delete");
  item.classList.toggle("compared", id === state.compared);
}

const tileOf = (id) => $("gallery").querySelector(`[data-id="${CSS.escape(id)}"]`);

function chosen(id) {
  if (state.compared && state.compared !== id) compare(id);
  else state.open(id);
}

export function focus(id, options) {
  const button = tileOf(id)?.querySelector(".open");
  if (!button) return;
  for (const other of $("gallery").querySelectorAll(".open[tabindex='0']")) other.tabIndex = -1;
  button.tabIndex = 0;
  button.focus(options);
}

export async function favour(id) {
  const shown = picture(id) ?? { id };
  const on = !shown.favourite;
  const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ on }) };
  try {
    await ask(`${address(id)}/favourite`, options);
  } catch (error) {
    toast(error.message);
    return shown.favourite;
  }
  shown.favourite = on;
  if (tileOf(id)) marked(tileOf(id), shown);
  return on;
}

// Whether it was deleted by this call.
export async function remove(id) {
  if (going.has(id)) return false;
  going.add(id);
  try {
    await ask(address(id), { method: "DELETE" });
  } catch (error) {
    toast(error.message);
    return false;
  } finally {
    going.delete(id);
  }
  const at = state.pictures.findIndex((each) => each.id === id);
  const [gone] = at < 0 ? [null] : state.pictures.splice(at, 1);
  const focused = tileOf(id)?.contains(document.activeElement);
  tileOf(id)?.remove();
  if (state.compared === id) compare(null);
  counted();
  const next = state.pictures[Math.min(at, state.pictures.length - 1)];
  if (focused && next) focus(next.id);
  undoable("Deleted.", () => restore(id, gone, at));
  return true;
}

async function restore(id, gone, at) {
  try {
    await ask(`${address(id)}/restore`, { method: "POST" });
  } catch (error) {
    return toast(error.message);
  }
  add(gone ?? (await details(id)), Math.max(at, 0));
  focus(id);
  if (left()) toast(`Brought back. ${left()} more can be.`, takeBack);
}

// The first of two is put aside, the second is held against it. Nothing ends it.
export function compare(id) {
  const first = state.compared;
  state.compared = first || first === id ? null : id;
  for (const each of [first, id].filter(Boolean)) {
    if (tileOf(each)) marked(tileOf(each), picture(each));
  }
  if (state.compared) return toast("Now choose the one to compare it with.", () => compare(null), "Never mind");
  if (first) quiet();
  if (first && id && first !== id) state.compare(first, id);
}

function keyed(pressed) {
  const id = pressed.target.closest(".tile")?.dataset.id;
  if (!id || pressed.ctrlKey || pressed.altKey || pressed.metaKey) return;
  const at = state.pictures.findIndex((each) => each.id === id);
  const columns = getComputedStyle($("gallery")).gridTemplateColumns.split(" ").length;
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const does = { f: favour, Delete: remove, Backspace: remove, c: compare };
  const act = does[pressed.key] ?? does[pressed.key.toLowerCase()];
  if (pressed.key in moves) {
    const to = state.pictures[at + moves[pressed.key]];
    if (to) focus(to.id);
  } else if (act) {
    if (!pressed.repeat) act(id); // a key that is held moves on, and does nothing else
  } else return;
  pressed.preventDefault();
}

// `open` shows a picture, `compare` two of them.
export function setUp({ open, compare: both }) {
  Object.assign(state, { open, compare: both });
  let typing = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(load, 200);
  });
  $("favourites").addEventListener("change", () => load());
  $("more").addEventListener("click", () => load(true));
  $("gallery").addEventListener("keydown", keyed);
  $("gallery").addEventListener("focusin", (came) => {
    const button = came.target.closest(".open");
    if (button && button.tabIndex !== 0) focus(button.closest(".tile").dataset.id);
  });
  document.addEventListener("keydown", (pressed) => {
    const writes = pressed.target.closest("input, textarea, select");
    if (pressed.key.toLowerCase() === "z" && !writes && !pressed.altKey && !pressed.repeat) takeBack();
  });
}
