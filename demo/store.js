/** A value that several parts of a page show. */

export function store(value) {
  const listeners = [];
  return {
    get value() {
      return value;
    },
    set(newer) {
      value = newer;
      for (const listener of listeners) listener(value);
    },
    /** Call with the value now and after each change. */
    follow(listener) {
      listeners.push(listener);
      listener(value);
    },
  };
}
