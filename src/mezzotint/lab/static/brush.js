// A brush that paints a mask over a picture, by pointer, touch and keyboard.
//
//   const made = brush(host, { label: "Where to paint anew", changed: (share) => … });
//   made.show(image);          // an <img>, <canvas> or ImageBitmap beneath; the mask is empty again
//   made.load(image);          // a mask in the place of what is painted, white where that would be
//   made.share();              // of the picture that is painted, 0…1
//   await made.blob();         // a PNG of the picture's size, white where painted, black elsewhere
//   made.clear(); made.undo(); // clearing can be undone as well, and so can loading
//
// `host` is an empty element that gets the canvas and its controls, of which one loads a mask from a
// file. `changed` is called after every stroke. Arrows move the brush, with Shift four times as far, and Space paints; Z undoes.
// What is painted is a list of strokes, and so undoing is to paint all but the last again.

import { make } from "/static/lab.js";

const SHOWN = 512; // pixels of the longer side of what is seen, at least
const STEP = 0.25; // of the brush's size, that an arrow moves it

export function brush(host, { label, changed = () => {} }) {
  const canvas = make("canvas", { class: "brush", tabindex: 0, role: "application", "aria-label": `${label}: arrows move the brush, Space paints` });
  const size = make("input", { type: "range", min: 1, max: 60, value: 16, "aria-label": "Size of the brush" });
  const erases = make("input", { type: "checkbox" });
  const back = make("button", { type: "button" }, "Undo");
  const none = make("button", { type: "button" }, "Clear");
  const file = make("input", { type: "file", accept: "image/*" });
  const told = make("output", { class: "soft" });
  host.replaceChildren(
    canvas,
    make("div", { class: "switches" }, make("label", { class: "sized" }, "Brush ", size), make("label", {}, erases, " erase"), back, none, make("label", { class: "pick" }, "Mask from a file", file), told),
  );
  const seen = canvas.getContext("2d");
  const mask = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const brushed = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }); // or erased
  const tint = new OffscreenCanvas(1, 1).getContext("2d");
  let under = null;
  let base = null; // of what was loaded, in alpha
  let strokes = [];
  let stroke = null;
  let at = null;
  let scale = 1;

  const across = () => (Number(size.value) / 100) * Math.max(mask.canvas.width, mask.canvas.height);

  function lay({ points, width, erase }) {
    mask.globalCompositeOperation = erase ? "destination-out" : "source-over";
    for (const layer of [mask, brushed]) {
      layer.strokeStyle = layer.fillStyle = "#fff";
      layer.lineCap = layer.lineJoin = "round";
      layer.lineWidth = width;
      layer.beginPath();
      layer.arc(...points[0], width / 2, 0, 2 * Math.PI); // a line without length is no dot everywhere
      layer.fill();
      layer.beginPath();
      for (const point of points) layer.lineTo(...point);
      layer.stroke();
    }
    mask.globalCompositeOperation = "source-over";
  }

  function again() {
    const first = strokes.findLastIndex((each) => !each.points); // what was before it is gone
    for (const layer of [mask, brushed]) layer.clearRect(0, 0, mask.canvas.width, mask.canvas.height);
    base = strokes[first]?.base ?? null;
    if (base) mask.drawImage(strokes[first].loaded, 0, 0);
    strokes.slice(first + 1).forEach(lay);
  }

  // The painted part is hatched, so that colour is not the only sign of it.
  function hatched() {
    const tile = new OffscreenCanvas(12, 12);
    const lines = tile.getContext("2d");
    lines.fillStyle = "rgb(255 255 255 / 55%)";
    lines.fillRect(0, 0, 12, 12);
    lines.strokeStyle = "rgb(150 40 10 / 90%)";
    lines.lineWidth = 2;
    for (const x of [-12, 0, 12]) {
      lines.moveTo(x, 12);
      lines.lineTo(x + 12, 0);
    }
    lines.stroke();
    return seen.createPattern(tile, "repeat");
  }

  function draw() {
    const { width, height } = canvas;
    seen.drawImage(under, 0, 0, width, height);
    tint.canvas.width = width;
    tint.canvas.height = height;
    tint.drawImage(mask.canvas, 0, 0, width, height);
    tint.globalCompositeOperation = "source-in";
    tint.fillStyle = hatched();
    tint.fillRect(0, 0, width, height);
    seen.drawImage(tint.canvas, 0, 0);
    if (!at) return;
    for (const [colour, line] of [["#000", 4], ["#fff", 2]]) {
      seen.strokeStyle = colour;
      seen.lineWidth = line;
      seen.beginPath();
      seen.arc(at[0] * scale, at[1] * scale, (across() / 2) * scale, 0, 2 * Math.PI);
      seen.stroke();
    }
  }

  // In alpha. Anti-aliased edges of strokes would be strengths between: what the brush was over is
  // painted or it is not, and a mask that was loaded has its greys where no brush was.
  function levels() {
    const { width, height } = mask.canvas;
    const pixels = mask.getImageData(0, 0, width, height);
    const { data: over } = brushed.getImageData(0, 0, width, height);
    for (let i = 3; i < over.length; i += 4) {
      pixels.data[i] = over[i] > 127 ? (pixels.data[i] > 127 ? 255 : 0) : (base?.[i] ?? 0);
    }
    return pixels;
  }

  function painted() {
    const { data } = levels();
    let sum = 0;
    for (let i = 3; i < data.length; i += 4) sum += data[i];
    return sum / 255 / (data.length / 4);
  }

  function done() {
    again();
    draw();
    const share = painted();
    file.disabled = false;
    back.disabled = strokes.length === 0;
    none.disabled = share === 0;
    told.textContent = `${(100 * share).toFixed(0)}% is painted`;
    changed(share);
  }

  function begin() {
    if (!under) return;
    at ??= middle();
    stroke = { points: [at], width: across(), erase: erases.checked };
    strokes.push(stroke);
    lay(stroke);
    draw();
  }

  function go(point) {
    at = point;
    if (stroke) {
      stroke.points.push(point);
      lay({ ...stroke, points: stroke.points.slice(-2) });
    }
    draw();
  }

  function end() {
    if (!stroke) return;
    stroke = null;
    done();
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * mask.canvas.width, ((event.clientY - box.top) / box.height) * mask.canvas.height];
  };
  const within = ([x, y]) => [Math.min(Math.max(x, 0), mask.canvas.width), Math.min(Math.max(y, 0), mask.canvas.height)];
  const middle = () => [mask.canvas.width / 2, mask.canvas.height / 2];

  canvas.addEventListener("pointerdown", (event) => {
    if (!under || event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    at = place(event);
    begin();
  });
  canvas.addEventListener("pointermove", (event) => under && go(place(event)));
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);
  canvas.addEventListener("pointerleave", () => {
    if (stroke || !under || document.activeElement === canvas) return;
    at = null;
    draw();
  });
  canvas.addEventListener("focus", () => under && go(at ?? middle()));
  canvas.addEventListener("blur", () => {
    end();
    at = null;
    if (under) draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!under || event.ctrlKey || event.metaKey || event.altKey) return;
    at ??= middle();
    if (way) {
      const far = across() * STEP * (event.shiftKey ? 4 : 1);
      go(within([at[0] + far * way[0], at[1] + far * way[1]]));
      told.textContent = `at ${Math.round(at[0])}, ${Math.round(at[1])}`;
    } else if (event.key === " ") {
      if (!stroke) begin();
    } else if (event.key.toLowerCase() === "z") undo();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => event.key === " " && end());
  size.addEventListener("input", () => under && draw());

  function undo() {
    strokes.pop();
    done();
  }
  function clear() {
    strokes.push({ clears: true });
    done();
  }
  back.addEventListener("click", undo);
  none.addEventListener("click", clear);
  back.disabled = none.disabled = file.disabled = true;

  function show(image) {
    const [width, height] = [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];
    scale = Math.max(1, Math.ceil(SHOWN / Math.max(width, height)));
    for (const layer of [mask, brushed]) Object.assign(layer.canvas, { width, height });
    Object.assign(canvas, { width: width * scale, height: height * scale });
    [under, strokes, stroke] = [image, [], null];
    done();
  }

  function load(image) {
    const { width, height } = mask.canvas;
    const loaded = new OffscreenCanvas(width, height);
    const context = loaded.getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const [red, green, blue, alpha] = pixels.data.subarray(i, i + 4);
      pixels.data.fill(255, i, i + 3);
      pixels.data[i + 3] = ((0.299 * red + 0.587 * green + 0.114 * blue) * alpha) / 255;
    }
    context.putImageData(pixels, 0, 0);
    strokes.push({ loaded, base: pixels.data });
    done();
  }

  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    const image = chosen && (await createImageBitmap(chosen).catch(() => null));
    if (image) load(image);
    else if (chosen) told.textContent = `${chosen.name} is no picture`;
  });

  function blob() {
    const { width, height } = mask.canvas;
    const pixels = levels();
    for (let i = 0; i < pixels.data.length; i += 4) {
      pixels.data.fill(pixels.data[i + 3], i, i + 3);
      pixels.data[i + 3] = 255;
    }
    const whole = new OffscreenCanvas(width, height);
    whole.getContext("2d").putImageData(pixels, 0, 0);
    return whole.convertToBlob({ type: "image/png" });
  }

  return { canvas, show, load, share: () => (under ? painted() : 0), blob, clear, undo };
}
