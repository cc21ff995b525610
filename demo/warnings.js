/** The warnings of a cart in our words, and which of them the customer must resolve. */

import { settings } from "./connection.js";
import { money } from "./format.js";
import { productOf } from "./products.js";
import { texts } from "./texts.js";

const BLOCKING = new Set(["unavailable", "insufficient_stock", "shipping_unavailable"]);

export const isBlocking = ({ code }) => BLOCKING.has(code);

/** Return the number of pieces that are left of an item's product, or null without a limit. */
export const leftOf = (item) => productOf(item.product.id)?.stock ?? null;

/** Return the text of a warning; `item` is the item that it is about, if the cart has it. */
export function warningText({ code }, item) {
  const text = texts.warnings[code] ?? texts.warnings.unknown;
  const price = item && money(item.unit_price - item.unit_discount, settings.currency);
  return text(price, item && leftOf(item));
}
