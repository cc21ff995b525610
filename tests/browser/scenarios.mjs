// What a page does with the client library, for test_client_library.py: each function returns what the page saw.

/** Set the faults of the next requests, one for each. */
const faults = (given, ...names) => fetch(`${given.network}/faults?${names.join(",")}`);

const memory = () => {
  const values = new Map();
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => values.set(name, value),
    removeItem: (name) => values.delete(name),
  };
};

const nameOf = (given, kept) => `serverless-cart/${given.shopUrl}/${kept}`;

const shopOf = ({ Shop }, given, options = {}) => new Shop({ url: given.shopUrl, apiKey: given.apiKey, ...options });

const eventsOf = ({ SearchEvents }, given, options = {}) =>
  new SearchEvents({ url: given.searchUrl, apiKey: given.apiKey, hashid: given.hashid, storage: memory(), ...options });

const customerOf = async (library, given, options = {}) => {
  const shop = shopOf(library, given, { storage: memory(), ...options });
  await shop.signIn(given.token);
  return shop;
};

const errorOf = (promise) =>
  promise.then(
    () => "no error",
    ({ name, status, error, details }) => [name, status, error, Object.keys(details ?? {})],
  );

export async function guestSignsIn(library, given) {
  const storage = memory();
  const before = await shopOf(library, given, { storage }).cart();
  await shopOf(library, given, { storage }).add({ product: given.product, quantity: 2, notes: "gift" });
  const later = shopOf(library, given, { storage });
  const asGuest = await later.cart();
  const customer = await later.signIn(given.token);
  const { cart } = await later.add({ product: given.product });
  const again = await shopOf(library, given, { storage }).cart();
  later.signOut();
  return [
    before,
    asGuest.quantity,
    customer.quantity,
    customer.items[0].notes,
    cart.quantity,
    again.quantity,
    asGuest.id === customer.id,
    await later.cart(),
  ];
}

export async function everyChangeWithFault(library, given) {
  const shop = await customerOf(library, given);
  const seen = [];
  const change = async (call) => {
    await faults(given, given.fault);
    const { cart, applied, replayed } = await call();
    seen.push([cart.items.map((item) => [item.quantity, item.notes]), applied, replayed]);
    return cart;
  };
  const cart = await change(() => shop.add({ product: given.product, quantity: 2 }));
  const { id } = cart.items[0];
  await change(() => shop.update(id, { quantity: 5, notes: "gift" }));
  await change(() => shop.select({ address: 7 }));
  await change(() => shop.remove(id));
  await change(() => shop.add({ product: given.product }));
  await change(() => shop.clear());
  return seen;
}

export async function changeAfterRefusals(library, given) {
  const retried = [];
  const start = performance.now();
  const shop = await customerOf(library, given, {
    onRetry: (status, seconds) => retried.push([status, seconds >= 1 && seconds < 2]),
  });
  await faults(given, ...given.faults);
  const { cart } = await shop.add({ product: given.product });
  return [cart.quantity, performance.now() - start >= 2000, retried];
}

export async function signInWithFault(library, given) {
  const storage = memory();
  const shop = shopOf(library, given, { storage });
  await faults(given, given.fault);
  await shop.add({ product: given.product, quantity: 2 });
  await faults(given, given.fault);
  const cart = await shop.signIn(given.token);
  return [cart.quantity, (await shopOf(library, given, { storage }).cart()).quantity];
}

export async function signOutDuringSignIn(library, given) {
  const shop = shopOf(library, given, { storage: memory() });
  await shop.add({ product: given.product, quantity: 2 });
  const signIn = shop.signIn(given.token);
  shop.signOut();
  const { quantity } = await signIn;
  const after = [shop.isSignedIn, await shop.cart()];
  return [quantity, ...after, (await shop.signIn(given.token)).quantity, shop.isSignedIn];
}

export async function orderWithFault(library, given) {
  const shop = await customerOf(library, given);
  const { cart } = await shop.add({ product: given.product, quantity: 2 });
  await faults(given, given.fault);
  const { order_key: key } = await shop.checkOut({ total: cart.total });
  const ordered = await shop.orders();
  const order = await shop.order(key);
  await faults(given, given.fault);
  const cancelled = await shop.cancel(key);
  const again = await errorOf(shop.cancel(key));
  const held = await shop.orders({ status: "hold" });
  return [
    ordered.count,
    order.quantity,
    order.status,
    cancelled.status,
    again,
    held.count,
    (await shop.cart()).quantity,
  ];
}

