// A grid of drawings: one setting, or the words of the prompt, changed along each side.

import { $, listen, make } from "/static/lab.js";
import { all, setting, values } from "./form.js";
import { address } from "./gallery.js";

export const WORDS = "words";
const SIDES = { x: "Across", y: "Down" };
const MOST = 8; // of a choice's values, unless more are asked for

const state = { stop: null, cells: new Map(), asked: null, opened: null, made: null, notes: [] };

// "1-9 (+2)" is 1, 3, 5, 7, 9; everything else is what stands between the commas.
export function list(text) {
  return text.split(",").flatMap((part) => {
    const range = part.trim().match(/^(-?[\d.]+)\s*-\s*(-?[\d.]+)(?:\s*\(\+([\d.]+)\))?$/);
    if (!range) return part.trim() === "" ? [] : [part.trim()];
    const [from, to, by] = [Number(range[1]), Number(range[2]), Number(range[3] ?? 1)];
    const count = by > 0 && to >= from ? Math.min(1000, Math.floor((to - from) / by + 1e-9) + 1) : 0;
    return Array.from({ length: count }, (_, k) => String(Number((from + k * by).toFixed(6))));
  });
}

// What stands in the field at first: values that are worth trying.
function proposed(name) {
  if (name === "") return "";
  if (name === WORDS) return values().prompt?.split(/\s+/).slice(0, 2).join(" ") ?? "";
  const { kind, choices, min, max, default: usual } = setting(name);
  if (kind === "choice") return choices.filter(Boolean).slice(0, MOST).join(", ");
  if (name === "seed") return "1, 2, 3, 4";
  const now = Number(values()[name] ?? usual ?? 1);
  const near = [now / 2, now, now * 2].map((each) => Math.min(max ?? each, Math.max(min ?? each, each)));
  return [...new Set(setting(name).step % 1 === 0 ? near.map(Math.round) : near)].join(", ");
}

function axis(side, chosen) {
  const along = all().filter(({ name, kind }) => kind !== "text" && name !== "batch");
  const options = along.map(({ name, label }) => make("option", { value: name }, label));
  const words = make("option", { value: WORDS }, "Words in the prompt");
  const none = side === "y" ? [make("option", { value: "" }, "nothing")] : [];
  const select = make("select", { id: `axis-${side}` }, ...none, words, ...options);
  const field = make("input", { id: `along-${side}`, type: "text", maxlength: "500", "aria-describedby": `how-${side}` });
  const how = make("p", { class: "hint", id: `how-${side}` });
  select.value = chosen;
  const show = () => {
    field.value = proposed(select.value);
    field.disabled = select.value === "";
    how.textContent =
      select.value === WORDS
        ? "The first is looked for in the prompt, and each of the others put in its place."
        : "Values between commas, or from-to (+step).";
    how.hidden = select.value === "";
    counted();
  };
  select.addEventListener("change", show);
  field.addEventListener("input", counted);
  const title = make("label", { for: select.id }, SIDES[side]);
  const label = make("label", { for: field.id, class: "unseen" }, `${SIDES[side]}: values`);
  return { show, box: make("div", { class: "axis" }, title, select, label, field, how) };
}

const taken = (side) => ($(`axis-${side}`).value ? list($(`along-${side}`).value) : [""]);

function counted() {
  if (!$("axis-y") || state.stop) return;
  const [across, down] = [taken("x").length, taken("y").length];
  $("cells").textContent = `${across} × ${down}: ${across * down} ${across * down === 1 ? "picture" : "pictures"}`;
  $("fill").disabled = across * down === 0;
}

async function begin() {
  if (!$("ask").reportValidity()) return;
  const [across, down] = [taken("x"), taken("y")];
  sheet(across, down);
  const asked = { ...(await state.asked()), x: $("axis-x").value, xs: JSON.stringify(across) };
  if ($("axis-y").value) Object.assign(asked, { y: $("axis-y").value, ys: JSON.stringify(down) });
  delete asked.batch;
  const total = across.length * down.length;
  let done = 0;
  running(true);
  state.stop = listen("/api/studio/grid", asked, {
    cell: ({ x, y, preview, id }) => {
      state.cells.get(`${x} ${y}`)?.show(preview, id);
      if (!id) return;
      done += 1;
      $("cells").textContent = `${done} of ${total}`;
    },
    done: (told) => {
      state.notes = told.notes;
      state.made(told);
    },
    over: (why) => over(why ?? ["Done: the whole of it is in the gallery too.", ...state.notes].join(" ")),
  });
}

// A table, so that each picture is told with what was set for it.
function sheet(across, down) {
  state.cells.clear();
  const named = (name) => (name === WORDS ? "" : `${setting(name)?.label ?? ""} `);
  const title = (side, value) => named($(`axis-${side}`).value) + value;
  const corner = make("td");
  const heads = across.map((value) => make("th", { scope: "col" }, title("x", value)));
  const rows = down.map((value, y) => {
    const told = down.length > 1 || value ? title("y", value) : "";
    const cells = across.map((_, x) => cell(x, y, `${title("x", across[x])}, ${told}`));
    return make("tr", {}, make(told ? "th" : "td", told ? { scope: "row" } : {}, told), ...cells);
  });
  const table = make("table", {}, make("thead", {}, make("tr", {}, corner, ...heads)), make("tbody", {}, ...rows));
  $("sheet").replaceChildren(table);
  $("sheet").hidden = false;
}

function cell(x, y, words) {
  const image = make("img", { alt: "" });
  const box = make("td", {}, image);
  const show = (preview, id) => {
    image.src = preview ?? address(id, "thumb");
    image.alt = words;
    if (!id) return;
    const open = make("button", { type: "button", class: "open" });
    open.addEventListener("click", () => state.opened(id));
    image.replaceWith(open);
    open.append(image);
  };
  state.cells.set(`${x} ${y}`, { show });
  return box;
}

function over(words) {
  state.stop = null;
  running(false);
  $("cells").textContent = words;
}

function running(on) {
  $("fill").disabled = on;
  $("stop-grid").disabled = !on;
}

// The grid of a sheet that was drawn, once more.
export function again({ x = "", xs = "[]", y = "", ys = "[]" }) {
  for (const [side, name, written] of [["x", x, xs], ["y", y, ys]]) {
    $(`axis-${side}`).value = name;
    $(`axis-${side}`).dispatchEvent(new Event("change"));
    $(`along-${side}`).value = JSON.parse(written).join(", ");
  }
  begin();
}

// `asked` gives what is asked for beside the sides, `opened` shows a picture, and `made` is told of
// the one of the whole grid.
export function setUp({ asked, opened, made }) {
  Object.assign(state, { asked, opened, made });
  const axes = [axis("x", "cfg"), axis("y", "seed")];
  $("axes").replaceChildren(...axes.map((each) => each.box));
  for (const { show } of axes) show();
  $("plan").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    begin();
  });
  $("stop-grid").addEventListener("click", () => {
    state.stop?.();
    over("Cancelled.");
  });
}
