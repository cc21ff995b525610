/** Fill the texts of the shop's page at once, and start the shop when its server has answered. */

import { byId, fillTexts } from "./dom.js";
import { isRefusal } from "./errors.js";
import { showStatus } from "./status.js";

fillTexts();
showStatus();
try {
  await import("./shop.js");
} catch (error) {
  byId("unavailable").hidden = false;
  if (!isRefusal(error)) throw error;
}
