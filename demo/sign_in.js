/** The sign-in of the page's head, and its dialog. */

import { cart, settings } from "./connection.js";
import { openDialog, prepareDialog } from "./dialogs.js";
import { byId, show } from "./dom.js";
import { errorText, isRefusal } from "./errors.js";
import { session, signIn, signOut } from "./session.js";
import { announce, connection, reportFailure } from "./status.js";
import { texts } from "./texts.js";

let answer;

/** Ask the visitor to sign in. Resolves to whether the visitor did. */
export function askToSignIn() {
  show(byId("sign-in-reason"), session.value.hasEnded ? texts.session.ended : "");
  show(byId("sign-in-error"), "");
  byId("sign-in-customer").value ||= session.value.customer ?? settings.customers[0];
  openDialog(byId("sign-in-dialog"));
  return new Promise((resolve) => {
    answer = resolve;
  });
}

/** What a sign-in did with the guest's items. */
function welcome(customer, hadItems, { warnings }) {
  if (warnings.some(({ code }) => code === "not_merged"))
    return `${texts.session.welcome(customer)} ${texts.warnings.not_merged()}`;
  return hadItems ? texts.session.merged(customer) : texts.session.welcome(customer);
}

/** Move the focus on, if it was on what is hidden now: the button in the page's head cannot be used below the cart. */
function keepFocus(button) {
  const { activeElement } = document;
  if (activeElement !== document.body && activeElement.checkVisibility()) return;
  (byId("cart").open ? byId("cart-title") : byId(button)).focus();
}

async function submit(event) {
  event.preventDefault();
  const customer = byId("sign-in-customer").value.trim();
  const asked = answer;
  const isWanted = () => byId("sign-in-dialog").open && answer === asked;
  const hadItems = session.value.customer === null && cart.value?.items.length > 0;
  let merged;
  byId("sign-in-submit").disabled = true;
  try {
    merged = await signIn(customer, isWanted);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    connection.set(""); // nothing is tried again
    show(byId("sign-in-error"), errorText(error));
    return;
  } finally {
    byId("sign-in-submit").disabled = false;
  }
  if (!merged) return;
  asked(true);
  byId("sign-in-dialog").close();
  keepFocus("sign-out");
  announce(welcome(customer, hadItems, merged));
}

async function leave() {
  try {
    await signOut();
    announce(texts.session.signedOut);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    reportFailure(error, leave, texts.connection.notLoaded);
  }
  keepFocus("sign-in");
}

function showSession({ customer, hasEnded }) {
  show(byId("signed-in-as"), customer && !hasEnded ? texts.session.signedInAs(customer) : "");
  byId("sign-in").hidden = customer !== null && !hasEnded;
  byId("sign-out").hidden = customer === null || hasEnded;
  byId("my-orders").hidden = customer === null;
  for (const element of document.querySelectorAll(".sign-in-ended")) element.hidden = !hasEnded;
}

export function showSignIn() {
  byId("customers").append(...settings.customers.map((name) => new Option(name, name)));
  prepareDialog(byId("sign-in-dialog"), () => answer(false));
  byId("sign-in-form").addEventListener("submit", submit);
  byId("sign-out").addEventListener("click", leave);
  for (const button of document.querySelectorAll(".ask-to-sign-in")) button.addEventListener("click", askToSignIn);
  for (const button of document.querySelectorAll(".go-on-as-guest")) button.addEventListener("click", leave);
  session.follow(showSession);
}
