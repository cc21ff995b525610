/** A request of the staff's page: what fails is shown in the status line. */

import { errorText, isRefusal } from "./errors.js";
import { latest } from "./latest.js";
import { forgetFailures, reportFailure } from "./status.js";
import { texts } from "./texts.js";

/** What the server says, if the staff can correct it and the page has no text for it. */
function reasonOf(error) {
  return [400, 409].includes(error.status) && errorText(error) === texts.errors.unknown ? error.error : "";
}

/**
 * Run a request, and call `onResult` with its result, also if only a later try succeeds, unless `isWanted` says no by then.
 * `of` names what is read or changed: a failure is shown until a request of the same follows.
 */
export async function request(of, run, onResult, { lost, isWanted = () => true } = {}) {
  const again = () => isWanted() && request(of, run, onResult, { lost, isWanted });
  forgetFailures((failed) => failed.of === of);
  let result;
  try {
    result = await run();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (isWanted()) reportFailure({ of, again, lost }, error, reasonOf(error));
    return;
  }
  if (isWanted()) onResult(result);
}

/** Return a function that runs a request for what a section shows. Only the latest one counts. */
export function reader(of, onResult) {
  const begin = latest();
  return (run) => request(of, run, onResult, { lost: texts.connection.notLoaded, isWanted: begin() });
}
