/** The shop's products as its server lists them. */

import { isRefusal } from "./errors.js";
import { latest } from "./latest.js";
import { hasWords } from "./search.js";
import { readProducts } from "./server.js";
import { store } from "./store.js";

export const products = store([]);

const beginReading = latest();

/** Read the products. */
export async function loadProducts() {
  const isLatest = beginReading();
  const newer = await readProducts();
  if (isLatest()) products.set(newer);
}

/** Read the products again, for prices and stock. If the server does not answer, those that were read last stay. */
export async function refreshProducts() {
  try {
    await loadProducts();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

export const productOf = (id) => products.value.find((product) => product.id === id);

/** Return the products for sale that a search finds. */
export const search = (query) => products.value.filter((product) => product.active && hasWords(product, query));
