// Lesson 12: questions. What was answered first is kept in this browser, by the questions' names.

import { $, ask, make } from "/static/lab.js";

const KEY = "check";
const MARKS = { right: "✓", wrong: "✗" };

let score = kept();
const sets = [];

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof found === "object" && found ? found : {};
  } catch {
    return {};
  }
}

function keep() {
  localStorage.setItem(KEY, JSON.stringify(score));
}

const points = (questions) => questions.filter(({ name }) => score[name] === true).length;
const given = (questions) => questions.filter(({ name }) => name in score).length;

function count() {
  for (const { questions, points: shown } of sets) {
    const some = given(questions);
    shown.textContent = some ? `${points(questions)} of ${questions.length}${some < questions.length ? ", so far" : ""}` : "";
  }
  const all = sets.flatMap(({ questions }) => questions);
  const said = given(all) ? `${points(all)} right of ${given(all)} answered` : "Nothing answered yet";
  $("score").textContent = `${said}; there are ${all.length} questions.`;
}

function question({ name, asks, answers }) {
  const why = make("p", { class: "why", role: "status" });
  const buttons = answers.map(({ says, right, why: reason }, k) => {
    const mark = make("span", { class: "mark", "aria-hidden": "true" }, String(k + 1));
    const button = make("button", { type: "button" }, mark, make("span", {}, says));
    button.addEventListener("click", () => {
      const kind = right ? "right" : "wrong";
      button.classList.add(kind);
      mark.textContent = MARKS[kind];
      why.replaceChildren(make("b", {}, right ? "Right. " : "No. "), reason);
      if (!(name in score)) score[name] = right;
      keep();
      count();
    });
    return button;
  });
  const list = make("ol", { class: "answers" }, ...buttons.map((button) => make("li", {}, button)));
  const field = make("fieldset", { class: "question", "data-name": name }, make("legend", {}, asks), list, why);
  field.addEventListener("keydown", (pressed) => {
    if (!pressed.ctrlKey && !pressed.metaKey && !pressed.altKey) buttons[Number(pressed.key) - 1]?.click();
  });
  return field;
}

function show({ slug, title, questions }) {
  const shown = make("span", { class: "points" });
  const set = make("details", { class: "set", id: slug, name: "sets" }, make("summary", {}, title, " ", shown));
  set.append(...questions.map(question));
  sets.push({ questions, points: shown, set, slug });
  return set;
}

// The set that the address names, or the first that is not yet done.
function open() {
  const named = sets.find(({ slug }) => `#${slug}` === location.hash);
  const next = sets.find(({ questions }) => given(questions) < questions.length);
  (named ?? next ?? sets[0]).set.open = true;
}

const told = await ask("/api/check");

function begin() {
  sets.length = 0;
  $("sets").replaceChildren(...told.sets.map(show));
  count();
  open();
}

$("clear").addEventListener("click", () => {
  score = {};
  keep();
  begin();
});
addEventListener("hashchange", open);
begin();
