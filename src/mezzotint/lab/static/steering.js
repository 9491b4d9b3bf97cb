// Lesson 8: one picture, steered in every way that the model at hand knows; the others say what they lack.

import { $, ask, bring, make } from "/static/lab.js";
import { brush } from "/static/brush.js";
import { SUBJECTS } from "/static/picker.js";
import { staircase, strengthWords, thin } from "/static/steering/diagrams.js";
import { fields, live } from "/static/steering/live.js";

const STRIP = ["0.2", "0.4", "0.6", "0.8", "1"];
const EDIT = "/api/steering/edit";
const DRAW = "/api/steering/draw";

// Beside the lab's own subjects, pictures whose style is not the model's own.
const PICTURES = [
  ...SUBJECTS.map((name) => [name, `/static/subjects/${name}.webp`]),
  ...["neon", "watercolour"].map((style) => [`sailboat in ${style}`, `/static/steering/${style}.webp`]),
];
// What an IP-Adapter of ours is asked for at first, by what of a picture it shows.
const ASKED = { content: "in a city at night", style: "a castle on a hill" };

const state = { able: null, picture: null, turn: 0 };
const seed = () => $("seed").value || "0";
const field = (section, name) => section.querySelector(`form [name="${name}"]`);

function pictured() {
  if (!state.picture) throw new Error("There is no picture yet: choose one above.");
  return state.picture;
}

