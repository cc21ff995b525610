/** Placing the order: sign-in first if it is needed, and a review where something has changed. */

import { change, pendingChanges, refreshCart } from "./cart_changes.js";
import { cart, events, settings, shop } from "./connection.js";
import { byId, show } from "./dom.js";
import { moveFocus } from "./focus.js";
import { money } from "./format.js";
import { checkSelections, readMethods } from "./methods.js";
import { askToSaveNotes, findUnsavedNotes } from "./notes.js";
import { showOrdersAt } from "./orders.js";
import { productOf, refreshProducts } from "./products.js";
import { session } from "./session.js";
import { askToSignIn } from "./sign_in.js";
import { announce } from "./status.js";
import { texts } from "./texts.js";
import { isBlocking } from "./warnings.js";

const NEEDS_REVIEW = "cart needs review";

let isPlacing = false;
let mayBePlaced = false;

const totalText = () => money(cart.value.total, settings.currency);

/** Show what the customer should check before the order is placed; without a reason, hide it. */
function showReview(reason) {
  byId("review").hidden = !reason;
  show(byId("review-text"), reason ? `${reason} ${texts.checkout.newTotal(totalText())}` : "");
  show(byId("place-order"), reason ? texts.checkout.placeFor(totalText()) : texts.checkout.place);
}

/** Return the warnings of the products as the shop lists them now. */
function warningsOfProducts({ items }) {
  return items.flatMap(({ id, product, quantity }) => {
    const { active, stock } = productOf(product.id) ?? {};
    if (!active) return [{ code: "unavailable", item: id }];
    return stock !== null && stock < quantity ? [{ code: "insufficient_stock", item: id }] : [];
  });
}

/**
 * Show a cart that has changed since the customer saw it, and move the focus to what needs a decision. The checkout has read
 * all products again; a cart's own readings may be a minute old, so the warnings of its refusal are newer.
 */
async function review({ details }) {
  await Promise.all([refreshCart(), refreshProducts()]);
  if (!cart.value?.items.length) return showEmptied();
  const { warnings } = cart.value;
  const isKnown = ({ code, item }) => warnings.some((known) => known.code === code && known.item === item);
  const newer = details?.warnings ?? warningsOfProducts(cart.value);
  cart.set({ ...cart.value, warnings: [...warnings, ...newer.filter((warning) => !isKnown(warning))] });
  const needsDecision = cart.value.warnings.some(isBlocking);
  showReview(needsDecision ? texts.checkout.resolve : texts.checkout.review);
  const first = needsDecision && document.querySelector("#cart-items .needs-decision .warnings");
  moveFocus(first || byId("review"), byId("cart-foot"));
}

/** Show the cart if it is not the one that the customer saw. */
function reviewUnseen(reason) {
  if (!cart.value?.items.length) return showEmptied();
  showReview(reason);
  moveFocus(byId("review"), byId("cart-foot"));
}

/** A cart that is empty now may be an order: of an attempt whose answers were lost, or of another tab. */
function showEmptied() {
  byId("cart").close();
  if (location.hash === "#orders") showOrdersAt();
  else location.hash = "#orders";
  announce(texts.checkout.emptied);
}

function showRefusal(error) {
  if (error.status === 0 || error.status >= 500) mayBePlaced = true;
  const needsReview = error.error === NEEDS_REVIEW || error.error === "cart is empty";
  if (needsReview) review(error);
  return needsReview;
}

/** Go on where the order needs it: the payment provider's page, or the order's own. */
function showOrder({ order_key, next_step }) {
  events.checkout();
  byId("order-notes").value = "";
  showReview();
  byId("cart").close();
  refreshCart();
  refreshProducts();
  if (next_step) location.assign(next_step);
  else {
    location.hash = `#orders/${order_key}`;
    announce(texts.checkout.placed);
  }
}

/** After an attempt without an answer, read the cart: it may have become an order. */
async function readUnsureCart() {
  if (!mayBePlaced) return;
  cart.set(await shop.cart());
  mayBePlaced = false;
}

/** Return what an order would be made of, as a text that can be compared. A merge may change the order of the items. */
function orderContents() {
  const { items = [], shipping_method, payment_method } = cart.value ?? {};
  const lines = items.map(({ product, quantity, notes, total }) => [product.id, quantity, notes, total]);
  return JSON.stringify([lines.toSorted(([one], [other]) => one - other), shipping_method, payment_method]);
}

async function placeOrder() {
  const { total } = cart.value;
  const { customer } = session.value;
  await pendingChanges();
  const seen = orderContents();
  const unsaved = findUnsavedNotes();
  if (unsaved) {
    askToSaveNotes(unsaved);
    return;
  }
  if (!(await readMethods())) return;
  const isGuest = !shop.isSignedIn;
  if (!checkSelections() || (isGuest && !(await askToSignIn()))) return;
  const isSeen = () =>
    cart.value?.total === total && orderContents() === seen && [null, session.value.customer].includes(customer);
  // This can run again after another sign-in, or much later: only what the customer saw is ordered.
  await change(
    "order",
    async () => {
      await readUnsureCart();
      if (!isSeen()) return reviewUnseen(customer === null ? texts.checkout.merged : texts.checkout.review);
      return showOrder(await shop.checkOut({ notes: byId("order-notes").value, total }));
    },
    showRefusal,
  );
}

export function showCheckout() {
  byId("place-order").addEventListener("click", async () => {
    if (isPlacing) return;
    isPlacing = true;
    byId("place-order").ariaBusy = "true";
    try {
      await placeOrder();
    } finally {
      byId("place-order").ariaBusy = "false";
      isPlacing = false;
    }
  });
  cart.follow((current) => {
    const isReviewed = current?.items.length && !byId("review").hidden;
    showReview(isReviewed && (current.warnings.some(isBlocking) ? texts.checkout.resolve : texts.checkout.review));
  });
}
