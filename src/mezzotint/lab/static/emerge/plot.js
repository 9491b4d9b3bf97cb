// Lesson 2: how far each lane's x̂₀ is from the lane's own end, call by call.

const NS = "http://www.w3.org/2000/svg";
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 980, 20, 270];
const DASHES = ["none", "18 10", "4 9", "24 8 4 8"]; // not by colour alone

function put(svg, tag, attributes, text = "") {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  svg.append(element);
}

// lanes: {steps: [{calls}], left: [distance]}; those without `left` have not ended.
export function draw(svg, lanes, calls, most) {
  const highest = Math.max(...lanes.flatMap(({ left }) => left ?? []), 0.001);
  const x = (call) => LEFT + ((RIGHT - LEFT) * call) / most;
  const y = (value) => BOTTOM - ((BOTTOM - TOP) * value) / highest;
  svg.replaceChildren();
  put(svg, "path", { class: "axis", fill: "none", d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}` });
  put(svg, "text", { x: LEFT - 8, y: TOP + 14, "text-anchor": "end" }, highest.toFixed(2));
  put(svg, "text", { x: LEFT - 8, y: BOTTOM, "text-anchor": "end" }, "0");
  put(svg, "text", { x: RIGHT, y: BOTTOM + 36, "text-anchor": "end" }, `${most} calls`);
  put(svg, "path", { class: "now", id: "now", d: `M${x(calls)} ${TOP}V${BOTTOM}` });
  lanes.forEach(({ steps, left }, k) => {
    if (!left) return;
    const points = left.map((value, i) => `${x(steps[i].calls)},${y(value)}`);
    const attributes = { class: `curve c${k + 1}`, "stroke-dasharray": DASHES[k] };
    put(svg, "polyline", { ...attributes, points: points.join(" ") });
  });
}
