/** The shop and the search events of this page, as the shop's server describes them, and the cart that was read last. */

import { readSettings } from "./server.js";
import { SearchEvents, Shop } from "./serverless-cart.js";
import { connection } from "./status.js";
import { store } from "./store.js";

const RETRY_SECONDS = 20;

/** Send a request. When it has an answer that is not repeated, the status line no longer says that the shop is tried again. */
async function watchedFetch(...request) {
  const answer = await fetch(...request);
  if (answer.status < 500 && answer.status !== 429) connection.set("");
  return answer;
}

export const settings = await readSettings();

/** The cart, and null for a visitor without one. */
export const cart = store(null);

export const shop = new Shop({
  url: settings.shop_url,
  apiKey: settings.api_key,
  name: settings.hashid, // each `make start` after a `make down` has another shop, whose visitors are new
  retrySeconds: RETRY_SECONDS,
  fetch: watchedFetch,
  onRetry: (status) => connection.set(status ? "busy" : "lost"),
  onCart: (newer) => cart.set(newer),
});

export const events = new SearchEvents({
  url: settings.search_url,
  apiKey: settings.api_key,
  hashid: settings.hashid,
});
