/** Elements with texts of texts.js, and lists that change in place, so that focus and input stay. */

import { texts } from "./texts.js";

const textOf = (name) => name.split(".").reduce((group, key) => group[key], texts);

export const byId = (id) => document.getElementById(id);

/** Find an element of a template's copy by its data-part. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Fill the texts that data-text, data-label and data-hint name. */
export function fillTexts(root = document) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = textOf(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) element.ariaLabel = textOf(element.dataset.label);
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = textOf(element.dataset.hint);
}

/** Let the skip link move the focus only: the address stays that of the content. */
export function prepareSkipLink() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
}

/** Copy a template's element, with its texts. */
export function copyOf(template) {
  const fragment = byId(template).content.cloneNode(true);
  fillTexts(fragment);
  return fragment.firstElementChild;
}

/** Whether a click on a link opens it here, and in no other tab or window. */
export const isPlainClick = ({ altKey, ctrlKey, metaKey, shiftKey }) => !(altKey || ctrlKey || metaKey || shiftKey);

/** Set a text, and hide an element whose text is empty. An unchanged text is not read aloud again. */
export function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

/**
 * Show one element for each entry. An element whose key is still there stays, and is only updated. If an element with the
 * focus goes, the list gets the focus.
 */
export function showList(list, entries, keyOf, create, update) {
  const keys = new Set(entries.map((entry) => String(keyOf(entry))));
  const known = new Map(Array.from(list.children, (element) => [element.dataset.key, element]));
  for (const [key, element] of known) {
    if (keys.has(key)) continue;
    const hadFocus = element.contains(document.activeElement);
    element.remove();
    if (hadFocus) list.focus();
  }
  entries.forEach((entry, place) => {
    const key = String(keyOf(entry));
    const element = known.get(key) ?? create(entry);
    element.dataset.key = key;
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
    update(element, entry);
  });
}
