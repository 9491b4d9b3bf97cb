// What is drawn of strength and of low rank, from the server's numbers.

const NS = "http://www.w3.org/2000/svg";

function put(svg, tag, attributes, text) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  svg.append(element);
}

// A bar a step, as high as the noise that it begins with; those not taken are outlines.
export function staircase(svg, levels, taken) {
  svg.replaceChildren();
  const steps = levels.length - 1;
  const wide = 600 / steps;
  const most = Math.max(...levels);
  for (let k = 0; k < steps; k++) {
    const high = Math.max(2, (110 * levels[k]) / most);
    const side = { x: k * wide + 2, y: 120 - high, width: Math.max(wide - 4, 1), height: high };
    put(svg, "rect", { ...side, class: k < steps - taken ? "left" : "taken" });
  }
  put(svg, "text", { x: 0, y: 142 }, "noise");
  put(svg, "text", { x: 600, y: 142, "text-anchor": "end" }, "picture");
}

export function strengthWords({ taken, alpha, sigma }, steps) {
  if (alpha === null) return `Less than one of ${steps} steps: give more.`;
  if (taken === 0) return "No step is taken: the picture comes back, bit for bit.";
  return `${taken} of ${steps} steps are taken, from x = ${alpha.toFixed(3)} · x₀ + ${sigma.toFixed(3)} · ε on.`;
}

// W, and B times A as thick as their rank among 128.
export function thin(svg, rank) {
  svg.replaceChildren();
  const thick = Math.max(2, (100 * rank) / 128);
  put(svg, "rect", { class: "block", x: 60, y: 10, width: 100, height: 100 });
  put(svg, "text", { x: 110, y: 132, "text-anchor": "middle" }, "W");
  put(svg, "text", { x: 200, y: 66, "text-anchor": "middle" }, "+");
  put(svg, "rect", { class: "thin", x: 240, y: 10, width: thick, height: 100 });
  put(svg, "text", { x: 240 + thick / 2, y: 132, "text-anchor": "middle" }, "B");
  put(svg, "text", { x: 375, y: 66, "text-anchor": "middle" }, "·");
  put(svg, "rect", { class: "thin", x: 410, y: 60 - thick / 2, width: 100, height: thick });
  put(svg, "text", { x: 460, y: 132, "text-anchor": "middle" }, "A");
}