export async function cancelBeforeSignOut(library, given) {
  const shop = await customerOf(library, given);
  await shop.add({ product: given.product });
  const { order_key: key } = await shop.checkOut();
  const changes = [shop.select({ address: 7 }), shop.cancel(key)];
  shop.signOut();
  const [, { status }] = await Promise.all(changes);
  return [status, shop.isSignedIn, await shop.cart()];
}

export async function unchangedCart(library, given) {
  const reported = [];
  const shop = await customerOf(library, given, { onCart: (cart) => reported.push(cart.quantity) });
  await shop.add({ product: given.product, quantity: 2 });
  const [first, second] = [await shop.cart(), await shop.cart()];
  return [first.quantity, first === second, reported];
}

export async function changedByAnotherTab(library, given) {
  const shop = await customerOf(library, given);
  const { cart } = await shop.add({ product: given.product, quantity: 2 });
  const other = await customerOf(library, given);
  await other.update(cart.items[0].id, { notes: "of the other tab" });
  const refused = await shop.update(cart.items[0].id, { notes: "of this tab" }, { ifUnchanged: true });
  const accepted = await shop.update(cart.items[0].id, { notes: "of this tab" }, { ifUnchanged: true });
  const of = ({ applied, cart }) => [applied, cart.items[0].notes];
  return [of(refused), of(accepted), (await other.cart()).items[0].notes];
}

export async function changesAtOnce(library, given) {
  const shop = await customerOf(library, given);
  const { cart } = await shop.add({ product: given.product });
  const { id } = cart.items[0];
  const quantities = [2, 3, 4, 5, 6, 7, 8, 9];
  const changes = quantities.map((quantity) => shop.update(id, { quantity }));
  const failed = errorOf(shop.update(id, { quantity: 0 }));
  const last = shop.update(id, { notes: "last" });
  const seen = await Promise.all(changes);
  return [seen.map(({ cart }) => cart.quantity), await failed, (await last).cart.items[0].notes];
}

/** Resolve when the network has taken all faults. */
const taken = async (given) => {
  while (await fetch(`${given.network}/faults`).then((left) => left.json()));
};

export async function lateAnswer(library, given) {
  const reported = [];
  const shop = await customerOf(library, given, { onCart: (cart) => reported.push(cart.quantity) });
  await shop.add({ product: given.product });
  if (given.changed) await (await customerOf(library, given)).add({ product: given.product });
  await faults(given, "late");
  const reading = shop.cart();
  await taken(given);
  await shop.add({ product: given.product });
  return [(await reading).quantity, (await shop.cart()).quantity, reported];
}

export async function lateAnswerAfterSignOut(library, given) {
  const reported = [];
  const shop = await customerOf(library, given, { onCart: (cart) => reported.push(cart.quantity) });
  await (await customerOf(library, given)).add({ product: given.product });
  await faults(given, "late", "late");
  const reading = shop.cart();
  const changing = shop.add({ product: given.product });
  await taken(given);
  shop.signOut();
  return [await reading, (await changing).cart.quantity, await shop.cart(), reported];
}

export async function signInElsewhere(library, given) {
  const storage = memory();
  const [shop, other] = [1, 2].map(() => shopOf(library, given, { storage }));
  await customerOf(library, given).then((one) => one.add({ product: given.product, quantity: 5 }));
  await shop.add({ product: given.product, quantity: 2 });
  await other.signIn(given.token);
  const cleared = await shop.clear({ ifUnchanged: true });
  return [cleared.applied, cleared.cart.quantity, (await shop.cart()).quantity, shop.isSignedIn];
}

export async function endedSignInAtOnce(library, given) {
  const storage = memory();
  storage.setItem(nameOf(given, "customer"), given.expired);
  const shop = shopOf(library, given, { storage });
  const calls = [shop.cart(), shop.add({ product: given.product }), shop.shippingMethods(), shop.orders()];
  return Promise.all(calls.map(errorOf));
}

export async function otherKey(library, given) {
  const storage = memory();
  await shopOf(library, given, { storage }).add({ product: given.product });
  const carts = [{ apiKey: "its-next-key" }, { name: "another shop" }].map((options) =>
    shopOf(library, given, { storage, ...options }).cart(),
  );
  return (await Promise.all(carts)).map((cart) => cart?.quantity);
}

