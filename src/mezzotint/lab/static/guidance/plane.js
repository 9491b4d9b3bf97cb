// Lesson 6: both predictions and the guided one, in the plane through the two and 0.

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, PAD] = [1000, 420, 46];
const NEAR = 90; // closer than this, two labels would lie on each other

// plane: {uncond, cond, guided: [along the way of guidance, across it]}; scale: of the slider.
export function draw(svg, { uncond, cond, guided }, scale, words) {
  const points = [uncond, cond, guided];
  const left = Math.min(-1, ...points.map(([x]) => x));
  const right = Math.max(1, ...points.map(([x]) => x));
  const top = Math.max(1, ...points.map(([, y]) => y));
  const unit = Math.min((WIDTH - 2 * PAD) / (right - left), (HEIGHT - 2 * PAD) / top);
  const x = (value) => WIDTH / 2 + unit * (value - (left + right) / 2);
  const y = (value) => HEIGHT - PAD - unit * value;
  const put = (tag, attributes, text = "") => {
    const element = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    svg.append(element);
  };
  const label = ([a, b], text, down) =>
    put("text", { x: x(a), y: y(b) + (down ? 34 : -18), "text-anchor": "middle" }, text);

  svg.replaceChildren();
  put("path", { class: "arc", d: `M${x(-1)} ${y(0)}A${unit} ${unit} 0 0 1 ${x(1)} ${y(0)}` });
  put("path", { class: "from", d: `M${x(0)} ${y(0)}L${x(guided[0])} ${y(guided[1])}` });
  put("circle", { class: "from", cx: x(0), cy: y(0), r: 5 });
  put("text", { x: x(0), y: y(0) + 32, "text-anchor": "middle" }, "0");

  const way = cond[0] - uncond[0];
  put("path", { class: "ray", d: `M${x(uncond[0])} ${y(uncond[1])}H${x(right)}` });
  const there = uncond[0] + scale * way;
  if (there <= right) put("path", { class: "ray", id: "there", d: `M${x(there)} ${y(cond[1]) - 12}v24` });

  const [one, two] = [`${x(uncond[0])}`, `${x(cond[0])}`];
  put("circle", { class: "point hollow c2", cx: one, cy: y(uncond[1]), r: 9 });
  put("circle", { class: "point full c3", cx: two, cy: y(cond[1]), r: 9 });
  const square = { x: x(guided[0]) - 9, y: y(guided[1]) - 9, width: 18, height: 18 };
  put("rect", { class: "point full c1", id: "guided", ...square });
  label(guided, "guided", false);
  if (unit * way > NEAR) {
    label(uncond, words.uncond, true);
    label(cond, words.cond, true);
  } else if (unit * Math.hypot(guided[0] - cond[0], guided[1] - cond[1]) > NEAR) {
    label(cond, "both", true);
  }
}
