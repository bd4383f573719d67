// Asks the daemon every few seconds, and says how that goes.

import { $, setText, showNotice } from "./page.js";
import { moment } from "./words.js";

const DEADLINE_MS = 10000;

class AnswerError extends Error {
  constructor(status) {
    super(`answer ${status}`);
    this.status = status;
  }
}

/** Ask the API; what it says is JSON. */
export async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(DEADLINE_MS), cache: "no-store" });
  if (!answer.ok) throw new AnswerError(answer.status);
  return answer.json();
}

/** Show how it goes: "live", "starting" or "lost", a word for it, and what to do. */
export function setState(state, text, remedy = "") {
  $("status").dataset.state = state;
  $("page").dataset.state = state;
  // Announced politely by screen readers, so only a change of state is said.
  setText($("status"), text);
  showNotice("trouble", remedy);
}

function explain(error, who, sinceUnixS) {
  const kept = sinceUnixS === null ? "" : ` What you see is of ${moment(sinceUnixS)}.`;
  const since = sinceUnixS === null ? "" : ` since ${moment(sinceUnixS)}`;
  switch (error.status) {
    case 401:
      return ["lost", "not signed in", `The ${who} wants a name and a password that it knows.${kept} Load the page again to be asked for them.`];
    case 503:
      return ["starting", "starting: the first sample is not there yet", ""];
    case undefined:
      return ["lost", `no answer${since}; trying again`, `The ${who} does not answer.${kept} See whether it runs, and what its log says.`];
    default:
      return ["lost", `an error${since}; trying again`, `The ${who} answered with error ${error.status}.${kept} Its log says why.`];
  }
}

/**
 * Ask for ever, and only while somebody looks.
 *
 * Options: everyMs; who answers, "daemon" or "hub"; ask() fetches all that is shown;
 * show(found) shows it, and returns [state, text, remedy] where it is not simply live;
 * sinceUnixS() says of when the last good answer was, or null.
 */
export function follow({ everyMs, who, ask: fetchAll, show, sinceUnixS }) {
  let timer = null;
  let isAsking = false;

  async function update() {
    // Who comes back to the page while it asks waits for that answer.
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    try {
      const found = await fetchAll().catch((error) => {
        setState(...explain(error, who, sinceUnixS()));
        return null;
      });
      if (found !== null) setState(...(show(found) ?? ["live", "live"]));
    } finally {
      isAsking = false;
      if (!document.hidden) timer = setTimeout(update, everyMs);
    }
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
  update();
}
