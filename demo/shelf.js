/** The grid of products, the search box, and the dialog of one product. */

import { addPieces } from "./cart_changes.js";
import { events } from "./connection.js";
import { openDialog, prepareDialog } from "./dialogs.js";
import { byId, copyOf, isPlainClick, part, show, showList } from "./dom.js";
import { isForSale, showProduct } from "./product_card.js";
import { productOf, products, search } from "./products.js";
import { texts } from "./texts.js";

let chosen;

/** The product of the dialog that is being added. */
let adding;

const query = () => byId("search").value.trim();

/** Register that a visitor chose a result of a search: `position` counts from 1. */
function registerChoice({ dfid }, position) {
  events.click(query() ? { dfid, query: query().slice(0, 200), position } : { dfid });
}

function createCard({ id }) {
  const card = copyOf("product-card");
  const position = () => Array.from(card.parentElement.children).indexOf(card) + 1;
  part(card, "link").href = `#products/${id}`;
  part(card, "link").addEventListener("click", (event) => {
    registerChoice(productOf(id), position());
    if (!isPlainClick(event)) return;
    event.preventDefault();
    history.pushState({ isFromShelf: true }, "", `#products/${id}`);
    openProduct(id);
  });
  part(card, "add").addEventListener("click", () => {
    if (!isForSale(productOf(id))) return;
    if (query()) registerChoice(productOf(id), position());
    addPieces(productOf(id));
  });
  return card;
}

function showShelf() {
  const found = search(query());
  showList(byId("products"), found, ({ id }) => id, createCard, showProduct);
  show(byId("found"), query() ? texts.search.found(found.length) : "");
}

/** Open the dialog of a product, if there is one of this id. */
export function openProduct(id) {
  chosen = id;
  const product = productOf(id);
  if (!product) return;
  showChosen();
  byId("product-quantity").value = 1;
  openDialog(byId("product-dialog"));
}

function showChosen() {
  const product = productOf(chosen);
  if (!product) return;
  showProduct(byId("product-dialog"), product);
  show(byId("product-reference"), texts.product.reference(product.ref));
  part(byId("product-dialog"), "add").ariaBusy = String(adding === chosen);
}

async function addChosen(event) {
  event.preventDefault();
  const id = chosen;
  if (adding === id || !isForSale(productOf(id))) return; // pressing Enter twice adds once
  adding = id;
  showChosen();
  const isAdded = await addPieces(productOf(id), byId("product-quantity").valueAsNumber);
  adding = undefined;
  showChosen();
  if (isAdded && chosen === id) byId("product-dialog").close();
}

/** Leave the address of a product whose dialog has closed: back to the page that opened it, or to the list. */
function leaveProduct() {
  if (!location.hash.startsWith("#products/")) return;
  if (history.state?.isFromShelf) history.back();
  else history.replaceState(null, "", "#");
}

export function showProducts() {
  prepareDialog(byId("product-dialog"), leaveProduct);
  byId("product-form").addEventListener("submit", addChosen);
  byId("search").addEventListener("input", () => {
    if (location.hash.startsWith("#orders")) location.hash = "";
    showShelf();
  });
  byId("search-form").addEventListener("submit", (event) => event.preventDefault());
  products.follow(() => {
    showShelf();
    showChosen();
  });
}
