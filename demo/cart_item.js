/** An item of the cart: quantity, total, warnings with what resolves them, and removal. */

import { addPieces, removeItem, setQuantity } from "./cart_changes.js";
import { cart, settings } from "./connection.js";
import { copyOf, part, show, showList } from "./dom.js";
import { moveFocus } from "./focus.js";
import { money } from "./format.js";
import { prepareNotes, showNotes } from "./notes.js";
import { productOf } from "./products.js";
import { texts } from "./texts.js";
import { isBlocking, leftOf, warningText } from "./warnings.js";

const MOST = 9_999;

const amount = (value) => money(value, settings.currency);
/** The item as the cart has it now. There may be no cart: another tab may have signed out. */
const itemOf = (id) => cart.value?.items.find((item) => item.id === id);

/** Create the element of an item. */
export function createItem({ id }) {
  const element = copyOf("cart-item");
  const quantity = part(element, "quantity");
  let changes = 0;

  /** Show the wanted quantity at once; the cart's is shown when the last change has its answer. */
  async function changeTo(wanted, send) {
    if (!itemOf(id)) return;
    quantity.value = wanted;
    changes += 1;
    element.dataset.changes = changes;
    await send(itemOf(id));
    changes -= 1;
    element.dataset.changes = changes;
    if (!changes && quantity.value === String(wanted)) delete quantity.dataset.shown; // it is no longer being typed
    const item = itemOf(id);
    if (item) showQuantity(element, item);
  }

  part(element, "less").addEventListener("click", () => {
    const wanted = quantity.valueAsNumber - 1;
    if (wanted >= 1) changeTo(wanted, (item) => setQuantity(item, wanted));
  });
  part(element, "more").addEventListener("click", () => {
    changeTo(quantity.valueAsNumber + 1, ({ product, unit_price, unit_discount }) =>
      addPieces({ ...product, price: unit_price, discount: unit_discount }),
    );
  });
  quantity.addEventListener("change", () => {
    const typed = Math.trunc(quantity.valueAsNumber);
    const wanted = Math.min(Math.max(typed, 1), MOST);
    if (Number.isNaN(typed)) quantity.value = quantity.dataset.shown;
    else changeTo(wanted, (item) => setQuantity(item, wanted));
  });
  part(element, "remove").addEventListener("click", () => itemOf(id) && removeItem(itemOf(id)));
  const reduce = part(element, "reduce");
  reduce.addEventListener("click", async () => {
    const item = itemOf(id);
    if (item && (await setQuantity(item, leftOf(item)))) moveFocus(quantity, reduce); // the button is hidden now
  });
  prepareNotes(part(element, "notes"), () => itemOf(id));
  return element;
}

function showQuantity(element, { quantity }) {
  const input = part(element, "quantity");
  const isTyping = document.activeElement === input && input.value !== input.dataset.shown;
  if (Number(element.dataset.changes ?? 0) || (isTyping && input.dataset.shown === String(quantity))) return;
  input.value = quantity;
  input.dataset.shown = quantity;
  part(element, "less").ariaDisabled = quantity <= 1;
}

/** Show an item as the cart has it now. */
export function showItem(element, item) {
  const { name, image } = item.product;
  const picture = part(element, "picture");
  const source = image ?? productOf(item.product.id)?.image;
  if (picture.getAttribute("src") !== source) picture.src = source;
  show(part(element, "name"), name);
  show(part(element, "each"), item.quantity > 1 ? texts.cart.each(amount(item.unit_price - item.unit_discount)) : "");
  show(part(element, "total"), amount(item.total));
  show(part(element, "saved"), item.discount ? texts.cart.youSave(amount(item.discount)) : "");
  part(element, "less").ariaLabel = texts.cart.lessLabel(name);
  part(element, "more").ariaLabel = texts.cart.moreLabel(name);
  part(element, "quantity").ariaLabel = texts.cart.quantityLabel(name);
  part(element, "remove").ariaLabel = texts.cart.removeLabel(name);
  showQuantity(element, item);
  showItemWarnings(element, item);
  showNotes(part(element, "notes"), item);
}

function showItemWarnings(element, item) {
  const warnings = cart.value.warnings.filter((warning) => warning.item === item.id);
  showList(
    part(element, "warnings"),
    warnings,
    ({ code }) => code,
    () => document.createElement("li"),
    (line, warning) => show(line, warningText(warning, item)),
  );
  const left = leftOf(item);
  const canReduce = warnings.some(({ code }) => code === "insufficient_stock") && left > 0;
  const reduce = part(element, "reduce");
  show(reduce, canReduce ? texts.cart.reduced(left) : "");
  reduce.ariaLabel = canReduce ? texts.cart.reducedLabel(left, item.product.name) : "";
  element.classList.toggle("needs-decision", warnings.some(isBlocking));
}
