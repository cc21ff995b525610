import type { KeyStorage } from "./types.js";

/** What a page's `localStorage` does not keep: it is blocked or full. It lasts as long as the page. */
const keptByPage = new Map<string, string>();

/**
 * Return the page's `localStorage`. Values that it does not keep last as long as the page. Without a page, as on a server,
 * return a new storage: each object there serves another visitor.
 */
export function defaultStorage(): KeyStorage {
  const isPage = Boolean(globalThis.document);
  const kept = isPage ? keptByPage : new Map<string, string>();
  const attempt = <Result>(use: (storage: Storage) => Result): Result | undefined => {
    try {
      return isPage ? use(globalThis.localStorage) : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    getItem: (name) => kept.get(name) ?? attempt((storage) => storage.getItem(name)) ?? null,
    setItem(name, value) {
      attempt((storage) => storage.setItem(name, value));
      if (attempt((storage) => storage.getItem(name)) === value) kept.delete(name);
      else kept.set(name, value);
    },
    removeItem(name) {
      kept.delete(name);
      attempt((storage) => storage.removeItem(name));
    },
  };
}

/** Return 32 random hexadecimal characters. `crypto.randomUUID` does not exist on pages without https. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
