/** The cart: its button in the page's head, and the drawer with items, discount code, methods and totals. */

import { forgetChanges } from "./cart_changes.js";
import { createItem, showItem } from "./cart_item.js";
import { showCheckout } from "./checkout.js";
import { cart } from "./connection.js";
import { openDialog, prepareDialog } from "./dialogs.js";
import { showDiscount } from "./discount.js";
import { byId, show, showList } from "./dom.js";
import { money } from "./format.js";
import { showMethods } from "./methods.js";
import { products, refreshProducts } from "./products.js";
import { session } from "./session.js";
import { texts } from "./texts.js";
import { isNewerThanProducts, warningText } from "./warnings.js";

/** Warnings of a merge: no later answer has them, but they are shown at least until the drawer closes. */
let notMerged = [];

export function openCart() {
  openDialog(byId("cart"));
}

function showTotals({ items_subtotal, items_discount, discount, shipping_cost, shipping_method, total, currency }) {
  const amounts = {
    "items-subtotal": money(items_subtotal, currency),
    "items-discount": items_discount && money(-items_discount, currency),
    discount: discount && money(-discount, currency),
    "shipping-cost": shipping_method !== null && (shipping_cost ? money(shipping_cost, currency) : texts.totals.free),
    total: money(total, currency),
  };
  for (const [id, amount] of Object.entries(amounts)) {
    show(byId(id), amount || "");
    byId(id).parentElement.hidden = !amount;
  }
}

/** Show warnings about the whole cart, and about items that it does not have. */
function showCartWarnings({ items, warnings }) {
  const ids = new Set(items.map(({ id }) => id));
  notMerged = [...notMerged, ...warnings.filter(({ code }) => code === "not_merged")];
  const others = [...warnings, ...notMerged].filter(({ code, item }) => code === "not_merged" || !ids.has(item));
  showList(
    byId("cart-warnings"),
    Array.from(new Set(others.map(({ code }) => code))),
    (code) => code,
    () => document.createElement("li"),
    (line, code) => show(line, warningText({ code })),
  );
}

function showCart(current) {
  const hadFocus = byId("cart-filled").contains(document.activeElement);
  const isUnknown = session.value.hasEnded && !current;
  const items = current?.items ?? [];
  const quantity = current?.quantity ?? 0;
  byId("open-cart").ariaLabel = texts.cart.open(quantity);
  show(byId("cart-count"), quantity ? String(quantity) : "");
  byId("cart-empty").hidden = items.length > 0 || isUnknown;
  byId("cart-last-known").hidden = isUnknown;
  byId("cart-filled").hidden = items.length === 0;
  byId("cart-foot").hidden = items.length === 0;
  showList(byId("cart-items"), items, ({ id }) => id, createItem, showItem);
  showCartWarnings({ items, warnings: current?.warnings ?? [] });
  if (current) showTotals(current);
  if (hadFocus && !items.length) byId("cart-title").focus();
}

/** Forget what a customer typed and what failed, for the next one. */
function clearDrafts() {
  forgetChanges(() => true);
  byId("order-notes").value = "";
  byId("discount-code").value = "";
  byId("discount-code").ariaInvalid = "false";
  show(byId("discount-error"), "");
}

export function showCartDrawer() {
  byId("open-cart").addEventListener("click", openCart);
  prepareDialog(byId("cart"), () => {
    notMerged = [];
  });
  showDiscount();
  showMethods();
  showCheckout();
  cart.follow((current) => {
    showCart(current);
    if (current && isNewerThanProducts(current)) refreshProducts();
  });
  products.follow(() => showCart(cart.value)); // "only 2 left" is the products' stock
  let previous = null;
  session.follow(({ customer, hasEnded }) => {
    byId("cart-content").inert = hasEnded;
    if (previous !== null && customer !== previous) clearDrafts(); // a guest's drafts come along, as the cart does
    previous = customer;
    showCart(cart.value);
  });
}