export async function otherVisitor(library, given) {
  await shopOf(library, given).add({ product: given.product });
  return shopOf(library, given).cart();
}

export async function serverInBetween(library, given) {
  const retried = [];
  const shop = await customerOf(library, given, { onRetry: (status, seconds) => retried.push([status, seconds >= 1]) });
  await faults(given, "429 page", "502 page");
  const { cart } = await shop.add({ product: given.product });
  await faults(given, "403 page");
  return [cart.quantity, retried, await errorOf(shop.add({ product: given.product }))];
}

/** A page whose own functions fail. */
export async function failingCallbacks(library, given) {
  const failures = [];
  globalThis.process?.on("uncaughtException", ({ message }) => failures.push(message));
  globalThis.addEventListener?.("error", ({ error }) => failures.push(error.message));
  const fail = (name) => () => {
    throw new Error(name);
  };
  const shop = shopOf(library, given, { storage: memory(), onCart: fail("onCart"), onRetry: fail("onRetry") });
  await faults(given, "", "503");
  const { cart } = await shop.add({ product: given.product });
  const search = eventsOf(library, given, { onError: fail("onError") });
  search.click({ dfid: "unknown" });
  search.addToCart(LAMP);
  await search.flush();
  await new Promise((resolve) => setTimeout(resolve));
  return [cart.quantity, search.sessionId, failures];
}

/** A page that may not keep anything, which two shops of the page notice. */
export async function fullStorage(library, given) {
  Storage.prototype.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const [shop, other] = [shopOf(library, given), shopOf(library, given)];
  await shop.add({ product: given.product });
  const { cart } = await other.add({ product: given.product });
  return [cart.quantity, (await shop.signIn(given.token)).quantity, other.isSignedIn];
}

/** An event arrives, and the network is lost before its answer. */
export async function eventBeforeOffline(library, given) {
  const errors = [];
  const offline = { configurable: true, get: () => false };
  const search = eventsOf(library, given, {
    onError: ({ status }) => errors.push(status),
    fetch: (...request) =>
      fetch(...request).catch((error) => {
        globalThis.navigator ??= {};
        Object.defineProperty(globalThis.navigator, "onLine", offline);
        throw error;
      }),
  });
  const session = search.sessionId;
  await search.flush();
  await faults(given, "lost");
  search.addToCart(LAMP);
  await search.flush();
  return [session, errors];
}

export async function guestsAtOnce(library, given) {
  const shop = shopOf(library, given);
  await Promise.all([shop, shop].map((one) => one.add({ product: given.product })));
  return (await shop.cart()).quantity;
}

export async function warnings(library, given) {
  const reported = [];
  const shop = await customerOf(library, given, {
    onWarnings: (found) => reported.push(found.map(({ code }) => code)),
  });
  await shop.add({ product: given.scarce, quantity: given.stock });
  shop.signOut();
  await shop.add({ product: given.scarce, quantity: 1 });
  const cart = await shop.signIn(given.token);
  shop.signOut();
  return [cart.quantity, reported, (await shop.cart()).quantity];
}

export async function refusals(library, given) {
  const shop = await customerOf(library, given);
  const { cart } = await shop.add({ product: given.scarce, quantity: given.stock });
  return [
    await errorOf(shop.add({ product: given.scarce })),
    await errorOf(shop.add({ product: 999_999_999 })),
    await errorOf(shop.remove(7)),
    await errorOf(shop.item(7)),
    await errorOf(shop.applyDiscount("nothing")),
    await errorOf(shop.checkOut({ total: cart.total + 1 })),
    await errorOf(shop.order("nothing")),
    (await shop.removeDiscount()).cart.quantity,
    (await shop.item(cart.items[0].id)).quantity,
    await shop.shippingMethods(),
    await shop.paymentMethods(),
  ];
}

export async function endedSignIn(library, given) {
  const storage = memory();
  const shop = shopOf(library, given, { storage });
  await shop.add({ product: given.product });
  const refused = await errorOf(shop.signIn(given.expired));
  const before = [shop.isSignedIn, (await shop.cart()).quantity];
  storage.setItem(nameOf(given, "customer"), given.expired);
  const failed = [shop.isSignedIn, await errorOf(shop.add({ product: given.product })), shop.isSignedIn];
  return [refused, before, failed, (await shop.cart()).quantity];
}

