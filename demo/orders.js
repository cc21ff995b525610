/** The list of the customer's orders, and the page of one order. */

import { change } from "./cart_changes.js";
import { settings, shop } from "./connection.js";
import { byId, copyOf, part, show, showList } from "./dom.js";
import { isRefusal, isSignInEnd } from "./errors.js";
import { dateTime, money, time } from "./format.js";
import { latest } from "./latest.js";
import { readMethods, redirects } from "./methods.js";
import { refreshProducts } from "./products.js";
import { refreshSession, session } from "./session.js";
import { announce, forgetFailures, reportFailure } from "./status.js";
import { texts } from "./texts.js";

const MOST = 50;
const CLOCK_MS = 10_000;

/** The order of this key is shown; without a key, the list. */
let shownKey;

/** The order that the page shows. */
let shown;

const beginLoad = latest();
const ordersReading = { again: refreshOrders, lost: texts.connection.notLoaded };

const statusText = (status) => texts.orders.statuses[status] ?? status;

/** Read with `read`, and show the result; say why if it fails. */
async function load(read, showResult) {
  const isLatest = beginLoad();
  byId("orders-signed-out").hidden = shop.isSignedIn;
  if (!shop.isSignedIn) return;
  try {
    const result = await read();
    if (!isLatest()) return;
    forgetFailures((failed) => failed === ordersReading);
    showResult(result);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (isSignInEnd(error)) refreshSession();
    else if (isLatest()) reportFailure(ordersReading, error);
  }
}

/** Show the list of orders, or with a key that order. */
export function showOrdersAt(key) {
  show(byId("orders-title"), key ? texts.orders.order : texts.orders.title);
  byId("orders-back").hidden = !key;
  byId("order-list").hidden = true;
  byId("no-orders").hidden = true;
  byId("latest-orders").hidden = true;
  byId("order").hidden = true;
  shownKey = key;
  shown = undefined;
  loadShown();
}

function loadShown() {
  const key = shownKey;
  if (!key) return load(() => shop.orders({ limit: MOST }), showOrders);
  return load(async () => {
    await readMethods();
    return shop.order(key);
  }, showOrder);
}

/** Read the list or the order that is shown again. */
export function refreshOrders() {
  if (!byId("orders").hidden) loadShown();
}

function showOrders({ results }) {
  byId("order-list").hidden = results.length === 0;
  byId("no-orders").hidden = results.length > 0;
  show(byId("latest-orders"), results.length === MOST ? texts.orders.latest(MOST) : "");
  showList(
    byId("order-list"),
    results,
    ({ key }) => key,
    () => copyOf("order-line"),
    (element, order) => {
      part(element, "link").href = `#orders/${order.key}`;
      show(part(element, "key"), order.key);
      show(part(element, "date"), dateTime(order.created_at));
      show(part(element, "pieces"), texts.orders.pieces(order.quantity));
      show(part(element, "total"), money(order.total, order.currency));
      showStatus(part(element, "status"), order.status);
    },
  );
}

function showStatus(element, status) {
  show(element, statusText(status));
  element.dataset.status = status;
}

function showOrder(order) {
  shown = order;
  const amount = (value) => money(value, order.currency ?? settings.currency);
  byId("order").hidden = false;
  show(byId("order-key"), order.key);
  show(byId("order-date"), texts.orders.placedAt(dateTime(order.created_at)));
  show(byId("order-notes-shown"), order.notes ? texts.orders.notes(order.notes) : "");
  showStatus(byId("order-status"), order.status);
  showReserved();
  const pay = byId("pay-order");
  pay.href = `pay.html?${new URLSearchParams({ order: order.key, total: order.total, currency: order.currency })}`;
  showList(
    byId("order-items"),
    order.items,
    ({ product }) => product.id,
    () => copyOf("order-item"),
    (element, { product, quantity, notes, unit_price, unit_discount, total }) => {
      part(element, "picture").src = product.image;
      show(part(element, "name"), product.name);
      show(part(element, "line"), texts.orders.line(quantity, amount(unit_price - unit_discount)));
      show(part(element, "notes"), notes ? texts.orders.notes(notes) : "");
      show(part(element, "total"), amount(total));
    },
  );
  const discount = order.discount ? amount(-order.discount) : "";
  show(byId("order-discount"), discount);
  byId("order-discount").parentElement.hidden = !discount;
  show(byId("order-subtotal"), amount(order.subtotal));
  show(byId("order-shipping"), order.shipping_cost ? amount(order.shipping_cost) : texts.totals.free);
  show(byId("order-total"), amount(order.total));
}

/** Say how long an unpaid order is reserved, and show what can be done until then. Returns whether that time is over. */
function showReserved() {
  const until = shown?.status === "hold" && shown.reserved_until;
  const left = until ? new Date(until) - Date.now() : 0;
  const isOver = Boolean(until) && left <= 0;
  const text = () => texts.orders.reserved(time(until), Math.floor(left / 60_000));
  show(byId("order-reserved"), isOver ? texts.orders.reservationEnded : until ? text() : "");
  const isOpen = shown?.status === "hold" && !isOver;
  byId("cancel-order").hidden = !isOpen;
  byId("pay-order").hidden = !isOpen || !redirects(shown.payment_method);
  return isOver;
}

/** At the end of a reservation, the order gets another status soon. */
function followReservation() {
  if (showReserved()) refreshOrders();
}

function cancel() {
  const { key } = shown;
  const isShown = () => shown?.key === key;
  change(
    `cancellation of ${key}`,
    async () => {
      const cancelled = await shop.cancel(key);
      announce(texts.orders.cancelled);
      refreshProducts();
      if (!isShown()) return refreshOrders();
      showOrder(cancelled);
      byId("orders-title").focus();
    },
    ({ error }) => {
      if (error !== "order cannot be cancelled" || !isShown()) return false;
      refreshOrders(); // it was paid or cancelled in another tab
      byId("orders-title").focus();
      return false;
    },
  );
}

/** Prepare the views; `reload` shows them again, after another customer has signed in. */
export function prepareOrders(reload) {
  byId("cancel-order").addEventListener("click", cancel);
  setInterval(followReservation, CLOCK_MS);
  session.follow(reload);
}
