// What a drawing begins with, where that is a picture: how far it may go from it, and where.

import { brush } from "/static/brush.js";
import { $, bring, make } from "/static/lab.js";
import { editing, isUsual } from "./form.js";
import { address, input } from "./gallery.js";

const WORD = "word:"; // begins a mask in words, as does
const RELEVANT = "relevant", ALL = "relevant:0";

const state = { can: {}, picture: null, brush: null };

export const withPicture = ({ id, prompt }) => begun(id, address(id, "file"), prompt || "a picture");

export async function withFile(file) {
  try {
    const { picture } = await bring(file);
    await begun(picture, URL.createObjectURL(file), file.name);
  } catch (error) {
    say(error.message);
  }
}

// As a picture of the gallery was made, if it was an edit.
export async function resume({ picture, mask, instruct }) {
  leave();
  if (!picture) return;
  try {
    await begun(picture, input(picture), "what it was made of");
    if (mask?.startsWith(WORD)) $("mask-word").value = mask.slice(WORD.length);
    else if (mask?.startsWith(RELEVANT)) $("relevant").checked = mask !== ALL;
    else if (mask) state.brush?.load(await image(input(mask)));
  } catch {
    say("A picture that it was made of is no longer here.");
  }
  $("instruct").checked = Boolean(instruct);
}

async function image(src, alt = "") {
  const made = make("img", { src, alt });
  await made.decode();
  return made;
}

async function begun(picture, src, words) {
  const shown = await image(src, `Begun with ${words}`);
  leave();
  state.picture = picture;
  $("begins").textContent = `: ${words}`;
  $("edit").open = true;
  $("started").hidden = false;
  state.brush = brush($("brush"), { label: "Where to paint anew", changed: told });
  state.brush.show(shown);
  $("edit").scrollIntoView({ block: "nearest" });
}

function say(words) {
  $("edit").open = true;
  $("brought").textContent = words;
}

function told(share) {
  const some = "Only what is painted changes; the rest comes back as it is.";
  const none = "Paint where it is to change, or nowhere: then all of it may.";
  $("masked").textContent = share ? some : none;
}

// With noise again.
export function leave() {
  Object.assign(state, { picture: null, brush: null });
  $("started").hidden = true;
  for (const id of ["begins", "brought", "masked"]) $(id).textContent = "";
  $("mask-word").value = "";
  $("relevant").checked = state.can.keeps;
  $("brush").replaceChildren();
}

// What a drawing is asked for beside the form's settings.
export async function values() {
  if (!state.picture) return {};
  const asked = { ...editing(), picture: state.picture };
  // a picture goes back to noise by a sampler that can, unless another is asked for
  if (asked.source && isUsual("sampler")) asked.sampler = "";
  const mask = await masked();
  if (mask) asked.mask = mask;
  if ($("instruct").checked) asked.instruct = "true";
  return asked;
}

async function masked() {
  if (state.brush?.share()) return (await bring(await state.brush.blob())).picture;
  const word = $("mask-word").value.trim();
  if (word) return WORD + word;
  if ($("relevant").checked) return RELEVANT;
  return state.can.keeps && ALL; // what a model does unless it is told otherwise
}

export function setUp(can) {
  state.can = can;
  $("edit").hidden = !can.edit;
  $("edit").open = !can.draw;
  $("instructs").hidden = !can.instruct;
  $("worded").hidden = !can.word;
  $("relevance").hidden = !can.relevant;
  $("relevant").checked = can.keeps;
  $("start").addEventListener("change", () => {
    if ($("start").files[0]) withFile($("start").files[0]);
    $("start").value = "";
  });
  $("unstart").addEventListener("click", leave);
}
