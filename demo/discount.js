/** The discount code of the cart. */

import { announceTotal, change } from "./cart_changes.js";
import { cart, settings, shop } from "./connection.js";
import { byId, show } from "./dom.js";
import { errorText } from "./errors.js";
import { moveFocus } from "./focus.js";
import { money } from "./format.js";
import { texts } from "./texts.js";

/** Show a refused code at its field; other errors belong to the status line. */
function showRefusal(error) {
  const reason = error.details?.code?.[0];
  if (reason === undefined) return false;
  const minimum = /^the subtotal must be at least (\d+)$/.exec(reason)?.[1];
  const text = minimum
    ? texts.discount.minimum(money(Number(minimum), settings.currency))
    : (texts.discount.reasons[reason] ??
      (error.error === "invalid discount code" ? texts.discount.unknown : errorText(error)));
  show(byId("discount-error"), text);
  byId("discount-code").ariaInvalid = "true";
  moveFocus(byId("discount-code"), byId("discount-form"));
  return true;
}

function clearRefusal() {
  show(byId("discount-error"), "");
  byId("discount-code").ariaInvalid = "false";
}

function apply(event) {
  event.preventDefault();
  const code = byId("discount-code").value.trim();
  if (!code) return;
  change(
    "discount code",
    async () => {
      await shop.applyDiscount(code);
      byId("discount-code").value = "";
      announceTotal((total) => texts.announcements.code(cart.value.discount_code, total));
      moveFocus(byId("remove-discount"), byId("discount-form"));
    },
    showRefusal,
  );
}

function remove() {
  change("discount code", async () => {
    await shop.removeDiscount();
    announceTotal(texts.announcements.codeRemoved);
    moveFocus(byId("discount-code"), byId("discount-applied"));
  });
}

export function showDiscount() {
  byId("discount-form").addEventListener("submit", apply);
  byId("discount-code").addEventListener("input", clearRefusal);
  byId("remove-discount").addEventListener("click", remove);
  cart.follow((current) => {
    const code = current?.discount_code ?? "";
    byId("discount-form").hidden = code !== "";
    byId("discount-applied").hidden = code === "";
    show(byId("applied-code"), code && texts.discount.applied(code));
  });
}
