import { checkSuccess, type Failure, mayHaveArrived, send } from "./requests.js";
import { defaultStorage, randomKey } from "./storage.js";
import type { BannerClick, Click, KeyStorage, Redirection, RemovedSessionItem, Sale, SessionItem } from "./types.js";

const SESSION_MS = 24 * 60 * 60 * 1000;

export interface SearchEventsOptions {
  /** The address of the Search API: the stack's output SearchUrl. */
  url: string;
  /** An API key of the shop, which is public. */
  apiKey: string;
  /** The search engine. */
  hashid: string;
  /** The visitor, for the statistics of returning visitors: at most 36 characters, and no personal data. */
  userId?: string;
  /** Where the session is kept. Default: `localStorage`, so all tabs of the shop's pages share it; in memory without a page. */
  storage?: KeyStorage;
  /** Seconds for which an event that fails is repeated. Default: 60. */
  retrySeconds?: number;
  /** Called with the error of an event that was not registered. Events never disturb the page. */
  onError?(error: unknown): void;
  fetch?: typeof fetch;
}

interface Event {
  method: string;
  path: string;
  body: object;
  /** Whether the API counts the event once, however often it arrives. */
  countsOnce: boolean;
  /** Whether it is on its way; then it also arrives if the page closes. */
  isSent: boolean;
}

/**
 * The events of a visitor's search session. Methods return at once. Events are sent one after the other, and the waiting
 * ones when the page closes.
 *
 * An event that got no answer is repeated only if the API counts it once; the others could count twice. A session ends
 * 24 hours after its last event, as its cart does.
 */
export class SearchEvents {
  readonly #options: SearchEventsOptions;
  readonly #storage: KeyStorage;
  readonly #name: string;
  #events: Event[] = [];
  #sending: Promise<void> | undefined;

  constructor(options: SearchEventsOptions) {
    new URL(options.url); // a wrong address is the caller's error, not a lost connection
    this.#options = { ...options, url: options.url.replace(/\/+$/, "") };
    this.#storage = options.storage ?? defaultStorage();
    this.#name = `serverless-cart/${options.hashid}/session`;
    globalThis.addEventListener?.("pagehide", () => this.#sendWaiting());
  }

  /** The id of the session. A new session is registered at once. */
  get sessionId(): string {
    const [known, at] = (this.#storage.getItem(this.#name) ?? "").split(" ");
    const isNew = !known || Date.now() - Number(at) > SESSION_MS;
    const id = isNew ? randomKey() : known;
    this.#storage.setItem(this.#name, `${id} ${Date.now()}`);
    if (isNew) this.#queue("PUT", "init", this.#visitor(id), true);
    return id;
  }

  addToCart(item: SessionItem): void {
    this.#cart("PUT", item, false);
  }

  removeFromCart(item: RemovedSessionItem): void {
    this.#cart("PATCH", item, false);
  }

  clearCart(): void {
    this.#cart("DELETE", [], true);
  }

  /** Register a click on a result. `dfid` is `<hashid>@<index>@<md5 of the id>`, as the search engine returns it. */
  click(event: Click): void {
    this.#put("click", event, false);
  }

  image(event: BannerClick): void {
    this.#put("image", event, false);
  }

  redirect(event: Redirection): void {
    this.#put("redirect", event, false);
  }

  /** Register that the items in the session's cart were bought. */
  checkout(event: Sale = {}): void {
    this.#put("checkout", event, true);
  }

  /** Return when all events have been sent. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  #put(name: string, event: object, countsOnce: boolean): void {
    this.#queue("PUT", name, { ...event, ...this.#visitor(this.sessionId) }, countsOnce);
  }

  #cart(method: string, body: object, countsOnce: boolean): void {
    this.#queue(method, `cart/${this.sessionId}`, body, countsOnce);
  }

  #visitor(session: string): object {
    const { userId } = this.#options;
    return userId === undefined ? { session_id: session } : { session_id: session, user_id: userId };
  }

  #queue(method: string, path: string, body: object, countsOnce: boolean): void {
    this.#events.push({ method, path, body, countsOnce, isSent: false });
    this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    for (let event = this.#events[0]; event; event = this.#events[0]) {
      try {
        await this.#send(event);
      } catch (error) {
        if (this.#events[0] === event) this.#report(error);
      }
      if (this.#events[0] === event) this.#events.shift();
    }
    this.#sending = undefined;
  }

  async #send(event: Event): Promise<void> {
    const { fetch: fetchOnce = fetch, retrySeconds = 60, url } = this.#options;
    let beganOnline = true;
    const mayRepeat = (failure: Failure) => {
      event.isSent = false;
      const isLost = mayHaveArrived(failure.answer) && beganOnline;
      return this.#isWaiting(event) && (event.countsOnce || !isLost);
    };
    const once: typeof fetch = async (...call) => {
      if (!this.#isWaiting(event)) throw new Error("sent when the page closed");
      event.isSent = true;
      beganOnline = globalThis.navigator?.onLine !== false;
      return fetchOnce(...call);
    };
    const [address, request] = this.#request(event);
    checkSuccess(await send(once, url + address, request, { seconds: retrySeconds, mayRepeat }));
  }

  #isWaiting(event: Event): boolean {
    return this.#events.includes(event);
  }

  /**
   * Send the waiting events when the page closes. `navigator.sendBeacon` cannot send the key; `keepalive` is its successor.
   * No answer may arrive any more, so nothing is repeated, and the events may arrive in another order.
   */
  #sendWaiting(): void {
    const { fetch: fetchOnce = fetch, url } = this.#options;
    const waiting = this.#events.filter(({ isSent }) => !isSent);
    this.#events = this.#events.filter(({ isSent }) => isSent);
    for (const event of waiting) {
      const [address, request] = this.#request(event);
      send(fetchOnce, url + address, request, { seconds: 0, mayRepeat: () => false })
        .then(checkSuccess)
        .catch((error) => this.#report(error));
    }
  }

  /** Call the page's function. Its errors are the page's: the next events are sent. */
  #report(error: unknown): void {
    queueMicrotask(() => this.#options.onError?.(error));
  }

  #request({ method, path, body }: Event): [string, RequestInit] {
    const { apiKey, hashid } = this.#options;
    const headers = { Authorization: `Token ${apiKey}`, "Content-Type": "application/json" };
    const request: RequestInit = { method, headers, body: JSON.stringify(body), keepalive: true, credentials: "omit" };
    return [`/6/${hashid}/stats/${path}`, request];
  }
}
