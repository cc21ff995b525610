/** The status line: what was done, a lost connection, and what failed, with a button to try it again. */

import { byId, show } from "./dom.js";
import { errorText, isTemporary } from "./errors.js";
import { store } from "./store.js";
import { texts } from "./texts.js";

const ANNOUNCEMENT_MS = 8_000;

/** "lost" or "busy" while requests are being repeated, else "". */
export const connection = store("");

/**
 * The readings and changes that failed, oldest first, each as an object: `again` tries it again, and `lost` is the text for a
 * lost connection. Each has its text here, whether it may be tried again, and whether it is about to be.
 */
const failures = new Map();

let timer;

/** Say what was done, also to screen readers. */
export function announce(text) {
  clearTimeout(timer);
  show(byId("announcement"), text);
  if (text) timer = setTimeout(() => announce(""), ANNOUNCEMENT_MS);
}

function showFailures() {
  const shown = Array.from(failures.values()).filter(({ isNext }) => !isNext);
  show(byId("failure-text"), shown.at(-1)?.text ?? "");
  byId("retry").hidden = !shown.some(({ mayRetry }) => mayRetry);
  byId("failure").hidden = shown.length === 0;
}

/** Say that a reading or a change failed. If it can be tried again, and the failure is temporary, a button does so. */
export function reportFailure(failed, error, text = "") {
  const { again, lost = texts.connection.notSaved } = failed;
  connection.set("");
  announce(""); // an older success would be read with the failure
  const mayRetry = isTemporary(error) && again !== undefined;
  failures.delete(failed); // it is the latest now
  failures.set(failed, { text: text || (mayRetry && error.status === 0 ? lost : errorText(error)), mayRetry });
  showFailures();
}

/** Forget failures: all, or those of which `isOver` is true. */
export function forgetFailures(isOver = () => true) {
  for (const [failed, { mayRetry }] of failures) if (isOver(failed, mayRetry)) failures.delete(failed);
  showFailures();
}

/** Return what may be tried again, oldest first. */
export const retryable = () => Array.from(failures.keys()).filter((failed) => failures.get(failed).mayRetry);

/** Try all again in their order. What fails again is shown again. */
async function retryAll() {
  const next = retryable();
  for (const failed of next) failures.get(failed).isNext = true;
  forgetFailures((_, mayRetry) => !mayRetry);
  for (const failed of next) {
    if (failures.delete(failed)) await failed.again(); // else it was forgotten in the meantime
  }
}

export function showStatus() {
  connection.follow((state) => show(byId("connection"), state && texts.connection[state]));
  byId("dismiss").addEventListener("click", () => forgetFailures());
  byId("retry").addEventListener("click", retryAll);
}
