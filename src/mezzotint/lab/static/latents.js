// Lesson 4: a picture's latents as grey maps; numbers in them are moved, and the picture follows.

import { $, filled, listen, make } from "/static/lab.js";
import { latest } from "/static/latest.js";
import { picker } from "/static/picker.js";

const DRAWN = 256; // pixels of a map's canvas, or a little more
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const state = { name: "", other: "", seen: null, added: new Map(), scales: [], cell: [0, 0, 0], maps: [] };

const signed = (x, digits = 2) => x.toFixed(digits).replace("-", "−");
const whole = (x) => x.toLocaleString("en");
const decibels = (x) => (x === null ? "no difference" : `${x.toFixed(1)} dB`);
const say = (words) => {
  $("said").textContent = words ?? "";
};

function show(prefix, pictures) {
  for (const [view, address] of Object.entries(pictures)) {
    const image = $(`${prefix}-${view}`);
    if (image) image.src = address;
  }
}

function seen(told) {
  state.seen = told;
  state.added.clear();
  state.scales = told.channels.map(() => 1);
  const [rows, columns] = [told.channels[0].values.length, told.channels[0].values[0].length];
  state.cell = [0, Math.floor(rows / 2), Math.floor(columns / 2)];
  show("through", told.pictures);
  $("out-psnr").textContent = decibels(told.psnr);
  $("pixels").textContent = whole(told.pixels);
  $("numbers").textContent = whole(told.latents);
  $("times").textContent = (told.pixels / told.latents).toFixed(0);
  $("from").textContent = `${told.side} × ${told.side} × 3`;
  $("to").textContent = `${columns} × ${rows} × ${told.channels.length}`;
  $("weights").textContent = whole(told.weights);
  $("raw-bytes").textContent = whole(told.pixels);
  state.maps = told.channels.map(map);
  $("channels").replaceChildren(...state.maps.map(({ figure }) => figure));
  point(...state.cell);
  change();
  mix();
}

// A channel: its map, in which a number is chosen, and a slider that scales all of it.
function map(channel, k) {
  const [rows, columns] = [channel.values.length, channel.values[0].length];
  const pixel = Math.ceil(DRAWN / columns);
  const canvas = make("canvas", {
    width: columns * pixel,
    height: rows * pixel,
    tabindex: 0,
    role: "application",
    "aria-label": `Channel ${k + 1}, ${rows} rows of ${columns} numbers: arrow keys choose one`,
    "aria-describedby": "cell",
  });
  canvas.addEventListener("keydown", (pressed) => {
    const arrow = ARROWS[pressed.key];
    if (!arrow) return;
    pressed.preventDefault();
    const [row, column] = [state.cell[1] + arrow[0], state.cell[2] + arrow[1]];
    if (row >= 0 && row < rows && column >= 0 && column < columns) point(k, row, column);
  });
  canvas.addEventListener("focus", () => point(k, state.cell[1], state.cell[2]));
  canvas.addEventListener("pointerdown", (pressed) => {
    const row = Math.floor((pressed.offsetY / canvas.clientHeight) * rows);
    const column = Math.floor((pressed.offsetX / canvas.clientWidth) * columns);
    point(k, Math.min(rows - 1, Math.max(0, row)), Math.min(columns - 1, Math.max(0, column)));
  });
  const times = make("output", {}, "1.0");
  const scale = make("input", { type: "range", min: 0, max: 2, step: 0.1, value: 1, class: "scale", "aria-label": `Channel ${k + 1} times` });
  scale.addEventListener("input", () => {
    state.scales[k] = Number(scale.value);
    times.textContent = state.scales[k].toFixed(1);
    draw(k);
    change();
  });
  const range = `${signed(channel.least)} to ${signed(channel.most)}, mean ${signed(channel.mean)}`;
  const figure = make(
    "figure",
    {},
    canvas,
    make("figcaption", {}, make("b", {}, `Channel ${k + 1}`), ` ${range}`),
    make("label", { class: "hint" }, "times ", times, scale),
  );
  return { figure, canvas, pixel, scale, times };
}

const held = (k, row, column) => state.seen.channels[k].values[row][column];
const added = (k, row, column) => state.added.get(`${k},${row},${column}`) ?? 0;

