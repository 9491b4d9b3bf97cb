// What follows a slider: one request at a time, and after it one more if there was another move.

import { listen } from "/static/lab.js";

// `asked` gives the query when its turn comes, or nothing if there is nothing to ask.
export function latest(path, asked, { done, over }) {
  let busy = false;
  let moved = false;
  return function go() {
    if (busy) {
      moved = true;
      return;
    }
    const query = asked();
    if (!query) return;
    busy = true;
    listen(path, query, {
      done,
      over: (why) => {
        busy = false;
        over?.(why);
        if (moved) {
          moved = false;
          go();
        }
      },
    });
  };
}
