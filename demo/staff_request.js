/** A request of the staff's page: what fails is shown in the status line. */

import { byId, show } from "./dom.js";
import { errorText, isRefusal } from "./errors.js";
import { clearFailure, reportFailure } from "./status.js";
import { texts } from "./texts.js";

/** Whether the server says what the staff can correct, and the page has no text of its own for it. */
const hasReason = (error) => [400, 409].includes(error.status) && errorText(error) === texts.errors.unknown;

/** Run a request, and call `onResult` with its result, also if only a later try succeeds. */
export async function request(run, onResult, text = texts.connection.notSaved) {
  let result;
  try {
    result = await run();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    reportFailure(error, () => request(run, onResult, text), text);
    if (hasReason(error)) show(byId("failure-text"), error.error);
    return;
  }
  clearFailure();
  onResult(result);
}
