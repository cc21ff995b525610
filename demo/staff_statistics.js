/** The charts of `cartctl stats show --html`, in a frame. */

import { byId } from "./dom.js";
import { texts } from "./texts.js";

const DAYS = [7, 30, 90];
const FIRST = 30;

function load() {
  byId("charts").src = `staff/statistics.html?days=${byId("days").value}`;
}

/** Show the section. */
export function showStatistics() {
  const days = byId("days");
  if (!days.options.length) {
    days.append(...DAYS.map((count) => new Option(texts.staff.lastDays(count), count)));
    days.value = FIRST;
    days.addEventListener("change", load);
    byId("charts").title = texts.staff.charts;
  }
  load();
}
