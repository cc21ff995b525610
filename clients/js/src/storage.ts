import type { KeyStorage } from "./types.js";

/** Return the page's `localStorage`. Where there is none, or the browser blocks it, the storage lasts as long as the page. */
export function defaultStorage(): KeyStorage {
  try {
    if (globalThis.localStorage) return globalThis.localStorage;
  } catch {
    // A browser that blocks the storage of a page throws when the page only looks at it.
  }
  const values = new Map<string, string>();
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => void values.set(name, value),
    removeItem: (name) => void values.delete(name),
  };
}

/** Return 32 random hexadecimal characters. `crypto.randomUUID` does not exist on pages without https. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
