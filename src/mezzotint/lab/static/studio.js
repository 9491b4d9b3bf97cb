// The studio: what its parts have to do with each other.

import { $, ask } from "/static/lab.js";
import * as compare from "./studio/compare.js";
import * as draw from "./studio/draw.js";
import * as edit from "./studio/edit.js";
import * as form from "./studio/form.js";
import * as gallery from "./studio/gallery.js";
import * as grid from "./studio/grid.js";
import * as guides from "./studio/guides.js";
import * as opened from "./studio/opened.js";
import * as read from "./studio/read.js";
import * as tabs from "./studio/tabs.js";
import { toast } from "./studio/toast.js";
import * as vote from "./studio/vote.js";

const VARIED = { seed: "", batch: 4, strength: 0.5 }; // as many, and so far from what they vary

const choices = await ask("/api/studio/choices").catch((error) => {
  $("said").textContent = error.message;
  throw error;
});
const { draw: draws, edit: edits, needs_mask: needsMask } = choices.can;
const NEAR = draws && edits && !needsMask;

const doing = { made: (told) => gallery.add(told), opened: opened.open };
const generate = () => draw.begin(asked(), doing);

// What stands in the form; an edit is as large as what it begins with.
async function asked() {
  const begun = await edit.values();
  const { width, height, ...others } = form.values();
  const settings = begun.picture ? { ...others, ...begun } : form.values();
  return { ...settings, ...guides.values() };
}

// Its settings come into the form, so that what is drawn is what can be seen there.
async function use({ settings }) {
  form.usual();
  const misses = form.fill(settings);
  await edit.resume(settings);
  misses.push(...guides.resume(settings));
  if (misses.length) toast(misses.join(" "));
}

async function again(picture) {
  await use(picture);
  if (picture.kind !== "sheet") return generate();
  tabs.show("grid");
  grid.again(picture.settings);
}

// Others that are near: from the picture itself, if the model can, and else from other noise.
async function vary(picture) {
  await use(picture);
  form.fill(VARIED);
  if (NEAR) await edit.withPicture(picture);
  generate();
}

async function another() {
  const told = await ask(`/api/studio/choices?${new URLSearchParams({ variant: $("set-variant").value })}`);
  form.renew(told.settings);
}

form.build(choices);
form.setUp();
compare.setUp();
gallery.setUp({ open: opened.open, compare: compare.both });
guides.setUp(choices.guides);
opened.setUp({
  again,
  vary,
  use,
  start: choices.can.edit ? edit.withPicture : null,
  steer: guides.able() ? guides.withPicture : null,
});
read.setUp({ start: choices.can.edit ? edit.withFile : null });
edit.setUp(choices.can);
grid.setUp({ ...doing, asked });
tabs.setUp({ vote: vote.next });
vote.setUp();

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  generate();
});
$("stop").addEventListener("click", draw.cancel);
$("set-variant")?.addEventListener("change", another);
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && !document.querySelector("dialog[open]")) draw.cancel();
});
$("go").disabled = false;
gallery.load();
