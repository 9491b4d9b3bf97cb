// What the pages' scripts share.

export const $ = (id) => document.getElementById(id);

// What stands in some fields; where one is empty, the lab takes what it usually does.
export function filled(...ids) {
  return Object.fromEntries(ids.map((id) => [id, $(id).value]).filter(([, value]) => value !== ""));
}

// Whether what stands in some fields is good; the browser says what is wrong with the first that is not.
export const fit = (...ids) => ids.every((id) => $(id).reportValidity());

// Server-sent events. `on` has a function for each event by its name, and may have `over`, called
// once at the end with a reason, or with nothing if all went well. Returns a function that stops it.
export function listen(path, asked, on) {
  const source = new EventSource(`${path}?${new URLSearchParams(asked)}`);
  const end = (why) => {
    source.close();
    on.over?.(why);
  };
  for (const name of Object.keys(on)) {
    if (["over", "done", "refused"].includes(name)) continue;
    source.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
  }
  source.addEventListener("done", (event) => {
    on.done?.(JSON.parse(event.data));
    end();
  });
  source.addEventListener("refused", (event) => end(JSON.parse(event.data).why));
  source.onerror = () => end("The lab does not answer: is it still running?");
  return () => source.close();
}

// What the server answers, as JSON; what it says is wrong is thrown as an Error.
export async function ask(path, options) {
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.why ?? `The lab says ${answer.status}.`);
  return told;
}

// Bring a picture to the lab: {picture, size}, where `picture` is the name that it is known by.
export const bring = (file) => ask("/api/pictures", { method: "POST", body: file });

// An element with attributes and children; text is text, whatever is in it.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
