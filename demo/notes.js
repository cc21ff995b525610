/** The notes on an item. They are saved only if no other tab has changed the cart, so that no notes are lost. */

import { change } from "./cart_changes.js";
import { shop } from "./connection.js";
import { part, show } from "./dom.js";
import { announce } from "./status.js";
import { texts } from "./texts.js";

/** Let an element of notes save what the customer types, when the field loses the focus. */
export function prepareNotes(element, itemNow) {
  const field = part(element, "notes-field");

  async function save(options) {
    const item = itemNow();
    if (!item) return; // another tab has removed it or signed out
    const notes = field.value;
    element.dataset.sending = "";
    const isAnswered = await change(`notes on ${item.product.id}`, async () => {
      const { applied } = await shop.update(item.id, { notes }, options);
      delete element.dataset.sending;
      if (applied) showSaved(notes);
      else if (itemNow()) showConflict(element, itemNow().notes);
      if (itemNow()) showNotes(element, itemNow());
    });
    delete element.dataset.sending;
    if (!isAnswered) showUnsaved(element, texts.notes.notSaved);
  }

  function showSaved(notes) {
    element.dataset.saved = notes;
    showConflict(element, undefined);
    announce(texts.notes.saved);
  }

  field.addEventListener("change", () => {
    if (field.value !== element.dataset.saved && !hasConflict(element)) save({ ifUnchanged: true });
  });
  part(element, "save-mine").addEventListener("click", () => save({}));
  part(element, "use-theirs").addEventListener("click", () => {
    const item = itemNow();
    if (!item) return;
    field.value = item.notes;
    showNotes(element, item);
  });
}

const hasConflict = (element) => !part(element, "conflict").hidden;

/** Find the notes that a customer typed and that are not saved. */
export function findUnsavedNotes() {
  const isUnsaved = (element) => part(element, "notes-field").value !== (element.dataset.saved ?? "");
  return Array.from(document.querySelectorAll('#cart-items [data-part="notes"]')).find(isUnsaved);
}

/** Show unsaved notes, move the focus there, and say that they are not saved. */
export function askToSaveNotes(element) {
  if (!hasConflict(element)) showUnsaved(element, texts.notes.notSaved);
  element.open = true;
  part(element, "notes-field").focus();
}

/** Show the notes of another tab beside those of the customer; undefined: there is no conflict. */
function showConflict(element, theirs) {
  if (theirs === undefined) {
    part(element, "conflict").hidden = true;
    show(part(element, "conflict-text"), "");
  } else {
    const hasTheirs = theirs !== element.dataset.saved;
    showUnsaved(element, texts.notes.conflict(hasTheirs ? theirs : ""), hasTheirs);
  }
}

function showUnsaved(element, text, hasTheirs = false) {
  part(element, "conflict").hidden = false;
  show(part(element, "conflict-text"), text);
  part(element, "use-theirs").hidden = !hasTheirs;
  element.open = true;
}

/** Show an item's notes. Text that is not saved stays in its field. */
export function showNotes(element, { notes, product }) {
  const field = part(element, "notes-field");
  const saved = element.dataset.saved ?? "";
  part(element, "notes-label").textContent = texts.notes.label(product.name);
  show(part(element, "summary"), notes ? texts.notes.summary(notes) : texts.notes.add);
  if ("sending" in element.dataset) return;
  if (field.value === saved || field.value === notes) {
    field.value = notes;
    element.dataset.saved = notes;
    showConflict(element, undefined);
  } else if (notes !== saved) {
    showConflict(element, notes);
  }
}
