/** The sign-in of the page's head, and its dialog. */

import { cart, settings } from "./connection.js";
import { openDialog, prepareDialog } from "./dialogs.js";
import { byId, show } from "./dom.js";
import { errorText, isRefusal } from "./errors.js";
import { moveFocus } from "./focus.js";
import { requestToken } from "./server.js";
import { session, signIn, signOut } from "./session.js";
import { announce, connection, reportFailure } from "./status.js";
import { texts } from "./texts.js";

/** The question that the open dialog asks; all who ask it get the same answer. */
let question;

/** Whether the guest's items are on their way to the customer's cart: then it is too late to cancel. */
let isMerging = false;

/** Ask the visitor to sign in. Resolves to whether the visitor did. */
export function askToSignIn() {
  show(byId("sign-in-reason"), session.value.hasEnded ? texts.session.ended : "");
  show(byId("sign-in-error"), "");
  byId("sign-in-customer").value ||= session.value.customer ?? settings.customers[0];
  openDialog(byId("sign-in-dialog"));
  question ??= Promise.withResolvers();
  return question.promise;
}

/** How often the visitor has cancelled a sign-in. */
export let cancels = 0;

function answer(isSignedIn) {
  question?.resolve(isSignedIn);
  question = undefined;
}

/** Return the text that says what a sign-in did with the guest's items. */
function welcome(customer, hadItems, { warnings }) {
  if (warnings.some(({ code }) => code === "not_merged"))
    return `${texts.session.welcome(customer)} ${texts.warnings.not_merged()}`;
  return hadItems ? texts.session.merged(customer) : texts.session.welcome(customer);
}

/** Move the focus on, if it was on what is hidden now: the button in the page's head cannot be used below the cart. */
const keepFocus = (button) => moveFocus(byId(byId("cart").open ? "cart-title" : button));

function setMerging(isSo) {
  isMerging = isSo;
  byId("sign-in-dialog").querySelector(".close").disabled = isSo;
}

async function submit(event) {
  event.preventDefault();
  if (byId("sign-in-submit").ariaBusy === "true") return;
  const customer = byId("sign-in-customer").value.trim();
  const asked = question;
  const hadItems = session.value.customer === null && cart.value?.items.length > 0;
  let merged;
  byId("sign-in-submit").ariaBusy = "true";
  try {
    const token = await requestToken(customer);
    if (!byId("sign-in-dialog").open || question !== asked) return; // it was cancelled
    setMerging(true);
    merged = await signIn(customer, token);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    connection.set(""); // nothing is tried again
    show(byId("sign-in-error"), errorText(error));
    return;
  } finally {
    setMerging(false);
    byId("sign-in-submit").ariaBusy = "false";
  }
  answer(true);
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
    reportFailure({ again: leave, lost: texts.connection.notLoaded }, error);
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
  prepareDialog(byId("sign-in-dialog"), () => {
    if (isMerging) return openDialog(byId("sign-in-dialog"));
    if (question) cancels += 1;
    answer(false);
  });
  byId("sign-in-form").addEventListener("submit", submit);
  byId("sign-out").addEventListener("click", leave);
  for (const button of document.querySelectorAll(".ask-to-sign-in")) button.addEventListener("click", askToSignIn);
  for (const button of document.querySelectorAll(".go-on-as-guest")) button.addEventListener("click", leave);
  session.follow(showSession);
}
