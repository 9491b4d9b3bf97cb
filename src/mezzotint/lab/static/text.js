// Lesson 5: a prompt in tokens, prompts and pictures beside one another, and where each word draws.

import { $, bring, filled, listen, make } from "/static/lab.js";
import { latest } from "/static/latest.js";
import { SUBJECTS, subject } from "/static/picker.js";

const SIDE = 256; // pixels of a map's canvas
const VEIL = "23 21 19"; // laid over where a word is not attended to
const MOST = 12;

const state = { steps: [], stop: null, pictures: [], shown: -1 };

const percent = (x) => `${(100 * x).toFixed(1)} %`;
const cosine = (x) => x.toFixed(2).replace("-", "−");
const say = (words) => {
  $("said").textContent = words ?? "";
};

// Tokens.

function chip(piece) {
  const words = [make("b", {}, piece.text || "␣"), make("span", {}, String(piece.id))];
  if (piece.weight !== 1) words.push(make("i", {}, `× ${piece.weight}`));
  const kinds = [piece.joined && "joined", piece.window === null && "left", piece.frame && "frame"];
  return make("li", { class: kinds.filter(Boolean).join(" ") }, ...words);
}

const framing = (text, id) => ({ text, id, weight: 1, window: 0, frame: true });

function list(cut, pieces, window) {
  const begin = cut.begin === null ? [] : [framing("begin", cut.begin)];
  const end = [framing("end", cut.end)];
  if (cut.padding[window]) end.push(framing(`padding × ${cut.padding[window]}`, cut.pad));
  return make("ol", { class: "tokens" }, ...[...begin, ...pieces, ...end].map(chip));
}

function cuts({ encoders }) {
  const shown = encoders.flatMap((cut) => {
    const windows = cut.padding.map((_, k) => list(cut, cut.pieces.filter((piece) => piece.window === k), k));
    const left = cut.pieces.filter((piece) => piece.window === null);
    const whole = cut.padding.length * cut.length;
    const count = `${cut.pieces.length - left.length} of ${whole} tokens`;
    const title = encoders.length > 1 ? [make("h3", {}, `${cut.name}, ${cut.kind}: ${count}`)] : [make("p", { class: "hint" }, `${count} are used.`)];
    const over = left.length
      ? [make("p", { class: "hint" }, `${left.length} tokens are over the length, and no one reads them:`), make("ol", { class: "tokens" }, ...left.map(chip))]
      : [];
    return [...title, ...windows, ...over];
  });
  $("cuts").replaceChildren(...shown);
}

const cutUp = latest("/api/tokens", () => ({ prompt: $("prompt").value }), {
  done: cuts,
  over: (why) => {
    $("uncut").textContent = why ?? "";
  },
});

// Likeness.

const lines = () =>
  $("prompts").value.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, MOST);

// A cell is the darker, the higher the cosine; the number is in it.
function cell(x) {
  const made = make("td", {}, cosine(x));
  made.style.setProperty("--share", `${Math.round(35 * Math.max(0, x))}%`);
  return made;
}

function matrix(caption, heads, cosines) {
  const numbered = cosines[0].map((_, k) => make("th", { scope: "col" }, String(k + 1)));
  const rows = cosines.map((row, k) => make("tr", {}, make("th", { scope: "row" }, heads[k]), ...row.map(cell)));
  return make(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    make(
      "table",
      { class: "matrix" },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, make("td"), ...numbered)),
      make("tbody", {}, ...rows),
    ),
  );
}

const near = latest(
  "/api/alike",
  () => {
    const prompts = lines();
    if (!prompts.length) return null;
    near.prompts = prompts;
    near.pictures = [...state.pictures];
    return [...prompts.map((each) => ["prompt", each]), ...near.pictures.map(({ name }) => ["picture", name])];
  },
  {
    done: ({ texts, pictures, sees }) => {
      const heads = near.prompts.map((prompt, k) => `${k + 1} ${prompt}`);
      const caption = (name) => (texts.length > 1 ? `Prompts with prompts, ${name}` : "Prompts with prompts");
      const tables = texts.map(({ name, cosines }) => matrix(caption(name), heads, cosines));
      if (pictures) {
        const seen = near.pictures.map(({ src, alt }) => make("img", { src, alt }));
        tables.push(matrix("Pictures with prompts", seen, pictures));
      }
      $("matrices").replaceChildren(...tables);
      $("blind").hidden = sees;
      $("bringing").hidden = !sees;
      $("mute").hidden = texts.length > 0;
      if (sees && !state.pictures.length) own();
    },
    over: (why) => {
      $("unlike").textContent = why ?? "";
    },
  },
);

