/** The shipping and payment methods that the shop offers, and those that the customer selected. */

import { announceTotal, change } from "./cart_changes.js";
import { cart, settings, shop } from "./connection.js";
import { byId, copyOf, part, show, showList } from "./dom.js";
import { isRefusal, isSignInEnd } from "./errors.js";
import { money } from "./format.js";
import { refreshSession } from "./session.js";
import { forgetFailures, reportFailure } from "./status.js";
import { store } from "./store.js";
import { texts } from "./texts.js";

const shipping = store([]);
const payment = store([]);
const methodsReading = { again: readMethods, lost: texts.connection.notLoaded };
let reading;

/** Whether the payment method of this id takes the payment on another page. */
export const redirects = (id) => payment.value.some((method) => method.id === id && method.redirects);

/** Read the methods, once, and resolve to whether they are known. They need a token: a visitor without a cart has none. */
export function readMethods() {
  reading ??= read();
  return reading;
}

async function read() {
  try {
    const [shippingMethods, paymentMethods] = await Promise.all([shop.shippingMethods(), shop.paymentMethods()]);
    shipping.set(shippingMethods);
    payment.set(paymentMethods);
    forgetFailures((failed) => failed === methodsReading);
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    reading = undefined;
    if (isSignInEnd(error)) refreshSession();
    else reportFailure(methodsReading, error);
    return false;
  }
}

/** Say which of the two selections is missing, and move the focus there. Returns whether both are there. */
export function checkSelections() {
  const { shipping_method = null, payment_method = null } = cart.value ?? {};
  const missing = {
    shipping: shipping.value.length && shipping_method === null,
    payment: payment.value.length && payment_method === null,
  };
  show(byId("shipping-error"), missing.shipping ? texts.checkout.chooseShipping : "");
  show(byId("payment-error"), missing.payment ? texts.checkout.choosePayment : "");
  const first = ["shipping", "payment"].find((kind) => missing[kind]);
  if (first) byId(`${first}-methods`).querySelector("input").focus();
  return !first;
}

function costOf({ cost, free_from }) {
  if (cost === undefined) return "";
  const isFree = cost === 0 || (free_from !== null && (cart.value?.subtotal ?? 0) >= free_from);
  return isFree ? texts.totals.free : money(cost, settings.currency);
}

function createMethod(kind, { id }) {
  const element = copyOf("method");
  const radio = part(element, "radio");
  radio.name = kind;
  radio.value = id;
  radio.addEventListener("change", async () => {
    show(byId(`${kind}-error`), "");
    const isSelected = await change(kind, async () => {
      await shop.select({ [`${kind}_method`]: id });
      announceTotal();
    });
    if (!isSelected) showKind(kind, kind === "shipping" ? shipping.value : payment.value);
  });
  return element;
}

function showMethod(element, { id, name, description, cost, free_from }, selected) {
  part(element, "radio").checked = id === selected;
  show(part(element, "name"), name);
  const freeFrom = cost && free_from !== null ? texts.checkout.freeFrom(money(free_from, settings.currency)) : "";
  show(part(element, "description"), [description, freeFrom].filter(Boolean).join(", "));
  show(part(element, "cost"), costOf({ cost, free_from }));
}

function showKind(kind, methods) {
  const selected = cart.value?.[`${kind}_method`] ?? null;
  byId(`${kind}-group`).hidden = methods.length === 0;
  showList(
    byId(`${kind}-methods`),
    methods,
    ({ id }) => id,
    (method) => createMethod(kind, method),
    (element, method) => showMethod(element, method, selected),
  );
}

export function showMethods() {
  shipping.follow((methods) => showKind("shipping", methods));
  payment.follow((methods) => showKind("payment", methods));
  cart.follow((current) => {
    if (current) readMethods();
    showKind("shipping", shipping.value);
    showKind("payment", payment.value);
  });
}
