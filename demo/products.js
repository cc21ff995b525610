/** The shop's products as its server lists them, and the search among them. */

import { readProducts } from "./server.js";
import { store } from "./store.js";

export const products = store([]);

/** Read the products again, for prices and stock. */
export async function refreshProducts() {
  products.set(await readProducts());
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
