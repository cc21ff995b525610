/** The staff's page: which of its sections the address shows. */

import { byId, fillTexts, prepareSkipLink } from "./dom.js";
import { showStaffOrders } from "./staff_orders.js";
import { showStaffProducts } from "./staff_products.js";
import { showStatistics } from "./staff_statistics.js";
import { showStatus } from "./status.js";

const SECTIONS = { orders: showStaffOrders, products: showStaffProducts, statistics: showStatistics };

function showSection() {
  const named = location.hash.slice(1);
  const current = Object.hasOwn(SECTIONS, named) ? named : "orders";
  for (const name of Object.keys(SECTIONS)) {
    byId(name).hidden = name !== current;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === current) link.ariaCurrent = "page";
    else link.removeAttribute("aria-current");
  }
  SECTIONS[current]();
}

fillTexts();
prepareSkipLink();
showStatus();
showSection();
window.addEventListener("hashchange", () => {
  showSection();
  document.querySelector("section:not([hidden]) h1").focus();
});
