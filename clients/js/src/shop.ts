import { type Answer, checkSuccess, type Failure, ShopError, send } from "./requests.js";
import { defaultStorage, randomKey } from "./storage.js";
import type {
  Cart,
  CheckOut,
  Item,
  ItemChange,
  KeyStorage,
  NewItem,
  Order,
  OrderList,
  OrderQuery,
  PaymentMethod,
  PlacedOrder,
  Selections,
  ShippingMethod,
  Warning,
} from "./types.js";

const CART = "/api/shop/cart";
const ITEMS = `${CART}/items`;
const ORDERS = "/api/shop/customers/me/orders";

export interface ShopOptions {
  /** The address of the Shop API: the stack's output ShopUrl. */
  url: string;
  /** An API key of the shop, which is public. It makes guests. */
  apiKey: string;
  /** Where the tokens are kept. Default: `localStorage`, so all tabs of the shop's pages share them; in memory without a page. */
  storage?: KeyStorage;
  /** Names this shop's tokens in the storage, if pages of one address are of several shops. Default: `url`. */
  name?: string;
  /** Seconds for which a request that fails is repeated. Default: 60. */
  retrySeconds?: number;
  /** Called with each cart that differs from the last one, whichever call returned it. */
  onCart?(cart: Cart): void;
  /** Called with the warnings of a cart, if the cart before had others. */
  onWarnings?(warnings: Warning[], cart: Cart): void;
  /** Called before each repetition: the status of the failed attempt, 0 for no answer, and the seconds until the next. */
  onRetry?(status: number, seconds: number): void;
  fetch?: typeof fetch;
}

export interface ChangeOptions {
  /** Apply the change only if the cart is still the one that this `Shop` returned last, if it returned one. */
  ifUnchanged?: boolean;
}

export interface Change {
  /** The cart after the change; if it was not applied, the newer cart that prevented it. */
  cart: Cart;
  /** Whether the change was applied; always true without `ifUnchanged`. */
  applied: boolean;
  /** Whether an earlier attempt had applied it, whose answer was lost. */
  replayed: boolean;
}

interface Visitor {
  token: string;
  isCustomer: boolean;
}

interface KnownCart {
  token: string;
  etag: string;
  cart: Cart;
  /** When its request began and its answer arrived, by `#moments`. */
  began: number;
  arrived: number;
}

/** An answer with a cart, and when its request began. */
interface CartAnswer extends Answer {
  began: number;
}

/** Attempts to send a request with the token of the visitor, which other tabs can change. */
const ROUNDS = 3;

/**
 * The cart and the orders of a visitor: of a guest until `signIn`, and then of the customer.
 *
 * Each change has its own idempotency key and is repeated with it, so it is applied once. Changes are sent one after the
 * other. All methods throw `ShopError`.
 */
export class Shop {
  readonly #options: ShopOptions;
  readonly #storage: KeyStorage;
  readonly #names: Record<"guest" | "customer" | "lock", string>;
  #last: KnownCart | undefined;
  #changes: Promise<unknown> = Promise.resolve();
  #moments = 0;
  #signOuts = 0;

  constructor(options: ShopOptions) {
    new URL(options.url); // a wrong address is the caller's error, not a lost connection
    this.#options = { ...options, url: options.url.replace(/\/+$/, "") };
    this.#storage = options.storage ?? defaultStorage();
    const nameOf = (kept: string) => `serverless-cart/${options.name ?? this.#options.url}/${kept}`; // a key can be replaced
    this.#names = { guest: nameOf("guest"), customer: nameOf("customer"), lock: nameOf("lock") };
  }

  /** Whether a customer has signed in, in this tab or in another one. */
  get isSignedIn(): boolean {
    return this.#storage.getItem(this.#names.customer) !== null;
  }

