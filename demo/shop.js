/** The shop's page: its parts, and which of them the address shows. */

import { openCart, showCartDrawer } from "./cart.js";
import { refreshCart } from "./cart_changes.js";
import { byId, prepareSkipLink } from "./dom.js";
import { prepareOrders, refreshOrders, showOrdersAt } from "./orders.js";
import { loadProducts, refreshProducts } from "./products.js";
import { openProduct, showProducts } from "./shelf.js";
import { showSignIn } from "./sign_in.js";
import { onChangeElsewhere } from "./tabs.js";
import { texts } from "./texts.js";

/** Show what the address names: #orders, #orders/<key>, #products/<id>, #cart, or all products. */
function showPlace() {
  const [place, id] = location.hash.slice(1).split("/");
  const isOrders = place === "orders";
  byId("shelf").hidden = isOrders;
  byId("orders").hidden = !isOrders;
  document.title = isOrders ? texts.orders.title : texts.shop.title;
  if (isOrders) showOrdersAt(id);
  if (place === "products") openProduct(Number(id));
  else byId("product-dialog").close();
  if (place === "cart") openCart();
}

prepareSkipLink();
showSignIn();
showProducts();
showCartDrawer();
prepareOrders(() => {
  if (!byId("orders").hidden) showPlace();
});
showPlace();
window.addEventListener("hashchange", () => {
  showPlace();
  byId("orders").hidden || byId("orders-title").focus();
});
onChangeElsewhere(() => {
  refreshCart();
  refreshProducts();
  refreshOrders();
});
await loadProducts();
if (location.hash.startsWith("#products/")) showPlace();
await refreshCart();
