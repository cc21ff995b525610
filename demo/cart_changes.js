/** Changes of the cart: what each sends, says and registers as a search event, and how a failed one is tried again. */

import { cart, events, settings, shop } from "./connection.js";
import { isRefusal, isSignInEnd, isTemporary } from "./errors.js";
import { minorUnits, money } from "./format.js";
import { refreshProducts } from "./products.js";
import { refreshSession, session } from "./session.js";
import { askToSignIn } from "./sign_in.js";
import { announce, clearFailure, reportFailure } from "./status.js";
import { tellOtherTabs } from "./tabs.js";
import { texts } from "./texts.js";

/** The index of the products in the search engine. */
const INDEX = "product";

let pending = Promise.resolve();

/** The change that failed and may be tried again: its failure is shown until it succeeds. */
let failed;

/** Resolve when the changes so far have their answers. */
export const pendingChanges = () => pending;

/**
 * Run a change of the cart, with what follows from it, and again if the visitor wants it. Resolves to whether it succeeded;
 * if not, the status line says why. `onRefused` may show a refusal at another place: it returns whether it did.
 */
export function change(run, onRefused = () => false) {
  const result = runOnce(run, onRefused);
  pending = Promise.allSettled([pending, result]);
  return result;
}

async function runOnce(run, onRefused) {
  if (session.value.hasEnded && !(await askToSignIn())) return false;
  try {
    await run();
    if (!failed || failed === run) clearFailure();
    if (failed === run) failed = undefined;
    tellOtherTabs();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (isSignInEnd(error)) {
      refreshSession();
      return (await askToSignIn()) && runOnce(run, onRefused);
    }
    if (!onRefused(error)) {
      failed = isTemporary(error) ? run : undefined;
      reportFailure(error, () => change(run, onRefused));
    }
    return false;
  }
}

const quantityOf = (product) => cart.value?.items.find((item) => item.product.id === product)?.quantity ?? 0;
const inCart = () => cart.value?.quantity ?? 0;

/**
 * Add pieces to the cart. Pieces that another tab adds at the same time are added, too. If all answers were lost, the
 * change may have been applied: then a further try reads the cart first.
 */
export function addPieces({ id, name, price }, quantity = 1) {
  const before = quantityOf(id);
  let mayBeApplied = false;
  return change(async () => {
    if (mayBeApplied) cart.set(await shop.cart());
    const isApplied = mayBeApplied && quantityOf(id) >= before + quantity;
    try {
      if (!isApplied) await shop.add({ product: id, quantity });
    } catch (error) {
      mayBeApplied = error.status === 0 || error.status >= 500;
      throw error;
    }
    announce(texts.announcements.added(name, inCart()));
    const paid = price / minorUnits(settings.currency);
    events.addToCart({ id: String(id), index: INDEX, title: name, amount: quantity, price: paid });
  }, refuseStock);
}

/** Set the quantity of an item. */
export function setQuantity(item, quantity) {
  const before = item.quantity;
  const { id, name } = item.product;
  return change(async () => {
    await shop.update(item.id, { quantity });
    announce(texts.announcements.changed(name, quantity, inCart()));
    const event = { id: String(id), index: INDEX, amount: Math.abs(quantity - before) };
    if (quantity > before) events.addToCart({ ...event, title: name });
    if (quantity < before) events.removeFromCart(event);
  }, refuseStock);
}

/** Remove an item. */
export function removeItem({ id, product, quantity }) {
  return change(async () => {
    await shop.remove(id);
    announce(texts.announcements.removed(product.name, inCart()));
    events.removeFromCart({ id: String(product.id), index: INDEX, amount: quantity });
  }, isGone);
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

/** Another tab has removed the item: the cart that is read again shows it. */
function isGone({ error }) {
  if (error !== "item not found") return false;
  refreshCart();
  return true;
}

/** Read the cart again. */
export async function refreshCart() {
  refreshSession();
  if (session.value.hasEnded) return; // the cart that was seen last stays
  try {
    cart.set(await shop.cart());
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (isSignInEnd(error)) refreshSession();
    else reportFailure(error, refreshCart, texts.connection.notLoaded);
  }
}
