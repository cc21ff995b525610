/** Modal dialogs. The browser keeps the focus inside, and returns it at the end; Escape and the backdrop close. */

import { byId } from "./dom.js";

const opened = [];

/** Show the status line in the top dialog: everything outside cannot be used. */
function moveStatus() {
  (opened.at(-1) ?? document.body).append(byId("status"));
}

export function openDialog(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  opened.push(dialog);
  moveStatus();
}

/** Prepare a dialog: its buttons of the class "close" and its backdrop close it. */
export function prepareDialog(dialog, onClose = () => {}) {
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest(".close")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    opened.splice(opened.indexOf(dialog), 1);
    moveStatus();
    onClose();
  });
}
