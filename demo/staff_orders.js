/** The shop's orders, newest first, and what the staff does with them. */

import { byId, copyOf, part, show, showList } from "./dom.js";
import { dateTime, money } from "./format.js";
import { changeOrder, readOrders } from "./server.js";
import { reader, request } from "./staff_request.js";
import { announce } from "./status.js";
import { texts } from "./texts.js";

/** The statuses that may follow a status (contract: Order). */
const NEXT = {
  hold: ["processing", "cancelled", "failed"],
  processing: ["shipped", "cancelled", "refunded"],
  shipped: ["completed", "refunded"],
  completed: ["refunded"],
  cancelled: [],
  failed: [],
  refunded: [],
};

const read = reader("orders", showOrders);

function load() {
  const status = byId("status-filter").value;
  read(() => readOrders(status ? { status } : {}));
}

function showOrders(orders) {
  byId("no-orders").hidden = orders.length > 0;
  showList(
    byId("order-list"),
    orders,
    ({ key }) => key,
    () => copyOf("order-sheet"),
    showOrder,
  );
}

function showOrder(element, order) {
  const { key, status, created_at, customer, quantity, notes, total, currency } = order;
  show(part(element, "key"), key);
  show(part(element, "status"), texts.orders.statuses[status] ?? status);
  part(element, "status").dataset.status = status;
  show(part(element, "date"), dateTime(created_at));
  show(part(element, "customer"), texts.staff.customer(customer));
  show(part(element, "pieces"), texts.orders.pieces(quantity));
  show(part(element, "notes"), notes ? texts.orders.notes(notes) : "");
  show(part(element, "total"), money(total, currency));
  showList(
    part(element, "changes"),
    NEXT[status] ?? [],
    (next) => next,
    (next) => createChange(element, key, next),
    () => {},
  );
}

function createChange(element, key, next) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = texts.staff.become[next];
  button.ariaLabel = texts.staff.becomeLabel(texts.staff.become[next], key);
  button.addEventListener("click", () =>
    next === "refunded" ? askToRefund(element, key) : apply(element, key, { status: next }),
  );
  return button;
}

function apply(element, key, change) {
  request(
    key,
    () => changeOrder(key, change),
    (changed) => {
      announce(texts.staff.changed(key, texts.orders.statuses[changed.status]));
      showOrder(element, changed);
    },
  );
}

function askToRefund(element, key) {
  const dialog = byId("refund");
  show(byId("refund-key"), key);
  byId("restock").checked = true;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue) apply(element, key, { status: "refunded", restock: byId("restock").checked });
  };
  dialog.showModal();
}

function prepare() {
  const statuses = Object.keys(NEXT).map((status) => new Option(texts.orders.statuses[status], status));
  byId("status-filter").append(new Option(texts.staff.allStatuses, ""), ...statuses);
  byId("status-filter").addEventListener("change", load);
  byId("reload").addEventListener("click", load);
}

/** Show the section; it reads the orders each time. */
export function showStaffOrders() {
  if (!byId("status-filter").options.length) prepare();
  load();
}
