/** The search among products. */

/** Whether a product has all words of a query in its name or reference. */
export function hasWords({ name, ref }, query) {
  const text = `${name} ${ref}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
