/** The warnings of a cart in our words, and which of them the customer must resolve. */

import { settings } from "./connection.js";
import { money } from "./format.js";
import { productOf } from "./products.js";
import { texts } from "./texts.js";

const STOCK = new Set(["unavailable", "insufficient_stock"]);
const BLOCKING = new Set([...STOCK, "shipping_unavailable"]);

export const isBlocking = ({ code }) => BLOCKING.has(code);

/** Return the number of pieces that are left of an item's product, or null if it is not known that they are too few. */
export function leftOf({ product, quantity }) {
  const stock = productOf(product.id)?.stock ?? null;
  return stock !== null && stock < quantity ? stock : null;
}

/** Whether a cart knows newer stocks or prices of its products than those that were read last. */
export function isNewerThanProducts({ items, warnings }) {
  const hasOldPrice = ({ product: { id }, unit_price, unit_discount }) => {
    const known = productOf(id);
    return known && (known.price !== unit_price || known.discount !== unit_discount);
  };
  return warnings.some(({ code }) => STOCK.has(code)) || items.some(hasOldPrice);
}

/** Return the text of a warning; `item` is the item that it is about, if the cart has it. */
export function warningText({ code }, item) {
  const text = texts.warnings[code] ?? texts.warnings.unknown;
  const price = item && money(item.unit_price - item.unit_discount, settings.currency);
  return text(price, item && leftOf(item));
}