export async function endedGuest(library, given) {
  const storage = memory();
  const shop = shopOf(library, given, { storage });
  const name = nameOf(given, "guest");
  storage.setItem(name, given.expired);
  const read = await shop.cart();
  storage.setItem(name, given.expired);
  const { cart } = await shop.add({ product: given.product });
  const signedIn = shopOf(library, given, { storage });
  storage.setItem(name, given.expired);
  return [read, cart.quantity, (await signedIn.signIn(given.token)).quantity, storage.getItem(name)];
}

export async function noAnswer(library, given) {
  const retried = [];
  const shop = await customerOf(library, given, {
    retrySeconds: 3,
    onRetry: (status, seconds) => retried.push([status, seconds < 2]),
  });
  await faults(given, ...Array(20).fill("cut"));
  const error = await errorOf(shop.add({ product: given.product }));
  await faults(given, "503");
  const impatient = await customerOf(library, given, { retrySeconds: 0.1 }).catch((refused) => refused.status);
  return [error, retried.length > 1, retried[0], impatient];
}

export async function randomFaults(library, given) {
  const shop = await customerOf(library, given);
  const expected = new Map();
  for (const [name, place, number, failing] of given.operations) {
    const product = given.products[place];
    if (failing.length) await faults(given, ...failing);
    const item = (await shop.cart()).items.find((one) => one.product.id === product);
    if (name === "add" || !item) {
      await shop.add({ product, quantity: number });
      expected.set(product, (expected.get(product) ?? 0) + number);
    } else if (name === "update") {
      await shop.update(item.id, { quantity: number });
      expected.set(product, number);
    } else {
      await shop.remove(item.id);
      expected.delete(product);
    }
  }
  const cart = await (await customerOf(library, given)).cart();
  const sorted = (pairs) => [...pairs].sort(([a], [b]) => a - b);
  return [sorted(cart.items.map((item) => [item.product.id, item.quantity])), sorted(expected)];
}

export async function example(library, given) {
  const shown = [];
  const names = ["library", "SHOP_URL", "API_KEY", "showCart", "tokenFromYourServer", "location"];
  const run = new (async () => {}).constructor(...names, `${given.code}; return order_key;`);
  const showCart = ({ quantity, total }) => shown.push([quantity, total]);
  const key = await run(library, given.shopUrl, given.apiKey, showCart, async () => given.token, {});
  const order = await (await customerOf(library, given)).order(key);
  return [shown, order.quantity, order.shipping_method];
}

const LAMP = { id: "42", index: "product", title: "Lamp" };

export async function events(library, given) {
  const errors = [];
  const search = eventsOf(library, given, { userId: "visitor-7", onError: ({ status }) => errors.push(status) });
  await faults(given, ...given.faults);
  search.click({ dfid: given.dfid, query: "lamp", position: 3 });
  search.addToCart({ ...LAMP, amount: 5, price: 14.9 });
  search.removeFromCart({ id: "42", index: "product", amount: 2 });
  await search.flush();
  return [search.sessionId, errors];
}

export async function sale(library, given) {
  const search = eventsOf(library, given);
  search.addToCart(LAMP);
  search.image({ id: 27 });
  search.redirect({ id: "28", query: "lamp" });
  await search.flush();
  await faults(given, "lost", "lost");
  search.checkout({ sources: ["newsletter"] });
  search.addToCart({ ...LAMP, id: "43" });
  search.clearCart();
  search.addToCart({ ...LAMP, id: "44" });
  await search.flush();
  return search.sessionId;
}

/** Leave an event on its way, and two that wait for it. */
export async function leaveEvents(library, given) {
  const search = eventsOf(library, given);
  const session = search.sessionId;
  await search.flush();
  await faults(given, "late");
  for (let number = 0; number < 3; number += 1) search.addToCart(LAMP);
  await taken(given);
  return session;
}

/** Leave a change whose request has begun. */
export function leaveChange(library, given) {
  const storage = memory();
  storage.setItem(nameOf(given, "customer"), given.token);
  return new Promise((begun) => {
    const watched = (...request) => {
      begun();
      return fetch(...request);
    };
    shopOf(library, given, { storage, fetch: watched }).add({ product: given.product });
  });
}
