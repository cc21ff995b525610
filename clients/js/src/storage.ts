import type { KeyStorage } from "./types.js";

/** What `localStorage` does not keep: it is absent, blocked or full. It lasts as long as the page. */
const kept = new Map<string, string>();

/** Return the page's `localStorage`. Values that it does not keep last as long as the page. */
export function defaultStorage(): KeyStorage {
  const attempt = <Result>(use: (storage: Storage) => Result): Result | undefined => {
    try {
      return use(globalThis.localStorage);
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
