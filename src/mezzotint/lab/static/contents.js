// The first page: a plate of noise becomes a picture while one reads.

import { $, listen } from "/static/lab.js";

let stop = null;

function draw() {
  stop?.();
  const prompt = $("prompt").value;
  const asked = { prompt, show: "x", seed: Math.floor(Math.random() * 2 ** 31) };
  $("said").textContent = "Beginning…"; // for a large model this may take a while
  stop = listen("/api/draw", asked, {
    step: ({ index, total, pictures }) => {
      Object.assign($("plate"), { src: pictures.x, alt: `${prompt}, as far as it is drawn` });
      $("said").textContent = "";
      $("step").textContent = `Step ${index + 1} of ${total}`;
    },
    done: () => {
      $("plate").alt = prompt;
      $("said").textContent = "Drawn. Every time it begins with other noise.";
    },
    over: (why) => {
      if (why) $("said").textContent = why;
    },
  });
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  draw();
});
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) draw();
