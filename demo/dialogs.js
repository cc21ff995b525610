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

/** Whether a pointer is on a dialog's backdrop. What cannot be used inside the dialog has the dialog as its target, too. */
function isOnBackdrop(dialog, { target, clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return target === dialog && (clientX < left || clientX > right || clientY < top || clientY > bottom);
}

/** Prepare a dialog: its buttons of the class "close" and its backdrop close it. */
export function prepareDialog(dialog, onClose = () => {}) {
  let isPressedOutside = false;
  dialog.addEventListener("pointerdown", (event) => {
    isPressedOutside = isOnBackdrop(dialog, event); // dragging over the edge selects text, and is no click outside
  });
  dialog.addEventListener("click", (event) => {
    const isOutside = isPressedOutside && isOnBackdrop(dialog, event);
    if (isOutside || event.target.closest(".close")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    opened.splice(opened.indexOf(dialog), 1);
    moveStatus();
    onClose();
  });
}
