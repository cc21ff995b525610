/** Changes of the cart: what each sends, says and registers as a search event, and how a failed one is tried again. */

import { cart, events, settings, shop } from "./connection.js";
import { isRefusal, isSignInEnd } from "./errors.js";
import { minorUnits, money } from "./format.js";
import { refreshProducts } from "./products.js";
import { refreshSession, session } from "./session.js";
import { askToSignIn, cancels } from "./sign_in.js";
import { announce, forgetFailures, reportFailure, retryable } from "./status.js";
import { tellOtherTabs } from "./tabs.js";
import { texts } from "./texts.js";

/** The index of the products in the search engine. */
const INDEX = "product";

let pending = Promise.resolve();

/** The changes that are being sent. */
const sending = new Set();

/** Resolve when the changes so far have their answers. */
export const pendingChanges = () => pending;

/**
 * Run a change of the cart, with what follows from it, and again if the visitor wants it. Resolves to whether it succeeded;
 * if not, the status line says why. `of` names what it changes: a change replaces the earlier ones of the same, unless it
 * `adds` pieces. `run` gets a promise that resolves when the changes before it have their answers. `onRefused` may show a
 * refusal at another place: it returns whether it did.
 */
export function change(of, run, onRefused = () => false, adds = 0) {
  if (!adds) forgetChanges((earlier) => earlier.of === of);
  const sent = { of, adds, again: send };
  function send() {
    const earlier = pending;
    sending.add(sent);
    const result = runOnce(() => run(earlier), onRefused, sent).finally(() => sending.delete(sent));
    pending = Promise.allSettled([earlier, result]);
    return result;
  }
  return send();
}

/** Never try these changes again: those that failed, and those that are being sent and fail later. */
export function forgetChanges(isOver) {
  for (const sent of sending) sent.isOver ||= isOver(sent);
  forgetFailures(isOver);
}

async function runOnce(run, onRefused, sent) {
  if (session.value.hasEnded && !(await askToSignIn())) return false;
  sent.isOver = false; // whoever has signed in wants it
  const known = cancels;
  try {
    await run();
    forgetFailures((_, mayRetry) => !mayRetry); // a refusal is old news; what may be tried again stays
    tellOtherTabs();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (error.error === "item not found") refreshCart(); // another tab or device has removed it
    if (isSignInEnd(error)) {
      refreshSession();
      // An earlier change may have asked already.
      const isSignedIn = shop.isSignedIn || (cancels === known && (await askToSignIn()));
      return isSignedIn && runOnce(run, onRefused, sent);
    }
    if (!onRefused(error) && !sent.isOver) reportFailure(sent, error);
    return false;
  }
}

const quantityName = (product) => `quantity of ${product}`;

const quantityOf = (product) => cart.value?.items.find((item) => item.product.id === product)?.quantity ?? 0;
const inCart = () => cart.value?.quantity ?? 0;
const paid = (price, discount) => (price - discount) / minorUnits(settings.currency);

/** The pieces of a product that were added and are in no answer yet: they are being sent, or may be tried again. */
function piecesOnTheWay(product) {
  const changes = [...sending, ...retryable()].filter(({ of }) => of === quantityName(product));
  return changes.reduce((sum, { adds }) => sum + adds, 0);
}

/**
 * Add pieces to the cart. Pieces that another tab adds at the same time are added, too. If all answers were lost, the
 * change may have been applied: then a further try reads the cart first.
 */
export function addPieces({ id, name, price, discount }, quantity = 1) {
  const wanted = quantityOf(id) + piecesOnTheWay(id) + quantity;
  let mayBeApplied = false;
  const add = async () => {
    if (mayBeApplied) cart.set(await shop.cart());
    const isApplied = mayBeApplied && quantityOf(id) >= wanted;
    try {
      if (!isApplied) await shop.add({ product: id, quantity });
    } catch (error) {
      mayBeApplied = error.status === 0 || error.status >= 500;
      throw error;
    }
    announce(texts.announcements.added(name, inCart()));
    const event = { id: String(id), index: INDEX, title: name, amount: quantity, price: paid(price, discount) };
    events.addToCart(event);
  };
  return change(quantityName(id), add, refuseStock, quantity);
}

/** Send a change, and resolve to the quantity of a product just before it: the changes before it have their answers then. */
async function quantityBefore(product, earlier, sent) {
  const [quantity] = await Promise.all([earlier.then(() => quantityOf(product)), sent]);
  return quantity;
}

/** Set the quantity of an item. */
export function setQuantity(item, quantity) {
  const { id, name } = item.product;
  return change(
    quantityName(id),
    async (earlier) => {
      const before = await quantityBefore(id, earlier, shop.update(item.id, { quantity }));
      announce(texts.announcements.changed(name, quantity, inCart()));
      const event = { id: String(id), index: INDEX, amount: Math.abs(quantity - before) };
      const price = paid(item.unit_price, item.unit_discount);
      if (quantity > before) events.addToCart({ ...event, title: name, price });
      if (quantity < before) events.removeFromCart(event);
    },
    refuseStock,
  );
}

/** Remove an item. */
export function removeItem({ id, product }) {
  return change(
    quantityName(product.id),
    async (earlier) => {
      const amount = await quantityBefore(product.id, earlier, shop.remove(id));
      announce(texts.announcements.removed(product.name, inCart()));
      if (amount) events.removeFromCart({ id: String(product.id), index: INDEX, amount });
    },
    ({ error }) => error === "item not found", // it is gone: that is what was wanted
  );
}

/** Say the total after another change. */
export function announceTotal(text = texts.announcements.total) {
  if (cart.value) announce(text(money(cart.value.total, settings.currency)));
}

/** After a refusal for its stock, the page shows how many are left. */
function refuseStock({ error }) {
  if (error === "insufficient stock" || error === "invalid product") refreshProducts();
  return false;
}

const cartReading = { again: refreshCart, lost: texts.connection.notLoaded };

/** Read the cart again. */
export async function refreshCart() {
  refreshSession();
  if (session.value.hasEnded) return; // the cart that was seen last stays
  try {
    cart.set(await shop.cart());
    forgetFailures((failed) => failed === cartReading);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (isSignInEnd(error)) refreshSession();
    else reportFailure(cartReading, error);
  }
}
