/** Who has signed in. The client library keeps the token; this keeps the name, which outlives it. */

import { cart, settings, shop } from "./connection.js";
import { isRefusal } from "./errors.js";
import { reportFailure } from "./status.js";
import { store } from "./store.js";
import { tellOtherTabs } from "./tabs.js";

const NAME = `demo-shop/${settings.hashid}/customer`;

/** The name, if localStorage is blocked or full: it lasts as long as the page, as the library's token does. */
let unstored = null;

function attempt(use) {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

/** The customer's name or null, and whether the sign-in has ended by itself: the name is still there, the token is not. */
export const session = store(readSession());

function readSession() {
  const customer = unstored ?? attempt((storage) => storage.getItem(NAME)) ?? null;
  return { customer, hasEnded: customer !== null && !shop.isSignedIn };
}

/** Read again who has signed in, here or in another tab. */
export function refreshSession() {
  const { customer, hasEnded } = readSession();
  if (customer !== session.value.customer || hasEnded !== session.value.hasEnded) session.set({ customer, hasEnded });
}

/**
 * Sign a customer in with a token. The items of the guest's cart come along, and so do selections and code that the customer
 * has not. Resolves to the customer's cart.
 */
export async function signIn(customer, token) {
  const guests = session.value.customer === null ? cart.value : null; // else it is the cart of an ended sign-in
  const merged = await shop.signIn(token);
  unstored = customer;
  attempt((storage) => {
    storage.setItem(NAME, customer);
    unstored = null;
  });
  refreshSession();
  cart.set(merged);
  if (guests) await bringAlong(guests, merged);
  tellOtherTabs();
  return merged;
}

/** A merge moves items only, so the rest is selected again. */
async function bringAlong(guests, merged) {
  const names = ["shipping_method", "payment_method"].filter((name) => guests[name] !== null && merged[name] === null);
  try {
    if (names.length) await shop.select(Object.fromEntries(names.map((name) => [name, guests[name]])));
    if (guests.discount_code && !merged.discount_code) await shop.applyDiscount(guests.discount_code);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    reportFailure({}, error);
  }
}

/** Forget the customer; the cart is that of the guest again. */
export async function signOut() {
  unstored = null;
  attempt((storage) => storage.removeItem(NAME));
  shop.signOut();
  refreshSession();
  cart.set(null);
  tellOtherTabs();
  cart.set(await shop.cart());
}
