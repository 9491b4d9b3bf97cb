// Drawings of numbers, as SVG, so that they follow the page's colours and sizes.

const WIDTH = 680;
const HEIGHT = 400;
const BOX = { left: 70, right: 500, top: 16, bottom: 340 };
const APART = 24;

// An element of SVG with attributes and children.
export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The k-th of several things: a colour, and a mark that tells them apart without it.
export const look = (k) => ({ colour: `c${(k % 4) + 1}`, mark: MARKS[k % MARKS.length] });

const MARKS = [
  "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z",
  "M-5.5 -5.5h11v11h-11Z",
  "M0 -7L7 5.5H-7Z",
  "M0 -8L8 0L0 8L-8 0Z",
  "M-6 -6L6 6M-6 6L6 -6",
  "M-7 0H7M0 -7V7",
  "M0 7L7 -5.5H-7Z",
];

// A scale: `ticks` are where its axis has numbers, and `log` says how numbers are spaced.
function scale({ from, to, log }, start, end) {
  const f = log ? Math.log10 : (v) => v;
  return (v) => start + ((f(v) - f(from)) / (f(to) - f(from))) * (end - start);
}

// Curves, `lines` of {name, points: [[x, y], …], colour, mark, dashed}, named at their ends.
export function chart(svg, { x, y, lines }) {
  const across = scale(x, BOX.left, BOX.right);
  const up = scale(y, BOX.bottom, BOX.top);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.replaceChildren(
    shape("path", { class: "axis", fill: "none", d: `M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}` }),
    ...x.ticks.map((v) => shape("text", { x: across(v), y: BOX.bottom + 26, "text-anchor": "middle" }, String(v))),
    ...y.ticks.map((v) => shape("text", { x: BOX.left - 8, y: up(v) + 6, "text-anchor": "end" }, String(v))),
    ...y.ticks.map((v) => shape("path", { class: "axis", d: `M${BOX.left - 4} ${up(v)}h4` })),
    shape("text", { x: (BOX.left + BOX.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, x.label),
  );
  const shown = lines.map((line) => ({
    ...line,
    at: line.points
      .filter(([, v]) => v > y.from || !y.log)
      .map(([u, v]) => [across(u), Math.min(BOX.bottom, Math.max(BOX.top, up(v)))]),
  }));
  const named = shown.filter(({ name, at }) => name && at.length);
  let last = -Infinity;
  for (const line of named.sort((a, b) => a.at.at(-1)[1] - b.at.at(-1)[1])) {
    last = Math.max(line.at.at(-1)[1], last + APART);
    line.label = last;
  }
  const over = Math.max(0, last - BOX.bottom);
  for (const { at, name, colour = "", mark, dashed, label } of shown) {
    if (!at.length) continue;
    const d = at.map(([u, v], k) => `${k ? "L" : "M"}${u.toFixed(1)} ${v.toFixed(1)}`).join("");
    svg.append(shape("path", { class: `line ${colour}${dashed ? " dashed" : ""}`, d }));
    for (const [u, v] of mark ? at : []) {
      svg.append(shape("path", { class: `mark ${colour}`, d: mark, transform: `translate(${u} ${v})` }));
    }
    if (!name) continue;
    if (mark) {
      const transform = `translate(${BOX.right + 18} ${label - over})`;
      svg.append(shape("path", { class: `mark ${colour}`, d: mark, transform }));
    }
    svg.append(shape("text", { x: BOX.right + (mark ? 30 : 8), y: label - over + 6 }, name));
  }
}

// Powers of ten that hold all of the numbers in between, and those to write at an axis.
export function decades(values) {
  const logs = values.filter((v) => v > 0).map(Math.log10);
  const low = Math.floor(Math.min(...logs, Infinity));
  const high = Math.ceil(Math.max(...logs, -Infinity));
  if (!Number.isFinite(low)) return { from: 0.1, to: 1, log: true, ticks: [0.1, 1] };
  const end = Math.max(high, low + 1);
  const every = Math.ceil((end - low) / 6);
  const powers = Array.from({ length: end - low + 1 }, (_, k) => low + k);
  const ticks = powers.filter((_, k) => k % every === 0).map((power) => Number(`1e${power}`));
  return { from: 10 ** low, to: 10 ** end, log: true, ticks };
}
