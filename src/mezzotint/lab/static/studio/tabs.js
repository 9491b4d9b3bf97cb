// Views of which one is seen, by the keys of a tab list.

import { $ } from "/static/lab.js";

const tabs = () => [...document.querySelectorAll("[role='tab']")];

export function show(name) {
  for (const tab of tabs()) {
    const on = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !on;
  }
}

// `seen` has a function for a view that begins anew each time that it is shown.
export function setUp(seen) {
  const choose = (tab) => {
    const name = tab.id.replace("tab-", "");
    show(name);
    tab.focus();
    seen[name]?.();
  };
  for (const [k, tab] of tabs().entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (by) choose(tabs().at((k + by) % tabs().length));
    });
  }
}
