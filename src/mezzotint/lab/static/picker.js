// A choice of pictures: the lab's own subjects, or one that is brought. Either is brought to the lab,
// so that the server knows all by their names.

import { bring, make } from "/static/lab.js";

export const SUBJECTS = ["fox", "castle", "owl", "apple"];

// One of the lab's own, as the name that the server knows it by.
export async function subject(name) {
  const file = await (await fetch(`/static/subjects/${name}.webp`)).blob();
  return (await bring(file)).picture;
}

// Fill `host`. `chosen` is given the picture's name and what to call it, `wrong` one line. Returns
// {choose: by subject, clear: mark none as chosen}.
export function picker(host, { chosen, wrong }) {
  const group = make("div", { class: "subjects", role: "radiogroup", "aria-label": "Picture" });
  const radios = {};
  for (const name of SUBJECTS) {
    const radio = make("input", { type: "radio", name: `subject-${host.id}`, value: name });
    radios[name] = radio;
    radio.addEventListener("change", () => choose(name));
    group.append(make("label", {}, radio, make("img", { src: `/static/subjects/${name}.webp`, alt: name })));
  }
  const file = make("input", { type: "file", accept: "image/*" });
  const hint = make("p", { class: "hint" }, make("label", { class: "pick" }, "Your own picture", file), " or drop one here.");
  host.append(group, hint);

  function clear() {
    for (const radio of Object.values(radios)) radio.checked = false;
  }
  async function choose(name) {
    radios[name].checked = true;
    try {
      chosen(await subject(name), `the ${name}`);
    } catch (error) {
      wrong(error.message);
    }
  }
  async function own(picture) {
    try {
      chosen((await bring(picture)).picture, "your picture");
      clear();
    } catch (error) {
      wrong(error.message);
    }
  }
  file.addEventListener("change", () => file.files[0] && own(file.files[0]));
  for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    host.addEventListener(event, (dragged) => {
      dragged.preventDefault();
      host.classList.toggle("over", over);
    });
  }
  host.addEventListener("drop", (dropped) => {
    if (dropped.dataTransfer.files[0]) own(dropped.dataTransfer.files[0]);
  });
  return { choose, clear };
}
