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
    const notes = field.value;
    element.dataset.sending = "";
    await change(async () => {
      const { applied } = await shop.update(itemNow().id, { notes }, options);
      delete element.dataset.sending;
      if (applied) showSaved(notes);
      else if (itemNow()) showConflict(element, itemNow().notes);
      if (itemNow()) showNotes(element, itemNow());
    });
    delete element.dataset.sending;
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
    field.value = itemNow().notes;
    showNotes(element, itemNow());
  });
}

const hasConflict = (element) => !part(element, "conflict").hidden;

/** Show the notes of another tab beside those of the customer; undefined: there is no conflict. */
function showConflict(element, theirs) {
  const hasTheirs = theirs !== undefined && theirs !== element.dataset.saved;
  part(element, "conflict").hidden = theirs === undefined;
  show(part(element, "conflict-text"), theirs === undefined ? "" : texts.notes.conflict(hasTheirs ? theirs : ""));
  part(element, "use-theirs").hidden = !hasTheirs;
  if (theirs !== undefined) element.open = true;
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
