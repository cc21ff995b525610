/** Placing the order: sign-in first if it is needed, and a review where something has changed. */

import { change, pendingChanges, refreshCart } from "./cart_changes.js";
import { cart, events, settings, shop } from "./connection.js";
import { byId, show } from "./dom.js";
import { money } from "./format.js";
import { checkSelections, readMethods } from "./methods.js";
import { askToSaveNotes, findUnsavedNotes } from "./notes.js";
import { productOf, refreshProducts } from "./products.js";
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
  if (!cart.value?.items.length) return;
  const { warnings } = cart.value;
  const isKnown = ({ code, item }) => warnings.some((known) => known.code === code && known.item === item);
  const newer = details?.warnings ?? warningsOfProducts(cart.value);
  cart.set({ ...cart.value, warnings: [...warnings, ...newer.filter((warning) => !isKnown(warning))] });
  const needsDecision = cart.value.warnings.some(isBlocking);
  showReview(needsDecision ? texts.checkout.resolve : texts.checkout.review);
  const first = needsDecision && document.querySelector("#cart-items .needs-decision .warnings");
  (first || byId("review")).focus();
}

function showRefusal(error) {
  if (error.status === 0) mayBePlaced = true;
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

/** Whether an earlier attempt, whose answers were all lost, has emptied the cart into an order. */
async function isPlacedAlready() {
  if (!mayBePlaced) return false;
  cart.set(await shop.cart());
  mayBePlaced = false;
  return cart.value.is_empty;
}

function showPlacedAlready() {
  byId("cart").close();
  location.hash = "#orders";
  announce(texts.checkout.maybePlaced);
}

async function placeOrder() {
  const seen = cart.value.total;
  await pendingChanges();
  const unsaved = findUnsavedNotes();
  if (unsaved) {
    askToSaveNotes(unsaved);
    return;
  }
  if (!(await readMethods())) return;
  const isGuest = !shop.isSignedIn;
  if (!checkSelections() || (isGuest && !(await askToSignIn()))) return;
  if (cart.value?.total !== seen) {
    if (cart.value) showReview(isGuest ? texts.checkout.merged : texts.checkout.review);
    byId("review").focus();
    return;
  }
  if (!checkSelections()) return; // those of the customer's own cart
  await change(async () => {
    if (await isPlacedAlready()) return showPlacedAlready();
    const { total } = cart.value;
    return showOrder(await shop.checkOut({ notes: byId("order-notes").value, total }));
  }, showRefusal);
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