  /** Return the cart with current prices, and null for a visitor who has none. */
  async cart(): Promise<Cart | null> {
    const visitor = this.#visitor();
    if (!visitor) return null;
    try {
      const cart = await this.#read(visitor.token);
      return this.#visitor()?.token === visitor.token ? cart : await this.cart();
    } catch (error) {
      if (visitor.isCustomer || !(error instanceof ShopError && error.status === 401)) throw error;
      return this.cart(); // the guest's token is removed, or another tab has signed in
    }
  }

  /** Return an item with its current price. */
  async item(id: number): Promise<Item> {
    return (await this.#get(`${ITEMS}/${id}`)).body;
  }

  /** Add a product. If the cart has it, its quantity increases. */
  add(item: NewItem, options?: ChangeOptions): Promise<Change> {
    return this.#change("POST", ITEMS, item, options);
  }

  /** Set the quantity or the notes of an item. */
  update(id: number, change: ItemChange, options?: ChangeOptions): Promise<Change> {
    return this.#change("PATCH", `${ITEMS}/${id}`, change, options);
  }

  /** Remove an item. */
  remove(id: number, options?: ChangeOptions): Promise<Change> {
    return this.#change("DELETE", `${ITEMS}/${id}`, undefined, options);
  }

  /** Remove all items. */
  clear(options?: ChangeOptions): Promise<Change> {
    return this.#change("DELETE", CART, undefined, options);
  }

  /** Select address, shipping or payment method; null clears a selection. */
  select(selections: Selections, options?: ChangeOptions): Promise<Change> {
    return this.#change("PATCH", CART, selections, options);
  }

  applyDiscount(code: string, options?: ChangeOptions): Promise<Change> {
    return this.#change("PUT", `${CART}/discount`, { code }, options);
  }

  removeDiscount(options?: ChangeOptions): Promise<Change> {
    return this.#change("DELETE", `${CART}/discount`, undefined, options);
  }

  /**
   * Keep a customer's token and return the customer's cart, with the items of the guest in it. Warnings `not_merged` list
   * what stays in the guest's cart. If it fails, the visitor is still the guest, and it can be repeated. A `signOut` in the
   * meantime holds: the items have moved, but the token is not kept.
   */
  signIn(customerToken: string): Promise<Cart> {
    const signOuts = this.#signOuts;
    return this.#inOrder(() =>
      this.#locked("exclusive", async () => {
        const { guest, customer } = this.#names;
        const guestToken = this.#storage.getItem(guest);
        const merged = guestToken ? await this.#merge(customerToken, guestToken) : undefined;
        const answer = merged ?? (await this.#send("GET", CART, customerToken));
        this.#forgetIfRefused(customerToken, answer);
        checkSuccess(answer);
        if (signOuts === this.#signOuts) this.#storage.setItem(customer, customerToken);
        const cart = this.#keep(customerToken, answer);
        if (!cart.warnings.some(({ code }) => code === "not_merged")) this.#storage.removeItem(guest);
        return cart;
      }),
    );
  }

  /** Forget the customer's token at once. Changes that are being sent still apply to the customer's cart. */
  signOut(): void {
    this.#signOuts += 1;
    this.#storage.removeItem(this.#names.customer);
    this.#last = undefined;
  }

