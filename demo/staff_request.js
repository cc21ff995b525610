/** A request of the staff's page: what fails is shown in the status line. */

import { byId, show } from "./dom.js";
import { errorText, isRefusal } from "./errors.js";
import { latest } from "./latest.js";
import { clearFailure, reportFailure } from "./status.js";
import { texts } from "./texts.js";

/** Whether the server says what the staff can correct, and the page has no text of its own for it. */
const hasReason = (error) => [400, 409].includes(error.status) && errorText(error) === texts.errors.unknown;

/** Run a request, and call `onResult` with its result, also if only a later try succeeds, unless `isWanted` says no by then. */
export async function request(run, onResult, text = texts.connection.notSaved, isWanted = () => true) {
  let result;
  try {
    result = await run();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (!isWanted()) return;
    reportFailure(error, () => isWanted() && request(run, onResult, text, isWanted), text);
    if (hasReason(error)) show(byId("failure-text"), error.error);
    return;
  }
  if (!isWanted()) return;
  clearFailure();
  onResult(result);
}

/** Return a function that runs a request for what a section shows. Only the latest one counts. */
export function reader(onResult) {
  const begin = latest();
  return (run) => request(run, onResult, texts.connection.notLoaded, begin());
}
