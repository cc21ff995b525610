/** Requests to the shop's own server (local/shop_server.py), which holds the management key. */

export class ServerError extends Error {
  constructor(status, error, code) {
    super(error);
    this.status = status;
    this.error = error;
    this.code = code;
  }
}

/** Send a request and return the answer's JSON. Throws `ServerError`; its status is 0 if there is no answer. */
async function call(method, path, body) {
  const request = body ? { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  let answer;
  let content;
  try {
    answer = await fetch(path, request);
    content = await answer.json();
  } catch {
    throw new ServerError(0, "no answer");
  }
  if (!answer.ok) throw new ServerError(answer.status, content.error, content.code);
  return content;
}

export const readSettings = () => call("GET", "/settings.json");
export const readProducts = async () => (await call("GET", "/products.json")).results;
export const requestToken = async (customer) => (await call("POST", "/sign-in", { customer })).token;
export const pay = (order) => call("POST", "/payments", { order });

export const readOrders = async (status) => (await call("GET", `/staff/orders?${new URLSearchParams(status)}`)).results;
export const changeOrder = (key, change) => call("PATCH", `/staff/orders/${encodeURIComponent(key)}`, change);
export const changeProduct = (id, change) => call("PATCH", `/staff/products/${id}`, change);