  async shippingMethods(): Promise<ShippingMethod[]> {
    return (await this.#get("/api/shop/shipping/methods")).body.results;
  }

  async paymentMethods(): Promise<PaymentMethod[]> {
    return (await this.#get("/api/shop/payment/methods")).body.results;
  }

  /**
   * Make an order of the cart. Pass the `total` that the customer saw. Throws 409 "cart needs review" if the customer would
   * pay for something else: read the cart, show it, and call this again.
   */
  checkOut(order: CheckOut = {}): Promise<PlacedOrder> {
    const visitor = this.#visitor();
    return this.#inOrder(async () => {
      const answer = await this.#withToken(
        (token) => this.#sendChange("POST", "/api/shop/checkout/cart", token, order),
        visitor,
      );
      checkSuccess(answer);
      return answer.body;
    });
  }

  /** Return the customer's orders without their items, newest first. */
  async orders(query: OrderQuery = {}): Promise<OrderList> {
    const words = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]]));
    return (await this.#get(`${ORDERS}?${new URLSearchParams(words)}`)).body;
  }

  async order(key: string): Promise<Order> {
    return (await this.#get(`${ORDERS}/${encodeURIComponent(key)}`)).body;
  }

  /** Cancel an order whose status is `hold`. */
  cancel(key: string): Promise<Order> {
    const visitor = this.#visitor();
    return this.#inOrder(async () => {
      const path = `${ORDERS}/${encodeURIComponent(key)}`;
      const answer = await this.#withToken((token) => this.#send("POST", `${path}/cancel`, token), visitor);
      if (answer.status === 409 && answer.attempts > 1) {
        // An earlier attempt may have cancelled it.
        const order = await this.#withToken((token) => this.#send("GET", path, token), visitor);
        if (order.body?.status === "cancelled") return order.body;
      }
      checkSuccess(answer);
      return answer.body;
    });
  }

  /** Send a change of the cart after those before it. */
  #change(method: string, path: string, body: unknown, { ifUnchanged }: ChangeOptions = {}): Promise<Change> {
    const visitor = this.#visitor();
    return this.#inOrder(async () => {
      let sentBy = "";
      const answer = await this.#withToken((token) => {
        sentBy = token;
        const match = ifUnchanged ? this.#last?.etag : undefined; // the tag of another visitor's cart is 412, too
        return this.#sendChange(method, path, token, body, match);
      }, visitor);
      if (answer.status === 412) return { cart: await this.#read(sentBy), applied: false, replayed: false };
      checkSuccess(answer);
      const replayed = answer.headers.get("Idempotency-Replayed") === "true";
      return { cart: this.#keep(sentBy, answer), applied: true, replayed };
    });
  }

  #sendChange(method: string, path: string, token: string, body?: unknown, match?: string): Promise<CartAnswer> {
    const headers: Record<string, string> = { "Idempotency-Key": randomKey() };
    if (match) headers["If-Match"] = match;
    return this.#send(method, path, token, body, headers);
  }

  /** Return the cart of a token. An answer without a body means that it is the last one. */
  async #read(token: string): Promise<Cart> {
    const known = this.#last?.token === token ? this.#last : undefined;
    const answer = await this.#send("GET", CART, token, undefined, known ? { "If-None-Match": known.etag } : {});
    if (answer.status === 304 && known) return this.#last?.token === token ? this.#last.cart : known.cart;
    this.#forgetIfRefused(token, answer);
    checkSuccess(answer);
    return this.#keep(token, answer);
  }

  /** Merge the guest's cart, and return nothing if there is no such guest any more. */
  async #merge(customerToken: string, guestToken: string): Promise<CartAnswer | undefined> {
    const answer = await this.#sendChange("POST", `${CART}/merge`, customerToken, { token: guestToken });
    return answer.status === 400 && answer.body?.details?.token ? undefined : answer;
  }

  async #get(path: string): Promise<Answer> {
    const answer = await this.#withToken((token) => this.#send("GET", path, token));
    checkSuccess(answer);
    return answer;
  }

  /**
   * Return the newest cart that is known after this answer. Answers can arrive in another order than they were made: a cart
   * is newer if its version is, or if its request began later. A cart that has expired begins again with a low version.
   */
  #keep(token: string, { body: cart, headers, began }: CartAnswer): Cart {
    if (token !== this.#visitor()?.token) return cart; // the visitor has signed in or out since
    const last = this.#last?.token === token ? this.#last : undefined;
    const etag = headers.get("ETag") ?? "";
    if (last && began < last.arrived) {
      const versions = version(etag) - version(last.etag);
      if (versions < 0 || (versions === 0 && began < last.began)) return last.cart;
    }
    const before = this.#last;
    this.#moments += 1;
    this.#last = { token, etag, cart, began, arrived: this.#moments };
    if (last?.etag !== etag) this.#report(cart, before?.cart);
    return cart;
  }

  /** Call the page's functions. Their errors are the page's, not those of the change. */
  #report(cart: Cart, before: Cart | undefined): void {
    const { onCart, onWarnings } = this.#options;
    const warnings = JSON.stringify(cart.warnings);
    if (onWarnings && warnings !== "[]" && warnings !== JSON.stringify(before?.warnings)) {
      queueMicrotask(() => onWarnings(cart.warnings, cart));
    }
    if (onCart) queueMicrotask(() => onCart(cart));
  }

  /**
   * Call with the token of the visitor, who becomes a guest if there is none. A change of a customer who has signed out since is
   * still the customer's. A guest whose token is not accepted any more becomes a new guest. A customer must sign in again.
   */
  async #withToken<Got extends Answer>(call: (token: string) => Promise<Got>, sender?: Visitor): Promise<Got> {
    for (let round = 1; ; round += 1) {
      if (!sender?.isCustomer && !this.#visitor()) await this.#locked("exclusive", () => this.#makeGuest());
      const [visitor, answer] = await this.#locked("shared", async () => {
        const visitor = sender?.isCustomer ? sender : this.#visitor();
        return [visitor, visitor && (await call(visitor.token))] as const;
      });
      if (visitor && answer) {
        this.#forgetIfRefused(visitor.token, answer);
        if (answer.status !== 401 || visitor.isCustomer || round === ROUNDS) return answer;
      } else if (round === ROUNDS) {
        throw new ShopError(401, "authentication required"); // the storage keeps nothing
      }
    }
  }

  /** Remove the token of an answer 401. */
  #forgetIfRefused(token: string, answer: Answer): void {
    if (answer.status !== 401) return;
    for (const name of [this.#names.customer, this.#names.guest]) {
      if (this.#storage.getItem(name) === token) this.#storage.removeItem(name);
    }
  }

  async #makeGuest(): Promise<void> {
    if (this.#visitor()) return; // another tab was faster
    const answer = await this.#send("POST", "/api/shop/guests", this.#options.apiKey);
    checkSuccess(answer);
    if (!this.#visitor()) this.#storage.setItem(this.#names.guest, answer.body.token);
  }

  #visitor(): Visitor | undefined {
    const customer = this.#storage.getItem(this.#names.customer);
    const token = customer ?? this.#storage.getItem(this.#names.guest);
    return token === null ? undefined : { token, isCustomer: customer !== null };
  }

  async #send(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<CartAnswer> {
    const { fetch: fetchOnce = fetch, onRetry, retrySeconds = 60, url } = this.#options;
    const request: RequestInit = {
      method,
      headers: { Authorization: `Token ${token}`, "Content-Type": "application/json", ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store", // only the ETags of this class decide
      credentials: "omit",
      keepalive: method !== "GET", // a change arrives if the visitor leaves the page at once
    };
    const mayRepeat = ({ answer, waitMs }: Failure) => {
      queueMicrotask(() => onRetry?.(answer?.status ?? 0, waitMs / 1000)); // its errors are the page's
      return true;
    };
    this.#moments += 1;
    const began = this.#moments;
    return { began, ...(await send(fetchOnce, url + path, request, { seconds: retrySeconds, mayRepeat })) };
  }

  /** Run changes one after the other, also after one has failed. */
  #inOrder<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#changes.then(change);
    this.#changes = result.catch(() => undefined);
    return result;
  }

  /**
   * Run with a lock that all tabs share, where the browser has one: two tabs make one guest, and none adds to the guest's
   * cart while another one merges it.
   */
  async #locked<Result>(mode: LockMode, run: () => Promise<Result>): Promise<Result> {
    let result: Promise<Result> | undefined;
    try {
      await globalThis.navigator?.locks?.request(this.#names.lock, { mode }, () => {
        result = run();
        return result;
      });
    } catch {
      // run has failed, or the browser blocks locks together with the storage
    }
    return result ?? run();
  }
}

/** Return the version in an ETag, `"<version>-<digest>"`, whose prefix a proxy may weaken with `W/`. */
function version(etag: string): number {
  return Number(/"(\d+)-/.exec(etag)?.[1] ?? 0);
}
