// Lesson 1: x_t = α·x₀ + σ·ε, computed here on every frame with the package's own α and σ.

const SIDE = 160;
const NAMES = { linear: "linear", scaled_linear: "scaled-linear", cosine: "cosine", flow: "flow" };
const SUBJECTS = ["fox", "castle", "owl", "apple"];
const STEPS = 1000;
const PLAY_MS = 6000;

const $ = (id) => document.getElementById(id);
const schedules = await (await fetch("/api/schedules")).json();
const state = { t: 0, picture: null, noise: null, seed: 1, alone: false, playing: 0 };
const views = Object.keys(NAMES).map(view);

// Standard normal numbers, the same for the same seed: mulberry32, then Box and Muller's pairs.
function normals(seed, count) {
  let a = seed >>> 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let z = Math.imul(a ^ (a >>> 15), a | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    out[i] = radius * Math.cos(angle);
    out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

function view(name, k) {
  const figure = document.createElement("figure");
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const caption = document.createElement("figcaption");
  caption.innerHTML = `<b class="c${k + 1}">${NAMES[name]}</b>`;
  canvas.setAttribute("role", "img");
  figure.append(canvas, caption);
  $("pictures").append(figure);
  const row = $("numbers").tBodies[0].insertRow();
  row.innerHTML = `<th scope="row" class="c${k + 1}">${NAMES[name]}</th><td></td><td></td><td></td><td></td>`;
  const context = canvas.getContext("2d");
  return { name, canvas, context, row, pixels: context.createImageData(SIDE, SIDE) };
}

// Every pixel of [−1, 1] as a byte; what noise drives beyond is black or white.
function mix(pixels, picture, noise, alpha, sigma) {
  const out = pixels.data;
  for (let i = 0, j = 0; i < noise.length; j += 4) {
    out[j] = (alpha * picture[i] + sigma * noise[i++]) * 127.5 + 127.5;
    out[j + 1] = (alpha * picture[i] + sigma * noise[i++]) * 127.5 + 127.5;
    out[j + 2] = (alpha * picture[i] + sigma * noise[i++]) * 127.5 + 127.5;
    out[j + 3] = 255;
  }
}

const shown = (x) => (x >= 1e4 || (x > 0 && x < 1e-3) ? x.toExponential(1) : x.toFixed(3));

// The numbers are right before there is a picture; the picture comes when it has been decoded.
function draw() {
  const began = performance.now();
  for (const { name, canvas, context, row, pixels } of views) {
    const alpha = schedules[name].alpha[state.t];
    const sigma = schedules[name].sigma[state.t];
    if (state.picture) {
      mix(pixels, state.picture, state.noise, state.alone ? 0 : alpha, sigma);
      context.putImageData(pixels, 0, 0);
      canvas.setAttribute("aria-label", `${NAMES[name]} after ${state.t} steps`);
    }
    const bar = alpha * alpha;
    const snr = sigma > 0 ? shown((alpha / sigma) ** 2) : "∞";
    [shown(bar), shown(alpha), shown(sigma), snr].forEach((text, k) => {
      row.cells[k + 1].textContent = text;
    });
  }
  $("steps").textContent = state.t;
  $("now").setAttribute("transform", `translate(${state.t} 0)`);
  $("frame").textContent = (performance.now() - began).toFixed(1);
}

function plot() {
  const high = 280;
  const curve = ({ alpha }, k) => {
    const points = alpha.map((a, t) => `${t},${(high * (1 - a * a)).toFixed(1)}`);
    return `<polyline class="curve c${k + 1}" points="${points.filter((_, t) => t % 10 === 0).join(" ")}"/>`;
  };
  $("plot").innerHTML =
    `<path class="axis" fill="none" d="M0 0V${high}H1000"/>` +
    Object.values(schedules).map(curve).join("") +
    `<line id="now" class="now" y2="${high}"/>` +
    `<text x="0" y="${high + 32}">0</text><text x="1000" y="${high + 32}" text-anchor="end">step 1000</text>` +
    `<text x="12" y="24">ᾱ</text>`;
}

function goTo(t) {
  state.t = t;
  $("t").value = t;
  draw();
}

function play(on) {
  state.playing = on ? performance.now() - (state.t % STEPS) * (PLAY_MS / STEPS) : 0;
  $("play").setAttribute("aria-pressed", String(on));
  $("play").textContent = on ? "Pause" : "Dissolve";
  if (on) requestAnimationFrame(tick);
}

function tick(now) {
  if (!state.playing) return;
  const t = Math.min(STEPS, Math.max(0, Math.round(((now - state.playing) * STEPS) / PLAY_MS)));
  goTo(t);
  if (t < STEPS) requestAnimationFrame(tick);
  else play(false);
}

// The middle square of a picture as numbers in [−1, 1].
function use(image, width, height) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const side = Math.min(width, height);
  const corner = [(width - side) / 2, (height - side) / 2];
  context.drawImage(image, ...corner, side, side, 0, 0, SIDE, SIDE);
  const bytes = context.getImageData(0, 0, SIDE, SIDE).data;
  const picture = new Float32Array(SIDE * SIDE * 3);
  for (let i = 0, j = 0; i < picture.length; j += 4) {
    for (let c = 0; c < 3; c++) picture[i++] = bytes[j + c] / 127.5 - 1;
  }
  state.picture = picture;
  draw();
}

async function open(blob) {
  try {
    const bitmap = await createImageBitmap(blob);
    for (const radio of document.querySelectorAll(".subjects input")) radio.checked = false;
    use(bitmap, bitmap.width, bitmap.height);
    $("said").textContent = "";
  } catch {
    $("said").textContent = "This is no picture that the browser can read.";
  }
}

for (const [k, name] of SUBJECTS.entries()) {
  const label = document.createElement("label");
  label.innerHTML = `<input type="radio" name="subject" value="${name}"><img src="/static/subjects/${name}.webp" alt="${name}">`;
  const [radio, image] = label.children;
  radio.checked = k === 0;
  radio.addEventListener("change", () => use(image, image.naturalWidth, image.naturalHeight));
  if (k === 0) image.decode().then(() => radio.checked && use(image, image.naturalWidth, image.naturalHeight));
  document.querySelector(".subjects").append(label);
}

const noisy = () => {
  state.noise = normals(state.seed, SIDE * SIDE * 3);
  draw();
};
$("t").addEventListener("input", () => {
  play(false);
  goTo(Number($("t").value));
});
$("play").addEventListener("click", () => {
  if (!state.playing && state.t === STEPS) goTo(0);
  play(!state.playing);
});
$("alone").addEventListener("change", () => {
  state.alone = $("alone").checked;
  draw();
});
$("again").addEventListener("click", () => {
  state.seed += 1;
  noisy();
});
$("file").addEventListener("change", () => $("file").files[0] && open($("file").files[0]));
const stage = $("stage");
for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  stage.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    stage.classList.toggle("over", over);
  });
}
stage.addEventListener("drop", (dropped) => {
  if (dropped.dataTransfer.files[0]) open(dropped.dataTransfer.files[0]);
});

plot();
noisy();
