/** The status line: what was done, a lost connection, and what failed, with a button to try it again. */

import { byId, show } from "./dom.js";
import { errorText, isTemporary } from "./errors.js";
import { store } from "./store.js";
import { texts } from "./texts.js";

const ANNOUNCEMENT_MS = 8_000;

/** "lost" or "busy" while requests are being repeated, else "". */
export const connection = store("");

let timer;
let retry;

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
  retry = isTemporary(error) ? again : undefined;
  const isUnanswered = error.status === 0 && retry;
  show(byId("failure-text"), isUnanswered ? text : errorText(error));
  byId("retry").hidden = !retry;
  byId("failure").hidden = false;
}

export function clearFailure() {
  retry = undefined;
  byId("failure").hidden = true;
  show(byId("failure-text"), "");
}

export function showStatus() {
  connection.follow((state) => show(byId("connection"), state && texts.connection[state]));
  byId("dismiss").addEventListener("click", clearFailure);
  byId("retry").addEventListener("click", () => {
    const again = retry;
    clearFailure();
    again?.();
  });
}