async function own() {
  state.pictures = await Promise.all(
    SUBJECTS.map(async (name) => ({ name: await subject(name), src: `/static/subjects/${name}.webp`, alt: name })),
  );
  near();
}

function compared(name, src, alt) {
  state.pictures = [...state.pictures.filter((each) => each.name !== name), { name, src, alt }].slice(-MOST);
  near();
}

// Attention.

function figure(word) {
  const canvas = make("canvas", { width: SIDE, height: SIDE, role: "img" });
  return make("figure", {}, canvas, make("figcaption", {}, make("b", {}, word), " ", make("output")));
}

// The picture where the word is attended to most, and the less, the darker.
function veiled(canvas, image, [h, w], levels) {
  const veil = new OffscreenCanvas(w, h);
  const pixels = new ImageData(w, h);
  const [r, g, b] = VEIL.split(" ").map(Number);
  levels.forEach((level, i) => pixels.data.set([r, g, b, 0.92 * (255 - level)], 4 * i));
  veil.getContext("2d").putImageData(pixels, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, SIDE, SIDE);
  context.drawImage(veil, 0, 0, SIDE, SIDE);
}

async function show(index) {
  state.shown = index;
  const step = state.steps[index];
  await step.image.decode();
  if (state.shown !== index || state.steps[index] !== step) return;
  $("preview").src = step.image.src;
  $("at").textContent = `${index + 1} of ${step.total}`;
  const figures = $("words").children;
  step.words.forEach(({ word, share, levels }, k) => {
    const [canvas, caption] = figures[k].children;
    caption.querySelector("output").textContent = share === null ? "is not read" : percent(share);
    canvas.setAttribute("aria-label", `Where the picture attends to ${word} at step ${index + 1}`);
    if (levels.length) veiled(canvas, step.image, step.sides, levels);
  });
  $("rest").textContent = percent(1 - step.words.reduce((sum, { share }) => sum + (share ?? 0), 0));
}

function came(step) {
  const scrub = $("scrub");
  const along = Number(scrub.value) >= state.steps.length - 1;
  step.image = new Image();
  step.image.src = step.picture;
  state.steps.push(step);
  if (step.index === 0) $("words").replaceChildren(...step.words.map(({ word }) => figure(word)));
  Object.assign(scrub, { max: step.total - 1, disabled: false });
  if (along) scrub.value = step.index;
  if (Number(scrub.value) < state.steps.length) show(Number(scrub.value));
  say(`${state.steps.length} of ${step.total} steps`);
}

function over(words) {
  state.stop?.();
  state.stop = null;
  if (words) say(words);
  $("go").disabled = false;
  $("stop").disabled = true;
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  over();
  state.steps = [];
  state.shown = -1;
  Object.assign($("scrub"), { max: 0, value: 0, disabled: true });
  $("words").replaceChildren();
  $("go").disabled = true;
  $("stop").disabled = false;
  const asked = { prompt: $("prompt").value, ...filled("steps", "cfg", "seed") };
  state.stop = listen("/api/attention", asked, {
    step: came,
    done: ({ picture }) => {
      if (state.pictures.length) compared(picture, state.steps.at(-1).picture, asked.prompt);
    },
    over,
  });
});
$("stop").addEventListener("click", () => over("Stopped."));
$("scrub").addEventListener("input", () => {
  const index = Math.min(Number($("scrub").value), state.steps.length - 1);
  if (index >= 0) show(index);
});
$("prompt").addEventListener("input", cutUp);
$("prompts").addEventListener("input", near);
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (!file) return;
  try {
    const { picture } = await bring(file);
    compared(picture, URL.createObjectURL(file), file.name);
  } catch (error) {
    $("unlike").textContent = error.message;
  }
});

cutUp();
near();
