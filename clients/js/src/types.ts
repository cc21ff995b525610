import type { components, operations } from "./api.js";

type Schemas = components["schemas"];

export type Cart = Schemas["Cart"];
export type Item = Schemas["Item"];
export type Warning = Schemas["Warning"];
export type Order = Schemas["Order"];
export type OrderSummary = Schemas["OrderSummary"];
export type OrderList = Schemas["OrderList"];
export type OrderStatus = Schemas["OrderStatus"];
export type PlacedOrder = Schemas["PlacedOrder"];
export type ShippingMethod = Schemas["ShippingMethods"]["results"][number];
export type PaymentMethod = Schemas["PaymentMethods"]["results"][number];

export type NewItem = Schemas["AddCartItem"];
export type ItemChange = Schemas["UpdateCartItem"];
export type Selections = Schemas["UpdateSelections"];
export type CheckOut = Schemas["CheckOut"];
export type OrderQuery = NonNullable<operations["listOrders"]["parameters"]["query"]>;

/** An event of a search session, without the session and the visitor: `SearchEvents` adds both. */
type Event<Body extends { session_id: unknown }> = Omit<Body, "session_id" | "user_id">;
export type SessionItem = Schemas["AddSessionItem"];
export type RemovedSessionItem = Schemas["RemoveSessionItem"];
export type Click = Event<Schemas["LogClick"]>;
export type BannerClick = Event<Schemas["LogImage"]>;
export type Redirection = Event<Schemas["LogRedirect"]>;
export type Sale = Event<Schemas["LogCheckout"]>;

type TextOf<Body> = Body extends { error: infer Text extends string } ? Text : never;
/** Every error text of the Search API and the Shop API (docs/contract.md), and "no answer". */
export type ErrorText = { [Name in keyof Schemas]: TextOf<Schemas[Name]> }[keyof Schemas] | "no answer";

/** Where tokens and the search session are kept: `localStorage`, or anything like it. */
export type KeyStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;
