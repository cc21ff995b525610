// A storefront that uses the packed client library. tsc checks its types; it never runs.
import { type Cart, SearchEvents, Shop, ShopError } from "serverless-cart";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

export async function buy(url: string, apiKey: string): Promise<string | undefined> {
  const shop = new Shop({ url, apiKey, onCart: (cart: Cart) => console.log(cart.total), onWarnings: console.log });
  const { cart, applied } = await shop.add({ product: 123, quantity: 2 }, { ifUnchanged: true });
  same<typeof applied, boolean>(true);
  same<(typeof cart.warnings)[number]["code"], "price_changed" | "unavailable" | "insufficient_stock"
    | "discount_unavailable" | "shipping_unavailable" | "not_merged">(true);
  same<Awaited<ReturnType<typeof shop.cart>>, Cart | null>(true);
  // @ts-expect-error: an item has no field of this name
  await shop.add({ product: 123, amount: 2 });
  // @ts-expect-error: a product's id is a number
  await shop.add({ product: "123" });
  try {
    return (await shop.checkOut({ total: cart.total })).next_step;
  } catch (error) {
    if (error instanceof ShopError && error.error === "cart needs review") return error.details?.["warnings"] as string;
    // @ts-expect-error: an error is one of the contract's texts
    if (error instanceof ShopError && error.error === "needs review") return "";
    throw error;
  }
}

export function search(url: string, apiKey: string, hashid: string): void {
  const events = new SearchEvents({ url, apiKey, hashid });
  events.addToCart({ id: "123", index: "product", title: "Mug", price: null });
  // @ts-expect-error: a click names the result
  events.click({ query: "mug" });
  // @ts-expect-error: the session is the library's
  events.checkout({ session_id: "x" });
}
