export { ShopError } from "./requests.js";
export { SearchEvents, type SearchEventsOptions } from "./search_events.js";
export { type Change, type ChangeOptions, Shop, type ShopOptions } from "./shop.js";
export type * from "./types.js";
