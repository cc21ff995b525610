/** The shop's products as its server lists them, and the search among them. */

import { isRefusal } from "./errors.js";
import { readProducts } from "./server.js";
import { store } from "./store.js";

export const products = store([]);

/** Read the products. */
export async function loadProducts() {
  products.set(await readProducts());
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

/** Return the products for sale that have all words of a query in their name or reference. */
export function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return products.value.filter(({ active, name, ref }) => {
    const text = `${name} ${ref}`.toLowerCase();
    return active && words.every((word) => text.includes(word));
  });
}
