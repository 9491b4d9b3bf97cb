// A form that draws: its fields are what is asked for, its figures what comes, its status line how far.

import { listen, make } from "/static/lab.js";

// The fields of a form that say something.
export function fields(form) {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
}

function figure(place, caption) {
  const image = make("img", { alt: `${caption}: nothing yet` });
  const words = make("figcaption", {}, caption);
  const made = make("figure", {}, image, words);
  place.append(made);
  return { made, image, words, caption };
}

function show({ image, caption }, { picture, index, total }) {
  image.src = picture;
  image.alt = index < total - 1 ? `${caption}, step ${index + 1} of ${total}` : caption;
}

// What is told at the end of an edit, in words.
function outcome({ size, kept }) {
  const large = `Done, ${size[0]} × ${size[1]} pixels.`;
  if (!kept) return large;
  return `${large} Of the ${kept.of} pixels that were to stay, ${kept.changed} changed.`;
}

// Let a form draw.
//
//   section    the section of the form
//   drawings   (form, button) → what is drawn, or a promise of it: objects with a `path`, what is
//              `asked` there, and `captions` of its figures; an error says what is missing
//   finished   called with each figure's image after the last step, and what was told
export function live(section, drawings, finished = () => {}) {
  const form = section.querySelector("form");
  const place = form.querySelector(".pictures");
  const said = form.querySelector(".said");
  const stop = form.querySelector(".stop");
  const goes = [...form.querySelectorAll("button:not([type])")];
  let stops = [];
  let turn = 0;

  const busy = (on) => {
    stop.disabled = !on;
    for (const go of goes) go.disabled = on;
  };
  const halt = (words) => {
    turn += 1;
    for (const each of stops) each();
    stops = [];
    busy(false);
    if (words) said.textContent = words;
  };

  function begin(mine, drawing, left, ends) {
    const figures = drawing.captions.map((caption) => figure(place, caption));
    return listen(drawing.path, drawing.asked, {
      step: (step) => {
        if (mine !== turn) return;
        const lane = figures[step.lane];
        show(lane, step);
        said.textContent = `${lane.caption}: step ${step.index + 1} of ${step.total}`;
      },
      done: (told) => {
        const { made, image } = figures.at(-1);
        image.classList.add("whole");
        made.classList.toggle("wide-one", told.size[0] > 1.2 * told.size[1]);
        ends.push(outcome(told));
        for (const each of figures) finished(each.image, told, each.made);
      },
      over: (why) => {
        if (mine !== turn) return;
        left.count -= 1;
        if (why) halt(why);
        else if (left.count === 0) halt(ends.at(-1));
      },
    });
  }

  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    halt();
    const mine = turn;
    said.textContent = "Beginning…";
    busy(true);
    try {
      const all = await drawings(form, submitted.submitter);
      if (mine !== turn) return;
      place.replaceChildren();
      const left = { count: all.length };
      const ends = [];
      stops = all.map((each) => begin(mine, each, left, ends));
    } catch (error) {
      if (mine === turn) halt(error.message);
    }
  });
  stop.addEventListener("click", () => halt("Stopped."));
  for (const range of form.querySelectorAll('input[type="range"]')) {
    const output = range.closest("label").querySelector("output");
    range.addEventListener("input", () => {
      if (output) output.textContent = range.value;
    });
  }
  return { form, halt };
}
