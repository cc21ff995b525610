/** The text of an error, and whether the same request may succeed later. */

import { ServerError } from "./server.js";
import { ShopError } from "./serverless-cart.js";
import { texts } from "./texts.js";

const TEMPORARY = new Set([0, 429, 500, 502, 503, 504]);

/** Whether an error is an answer of a server, or its lack; any other one is a fault of the page. */
export const isRefusal = (error) => error instanceof ShopError || error instanceof ServerError;

export const isTemporary = (error) => TEMPORARY.has(error.status);

export const isSignInEnd = (error) => error instanceof ShopError && error.status === 401;

/** The text for an error of the contract, and a general one for any other. */
export function errorText(error) {
  // A server in between has answered, not the shop.
  if (error.status && error.error === "no answer") return texts.errors["temporarily unavailable"];
  const known = [error.code, error.error].find((name) => Object.hasOwn(texts.errors, name));
  return texts.errors[known ?? "unknown"];
}
