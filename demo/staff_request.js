/** A request of the staff's page: what fails is shown in the status line. */

import { isRefusal } from "./errors.js";
import { clearFailure, reportFailure } from "./status.js";
import { texts } from "./texts.js";

/** Run a request and return its result, or undefined if it failed. */
export async function request(run, text = texts.connection.notSaved) {
  try {
    const result = await run();
    clearFailure();
    return result;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    reportFailure(error, () => request(run, text), text);
    return undefined;
  }
}
