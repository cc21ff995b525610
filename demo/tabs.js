/** Tabs of one browser show the same cart: each reports its changes to the others, and they read the cart again. */

const channel = new BroadcastChannel("demo-shop");

export function tellOtherTabs() {
  channel.postMessage("changed");
}

/** Call after a change in another tab, and when this tab comes back to the front. */
export function onChangeElsewhere(read) {
  channel.addEventListener("message", read);
  document.addEventListener("visibilitychange", () => document.hidden || read());
}
