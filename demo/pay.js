/** The payment provider's page: it reports the payment to the shop's server, and goes back to the order. */

import { byId, fillTexts, isPlainClick, show } from "./dom.js";
import { errorText, isRefusal } from "./errors.js";
import { money } from "./format.js";
import { pay } from "./server.js";
import { texts } from "./texts.js";

const query = new URLSearchParams(location.search);
const order = query.get("order") ?? "";
const total = Number(query.get("total") ?? Number.NaN);
const currency = query.get("currency") ?? "";
const isKnown = /^ORD-[0-9A-Z]{26}$/.test(order) && Number.isSafeInteger(total) && /^[A-Z]{3}$/.test(currency);

/** Go to the order. "Back" must not lead to a payment that may be done or over by then. */
const leave = () => location.replace(byId("cancel").href);

async function payNow() {
  if (byId("pay").ariaBusy === "true") return;
  byId("pay").ariaBusy = "true";
  show(byId("pay"), texts.pay.paying);
  show(byId("error"), "");
  try {
    await pay(order);
    leave();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    byId("pay").ariaBusy = "false";
    show(byId("pay"), texts.pay.pay);
    if (error.status === 409) end(texts.pay.alreadyPaid, texts.pay.toOrder, byId("cancel").href);
    else if (error.status === 404) end(texts.pay.notFound, texts.shop.toShop, "index.html");
    else show(byId("error"), errorText(error));
  }
}

/** Say that nothing can be paid here, and where to go. */
function end(text, link, href) {
  show(byId("error"), text);
  byId("pay").hidden = true;
  byId("cancel").href = href;
  show(byId("cancel"), link);
  byId("cancel").focus();
}

fillTexts();
show(byId("order"), isKnown ? order : "");
show(byId("amount"), isKnown ? money(total, currency) : "");
show(byId("error"), isKnown ? "" : texts.pay.unknown);
byId("pay").hidden = !isKnown;
byId("pay").addEventListener("click", payNow);
byId("cancel").href = isKnown ? `index.html#orders/${order}` : "index.html";
byId("cancel").addEventListener("click", (event) => {
  if (!isPlainClick(event)) return;
  event.preventDefault();
  leave();
});
byId("cancel").hidden = false;