function draw(k) {
  const { canvas, pixel } = state.maps[k];
  const { values, least, most } = state.seen.channels[k];
  const context = canvas.getContext("2d");
  values.forEach((row, y) =>
    row.forEach((_, x) => {
      const value = held(k, y, x) * state.scales[k] + added(k, y, x);
      const grey = Math.round((255 * (value - least)) / (most - least || 1));
      context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      context.fillRect(x * pixel, y * pixel, pixel, pixel);
    }),
  );
  for (const place of state.added.keys()) {
    const [c, y, x] = place.split(",").map(Number);
    if (c === k) frame(context, x * pixel, y * pixel, pixel, 1);
  }
  const [c, y, x] = state.cell;
  if (c === k) frame(context, x * pixel - 2, y * pixel - 2, pixel + 4, 3);
}

// Seen on black and on white.
function frame(context, x, y, side, width) {
  context.lineWidth = width;
  context.strokeStyle = "#fff";
  context.strokeRect(x, y, side, side);
  context.strokeStyle = "#000";
  context.strokeRect(x - width, y - width, side + 2 * width, side + 2 * width);
}

function point(k, row, column) {
  const before = state.cell[0];
  state.cell = [k, row, column];
  $("add").value = added(k, row, column);
  tell();
  draw(before);
  if (before !== k) draw(k);
  for (const [c, each] of state.maps.entries()) if (c !== before && c !== k && !each.drawn) draw(c);
  for (const each of state.maps) each.drawn = true;
}

function tell() {
  const [k, row, column] = state.cell;
  const add = added(k, row, column);
  $("cell").textContent =
    `channel ${k + 1}, row ${row + 1}, column ${column + 1}: ${signed(held(k, row, column))}` +
    (add ? ` ${add < 0 ? "−" : "+"} ${Math.abs(add).toFixed(1)}` : "");
}

const change = latest(
  "/api/latents/nudged",
  () => [
    ["picture", state.name],
    ...state.scales.map((scale) => ["scale", scale]),
    ...[...state.added].map(([place, add]) => ["add", `${place},${add}`]),
  ],
  {
    done: ({ pictures, reach: [width, height], most }) => {
      show("nudged", pictures);
      $("moved").textContent = width
        ? `The picture differs by up to ${most.toFixed(0)} of 255 levels; by a tenth of that or more in ${width} × ${height} pixels.`
        : "Nothing is moved yet.";
    },
    over: (why) => why && say(why),
  },
);

const mix = latest(
  "/api/latents/between",
  () => state.other && { one: state.name, other: state.other, share: $("share").value },
  {
    done: ({ pictures, psnr }) => {
      show("mixed", pictures);
      $("apart").textContent = decibels(psnr);
    },
    over: (why) => why && say(why),
  },
);

function cost({ latents, jpeg }) {
  show("latents", latents.pictures);
  show("jpeg", jpeg.pictures);
  for (const [name, told] of [["latents", latents], ["jpeg", jpeg]]) {
    $(`${name}-bytes`).textContent = whole(told.bytes);
    $(`${name}-psnr`).textContent = decibels(told.psnr);
  }
  $("quality").textContent = jpeg.quality;
  $("larger").hidden = jpeg.bytes <= latents.bytes;
}

function use(name, called) {
  state.name = name;
  say(`The autoencoder looks at ${called}.`);
  listen("/api/latents", { picture: name }, { seen, done: cost, over: (why) => say(why ?? `This is ${called}.`) });
}

const one = picker($("one"), { chosen: use, wrong: say });
const other = picker($("other"), {
  chosen: (name) => {
    state.other = name;
    mix();
  },
  wrong: say,
});

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  $("go").disabled = true;
  say("Beginning…");
  one.clear();
  listen(
    "/api/latents/draw",
    filled("prompt", "seed"),
    {
      step: ({ index, total, picture }) => {
        $("through-before").src = picture;
        say(`Step ${index + 1} of ${total}.`);
      },
      done: ({ picture }) => use(picture, "what was drawn"),
      over: (why) => {
        $("go").disabled = false;
        if (why) say(why);
      },
    },
  );
});
$("add").addEventListener("input", () => {
  const place = state.cell.join();
  const add = Number($("add").value);
  if (add) state.added.set(place, add);
  else state.added.delete(place);
  tell();
  draw(state.cell[0]);
  change();
});
$("back").addEventListener("click", () => {
  state.added.clear();
  state.scales.fill(1);
  for (const [k, { scale, times }] of state.maps.entries()) {
    scale.value = 1;
    times.textContent = "1.0";
    draw(k);
  }
  point(...state.cell);
  change();
});
$("share").addEventListener("input", () => {
  $("shared").textContent = `${Math.round(100 * $("share").value)} %`;
  mix();
});

one.choose("fox");
other.choose("castle");
