// A storefront that uses the types that openapi-typescript makes of docs/openapi.yaml. tsc checks its types, node runs it.
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./api";

type Schemas = components["schemas"];
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

type ErrorOf<O extends keyof operations, S extends keyof operations[O]["responses"]> =
  operations[O]["responses"][S] extends { content: { "application/json": infer Body } } ? Body : never;
type Details<E> = E extends { details: infer D } ? D : never;

same<ErrorOf<"addToCart", 401>["error"], "authentication required">(true);
same<ErrorOf<"addToCart", 400>["error"],
  "validation error" | "invalid product" | "insufficient stock" | "cart is full">(true);
same<Details<Extract<ErrorOf<"addToCart", 400>, { error: "insufficient stock" }>>, { quantity: string[] }>(true);
same<ErrorOf<"readItem", 404>["error"], "item not found" | "not found">(true);
same<ErrorOf<"reviseItem", 412>["error"], "cart has changed">(true);
same<ErrorOf<"reviseItem", 422>["error"], "idempotency key reused">(true);
same<ErrorOf<"addToSessionCart", 403>["error"], "forbidden" | "banned ip" | "origin not allowed">(true);
same<ErrorOf<"checkOut", 400>["error"], "validation error" | "cart is empty" | "cart is full">(true);
same<ErrorOf<"checkOut", 409>["error"], "cart needs review" | "too many unpaid orders">(true);
same<ErrorOf<"cancelOrder", 409>["error"], "order cannot be cancelled">(true);
same<Schemas["Order"]["status"],
  "hold" | "processing" | "shipped" | "completed" | "cancelled" | "failed" | "refunded">(true);
same<ErrorOf<"readCart", 429>["error"], "too many requests">(true);
same<ErrorOf<"emptySessionCart", 429>["error"], "Too many requests">(true);
same<Schemas["UpdateCartItem"], { quantity?: number; notes?: string }>(true);
same<Schemas["Warning"]["code"], "price_changed" | "unavailable" | "insufficient_stock" | "discount_unavailable"
  | "shipping_unavailable" | "not_merged">(true);
// @ts-expect-error: an error is one of the contract's texts, and no other
same<ErrorOf<"addToCart", 401>["error"], string>(true);
// @ts-expect-error: an item has no field of this name
const wrong: Schemas["UpdateCartItem"] = { amount: 1 };

declare const process: { argv: string[] };
const [shopUrl, token, product] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: shopUrl, headers: { Authorization: `Token ${token}` } });

async function main(): Promise<unknown[]> {
  const seen: unknown[] = [];
  const added = await client.POST("/api/shop/cart/items", { body: { product: Number(product), quantity: 2 } });
  const item = added.data?.items[0];
  const path = { id: item?.id ?? 0 };
  seen.push([added.response.status, added.data?.quantity, added.data?.currency]);
  const noted = await client.PATCH("/api/shop/cart/items/{id}", { params: { path }, body: { notes: "gift" } });
  seen.push([noted.response.status, noted.data?.items[0].notes]);
  const refused = await client.POST("/api/shop/cart/items", { body: { product: 999_999_999 } });
  if (refused.error?.error === "invalid product") {
    seen.push([refused.response.status, refused.error.error, Object.keys(refused.error.details)]);
  }
  const removed = await client.DELETE("/api/shop/cart/items/{id}", { params: { path } });
  const gone = await client.GET("/api/shop/cart/items/{id}", { params: { path } });
  seen.push([removed.data?.count, gone.response.status, gone.error?.error]);
  await client.POST("/api/shop/cart/items", { body: { product: Number(product) } });
  const review = await client.POST("/api/shop/checkout/cart", { body: { total: 1 } });
  if (review.error?.error === "cart needs review") {
    seen.push([review.response.status, review.error.details.warnings, Object.keys(review.error.details)]);
  }
  const placed = await client.POST("/api/shop/checkout/cart", { body: {} });
  const order = { params: { path: { key: placed.data?.order_key ?? "" } } };
  const read = await client.GET("/api/shop/customers/me/orders/{key}", order);
  const listed = await client.GET("/api/shop/customers/me/orders", { params: { query: { status: "hold" } } });
  seen.push([read.data?.status, read.data?.items[0].product.id === Number(product), listed.data?.count]);
  const cancelled = await client.POST("/api/shop/customers/me/orders/{key}/cancel", order);
  const again = await client.POST("/api/shop/customers/me/orders/{key}/cancel", order);
  seen.push([cancelled.data?.status, again.response.status, again.error?.error]);
  return seen;
}

main().then((seen) => console.log(JSON.stringify(seen)));
