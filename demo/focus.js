/** Moves of the focus after an answer. It may be late: a customer who types elsewhere by then is not disturbed. */

/** Move the focus to an element, unless it is on a visible one outside the part of the page that sent the change. */
export function moveFocus(element, from = element) {
  const { activeElement } = document;
  const isElsewhere = activeElement !== document.body && activeElement.checkVisibility();
  if (!isElsewhere || from.contains(activeElement)) element.focus();
}
