/** The status line: what was done, a lost connection, and what failed, with a button to try it again. */

import { byId, show } from "./dom.js";
import { errorText, isTemporary } from "./errors.js";
import { store } from "./store.js";
import { texts } from "./texts.js";

const ANNOUNCEMENT_MS = 8_000;

/** "lost" or "busy" while requests are being repeated, else "". */
export const connection = store("");

/** What failed and may be tried again, oldest first: readings, and changes, which have `of`. */
export const retries = new Set();

let timer;
let isRetrying = false;

/** Say what was done, also to screen readers. */
export function announce(text) {
  clearTimeout(timer);
  show(byId("announcement"), text);
  if (text) timer = setTimeout(() => announce(""), ANNOUNCEMENT_MS);
}

/** Say that something failed. With `again`, a temporary failure has a button that calls it. */
export function reportFailure(error, again, text = texts.connection.notSaved) {
  connection.set("");
  announce(""); // an older success would be read with the failure
  const mayRetry = isTemporary(error) && again !== undefined;
  if (mayRetry) retries.add(again);
  show(byId("failure-text"), mayRetry && error.status === 0 ? text : errorText(error));
  byId("retry").hidden = retries.size === 0;
  byId("failure").hidden = false;
}

function hideFailure() {
  byId("failure").hidden = true;
  show(byId("failure-text"), "");
}

/** Forget what failed. In a retry, the success of one change does not hide the failure of another. */
export function clearFailure() {
  if (isRetrying) return;
  retries.clear();
  hideFailure();
}

/** Forget the failed changes that newer ones have replaced: to try them again would undo the newer ones. */
export function forgetReplaced() {
  if (retries.size === 0) return;
  for (const again of retries) {
    if (again.isReplaced) retries.delete(again);
  }
  if (retries.size === 0) hideFailure();
}

/** Try all again in their order. What fails again is in `retries` again. */
async function retryAll() {
  hideFailure();
  isRetrying = true;
  try {
    for (const again of Array.from(retries)) {
      if (retries.delete(again)) await again(); // else it was dismissed in the meantime
    }
  } finally {
    isRetrying = false;
  }
}

export function showStatus() {
  connection.follow((state) => show(byId("connection"), state && texts.connection[state]));
  byId("dismiss").addEventListener("click", () => {
    retries.clear();
    hideFailure();
  });
  byId("retry").addEventListener("click", retryAll);
}