// The middle square of a picture, as large as the model likes best, for all that is steered here.
async function use(image) {
  if (!state.able) throw new Error("The lab is still asking what this model can do.");
  const mine = ++state.turn;
  const side = state.able.size;
  const [width, height] = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
  const square = Math.min(width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  canvas.getContext("2d").drawImage(image, (width - square) / 2, (height - square) / 2, square, square, 0, 0, side, side);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const { picture } = await bring(blob);
  if (mine !== state.turn) return;
  state.picture = picture;
  painter.show(canvas);
  for (const image of document.querySelectorAll(".before")) image.src = canvas.toDataURL("image/png");
  map();
}

async function open(file) {
  try {
    await use(await createImageBitmap(file));
    for (const radio of document.querySelectorAll(".subjects input")) radio.checked = false;
    $("able").textContent = "Your picture is used.";
  } catch (error) {
    $("able").textContent = error instanceof DOMException ? "This is no picture that the browser can read." : error.message;
  }
}

function subjects() {
  const place = document.querySelector(".subjects");
  for (const [k, [name, src]] of PICTURES.entries()) {
    const radio = make("input", { type: "radio", name: "subject", value: name });
    const image = make("img", { src, alt: name });
    radio.checked = k === 0;
    radio.addEventListener("change", () => use(image).catch(fails));
    place.append(make("label", {}, radio, image));
  }
  const first = place.querySelector("img");
  return first.decode().then(() => use(first));
}

const fails = (error) => {
  $("able").textContent = error.message;
};

const edits = (asked, captions) => [{ path: EDIT, asked: { picture: pictured(), seed: seed(), ...asked }, captions }];

// The same prompt and noise twice, without what steers and with it.
const both = (prompt, asked, caption) => [
  { path: DRAW, asked: { prompt, seed: seed() }, captions: ["without"] },
  { path: DRAW, asked: { prompt, seed: seed(), ...asked }, captions: [caption] },
];

// Results can be gone on from.
function onward(image, _, made) {
  const go = make("button", { type: "button", "aria-label": `Go on from what was drawn: ${image.alt}` }, "Go on");
  go.addEventListener("click", () => {
    for (const radio of document.querySelectorAll(".subjects input")) radio.checked = false;
    use(image).then(() => {
      $("able").textContent = "What was drawn is now the picture that is steered.";
      $("picture").scrollIntoView();
    }, fails);
  });
  made.append(go);
}

const mask = $("mask");
const painter = brush(mask.querySelector(".brushed"), { label: "Where the picture is painted anew" });
const control = $("control");
const ground = brush(control.querySelector(".brushed"), { label: "What stands on the ground", changed: () => map() });

live($("picture"), (form) => [{ path: DRAW, asked: { ...fields(form), seed: seed() }, captions: ["drawn"] }], (image, _, made) => {
  for (const radio of document.querySelectorAll(".subjects input")) radio.checked = false;
  made.remove();
  image.decode().then(() => use(image)).catch(fails);
});

const strength = live(
  $("strength"),
  (form, button) => {
    const { prompt, strength: one } = fields(form);
    const each = button?.name === "strip" ? STRIP : [one];
    const asked = Object.entries({ picture: pictured(), seed: seed(), prompt });
    const captions = each.map((value) => `strength ${value}`);
    return [{ path: EDIT, asked: [...asked, ...each.map((value) => ["strength", value])], captions }];
  },
  onward,
);

live(
  mask,
  async (form) => {
    if (!painter.share()) throw new Error("Nothing is painted yet: paint over what shall be new.");
    const { picture } = await bring(await painter.blob());
    return edits({ ...fields(form), mask: picture }, ["painted anew"]);
  },
  onward,
);

live($("expand"), (form) => {
  const { left, top, right, bottom, ...rest } = fields(form);
  const grown = [left, top, right, bottom].map((share) => ["expand", share ?? "0"]);
  const asked = Object.entries({ picture: pictured(), seed: seed(), ...rest });
  return [{ path: EDIT, asked: [...asked, ...grown], captions: ["more of it"] }];
});

live($("source"), (form) => edits(fields(form), ["said differently"]), onward);
live($("instruct"), (form) => edits({ ...fields(form), instruct: "true" }, ["as was said"]), onward);

// What the map is made of; depth is painted, and so brought first.
async function mapped() {
  const { kind, boxes = "", low, high } = fields(control.querySelector("form"));
  if (kind === "boxes") return { kind, boxes };
  if (kind === "edges") return { kind, picture: pictured(), low, high };
  if (kind === "picture") return { kind, picture: pictured() };
  const { picture } = await bring(await ground.blob());
  return { kind, painted: picture };
}

let maps = 0;
async function map() {
  if (!state.able?.controls.length || !state.picture) return;
  const { kind } = fields(control.querySelector("form"));
  for (const part of control.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
  const mine = ++maps;
  const said = control.querySelector(".said");
  try {
    const { picture } = await ask(`/api/steering/map?${new URLSearchParams(await mapped())}`);
    if (mine !== maps) return;
    control.querySelector(".map img").src = picture;
    said.textContent = "";
  } catch (error) {
    if (mine === maps) said.textContent = error.message;
  }
}

// A model's own ControlNet reads the map that it is called by.
function named() {
  const name = field(control, "name").value;
  const own = state.able.own.includes(name);
  if (own) field(control, "kind").value = name;
  field(control, "kind").closest("label").hidden = own;
  map();
}

function boxed() {
  const image = control.querySelector(".map img");
  let from = null;
  const share = (event) => {
    const box = image.getBoundingClientRect();
    const within = (x) => Math.min(Math.max(x, 0), 1);
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  };
  image.draggable = false;
  image.addEventListener("pointerdown", (event) => {
    if (field(control, "kind").value !== "boxes") return;
    image.setPointerCapture(event.pointerId);
    from = share(event);
  });
  image.addEventListener("pointerup", (event) => {
    const to = share(event);
    if (!from || Math.abs(to[0] - from[0]) < 0.02 || Math.abs(to[1] - from[1]) < 0.02) return;
    const box = [0, 1].map((k) => Math.min(from[k], to[k])).concat([0, 1].map((k) => Math.max(from[k], to[k])));
    const text = box.map((x) => x.toFixed(2)).join();
    const boxes = field(control, "boxes");
    boxes.value = boxes.value ? `${boxes.value}+${text}` : text;
    from = null;
    map();
  });
}

live(control, async (form) => {
  const { prompt, name, scale, end } = fields(form);
  return both(prompt, { by: "control", name, scale, end, ...(await mapped()) }, `with ${name}`);
});
live($("sight"), (form) => {
  const { prompt, ...asked } = fields(form);
  return both(prompt, { by: "sight", picture: pictured(), ...asked }, "with the picture");
});
live($("lora"), (form) => {
  const { prompt, name, scale } = fields(form);
  return both(prompt, { prompt: `${prompt} <lora:${name}:${scale}>` }, `with ${name}`);
});
live($("word"), (form) => {
  const { prompt, name } = fields(form);
  return [{ path: DRAW, asked: { prompt: prompt.replaceAll("{}", name), seed: seed() }, captions: [name] }];
});

// What was typed stays.
function lookedFor() {
  const asked = field($("sight"), "prompt");
  const own = ASKED[field($("sight"), "name").value];
  if (own && Object.values(ASKED).includes(asked.value)) asked.value = own;
}

function strengthMoved() {
  if (!state.able) return;
  const { levels, strengths } = state.able;
  const value = Number(field($("strength"), "strength").value);
  const told = strengths[Math.round(value * (strengths.length - 1))];
  $("strength-of").textContent = value;
  $("taken").textContent = strengthWords(told, levels.length - 1);
  staircase($("steps"), levels, told.taken);
}

function rankMoved() {
  if (!state.able) return;
  const { low_rank: counts, weights } = state.able;
  const rank = Object.keys(counts)[Number($("rank").value)];
  $("rank-of").textContent = rank;
  const share = ((100 * counts[rank]) / weights).toPrecision(2);
  $("low-rank").textContent = `${counts[rank].toLocaleString("en")} numbers beside all linear layers, ${share}% of this model's ${weights.toLocaleString("en")}.`;
  thin($("matrices"), Number(rank));
}

// A section has its live part, or else the line that says what is missing.
function offer(id, can, why) {
  const section = $(id);
  section.querySelector("form").hidden = !can;
  const line = section.querySelector(".lacks");
  if (!line) return;
  line.hidden = can;
  if (why) line.textContent = why;
  const code = line.querySelector("code");
  if (code && !can && state.able.model !== "storybook" && !code.textContent.includes("--model")) code.textContent += ` --model ${state.able.model}`;
}

function choices(id, names) {
  field($(id), "name").replaceChildren(...names.map((name) => make("option", {}, name)));
}

async function begin() {
  state.able = await ask("/api/steering");
  const { model, size, beside, ...able } = state.able;
  const special = beside && `This is a checkpoint for ${beside}, and does nothing else.`;
  offer("picture", !beside);
  for (const id of ["strength", "source", "expand"]) offer(id, !beside, special);
  offer("mask", !beside || beside === "inpainting" || beside === "filling in", special);
  offer("instruct", able.obeys);
  for (const [id, names] of [["control", able.controls], ["sight", able.sights], ["lora", able.loras], ["word", able.words]]) {
    choices(id, names);
    offer(id, names.length > 0 && !beside);
  }
  const blank = new OffscreenCanvas(size, size);
  blank.getContext("2d").fillRect(0, 0, size, size);
  ground.show(blank);
  if (able.controls.length) named();
  lookedFor();
  strengthMoved();
  rankMoved();
  await subjects();
  $("able").textContent = `${model}, at ${size} pixels.`;
}

// Where there is room beside the controls, the first lines of code are open.
if (matchMedia("(min-width: 60rem)").matches) for (const told of document.querySelectorAll(".told")) told.querySelector("details").open = true;
field($("strength"), "strength").addEventListener("input", strengthMoved);
field($("strength"), "strength").addEventListener("change", () => strength.form.requestSubmit());
$("rank").addEventListener("input", rankMoved);
field(control, "name").addEventListener("change", named);
field($("sight"), "name").addEventListener("change", lookedFor);
for (const name of ["kind", "low", "high", "boxes"]) field(control, name).addEventListener("change", map);
boxed();
$("file").addEventListener("change", () => $("file").files[0] && open($("file").files[0]));
const stage = $("picture");
for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  stage.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    stage.classList.toggle("over", over);
  });
}
stage.addEventListener("drop", (dropped) => dropped.dataTransfer.files[0] && open(dropped.dataTransfer.files[0]));
begin().catch(fails);
