/** The catalogue: price, discount, stock and whether a product is on sale. Visitors see the changes in their carts. */

import { byId, copyOf, part, show, showList } from "./dom.js";
import { minorUnits } from "./format.js";
import { changeProduct, readProducts, readSettings } from "./server.js";
import { request } from "./staff_request.js";
import { announce } from "./status.js";
import { texts } from "./texts.js";

let units = 1;
let products = [];

async function load() {
  const read = await request(() => Promise.all([readSettings(), readProducts()]), texts.connection.notLoaded);
  if (!read) return;
  units = minorUnits(read[0].currency);
  products = read[1];
  showFound();
}

function showFound() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = products.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
  showList(
    byId("product-list"),
    found,
    ({ id }) => id,
    createSheet,
    () => {},
  );
}

function createSheet(product) {
  const element = copyOf("product-sheet");
  part(element, "picture").src = product.image;
  show(part(element, "name"), product.name);
  part(element, "save").ariaLabel = texts.staff.saveLabel(product.name);
  part(element, "price").step = 1 / units;
  part(element, "discount").step = 1 / units;
  fill(element, product);
  element.firstElementChild.addEventListener("submit", async (event) => {
    event.preventDefault();
    const changed = await request(() => changeProduct(product.id, valuesOf(element)));
    if (!changed) return;
    fill(element, changed);
    announce(texts.staff.saved(product.name));
  });
  return element;
}

/** Write an amount in minor units as a number field has it: 1490 as 14.90. */
const inUnits = (amount) => (amount / units).toFixed(Math.log10(units));

function fill(element, { price, discount, stock, active }) {
  part(element, "price").value = inUnits(price);
  part(element, "discount").value = inUnits(discount);
  part(element, "stock").value = stock ?? "";
  part(element, "active").checked = active;
}

function valuesOf(element) {
  const stock = part(element, "stock").value;
  return {
    price: Math.round(part(element, "price").valueAsNumber * units),
    discount: Math.round(part(element, "discount").valueAsNumber * units),
    stock: stock === "" ? null : Number(stock),
    active: part(element, "active").checked,
  };
}

/** Show the section. Products that are shown keep what was typed. */
export function showStaffProducts() {
  byId("search").oninput = showFound;
  load();
}
