/** A product: picture, name, price, stock and its button. */

import { settings } from "./connection.js";
import { part, show } from "./dom.js";
import { money, percent } from "./format.js";
import { texts } from "./texts.js";

/** From this stock on, the page says how many are left. */
const FEW = 5;

export const isForSale = ({ active, stock }) => active && stock !== 0;

/** Return what a product's stock is, in words; empty if there is plenty. */
function stockNote({ stock }) {
  if (stock === 0) return texts.product.soldOut;
  return stock !== null && stock <= FEW ? texts.product.left(stock) : "";
}

/** Show a product in an element of the parts picture, name, price, old-price, reduction, stock and add. */
export function showProduct(element, product) {
  const { name, price, discount, stock, active, image } = product;
  const picture = part(element, "picture");
  if (picture.getAttribute("src") !== image) picture.src = image;
  show(part(element, "name"), name);
  show(part(element, "price"), money(price - discount, settings.currency));
  part(element, "before").hidden = !discount;
  show(part(element, "old-price"), discount ? money(price, settings.currency) : "");
  show(part(element, "reduction"), discount ? texts.product.save(percent(discount / price)) : "");
  show(part(element, "stock"), stockNote(product));
  const add = part(element, "add");
  const state = active ? (stock === 0 ? "soldOut" : "add") : "notForSale";
  add.ariaDisabled = String(!isForSale(product)); // a disabled button would lose the focus
  show(add, texts.product[state]);
  add.ariaLabel = texts.product[`${state}Named`](name);
}
