/** The catalogue: price, discount, stock and whether a product is for sale. Visitors see the changes in their carts. */

import { byId, copyOf, part, show, showList } from "./dom.js";
import { minorUnits } from "./format.js";
import { hasWords } from "./search.js";
import { changeProduct, readProducts, readSettings } from "./server.js";
import { reader, request } from "./staff_request.js";
import { announce } from "./status.js";
import { texts } from "./texts.js";

let units = 1;
let products = [];

/** The product as it was when a sheet's fields were filled: only what differs from it is saved. */
const filled = new WeakMap();

const read = reader("products", ([settings, catalogue]) => {
  units = minorUnits(settings.currency);
  products = catalogue;
  showProducts();
});

/** Show the products that have all words of the search. The others stay in the list, hidden, with what was typed. */
function showProducts() {
  const query = byId("search").value.trim();
  const found = products.filter((product) => hasWords(product, query));
  showList(
    byId("product-list"),
    products,
    ({ id }) => id,
    createSheet,
    (element, product) => {
      fill(element, product);
      element.hidden = !found.includes(product);
    },
  );
  show(byId("found"), query && texts.search.found(found.length));
}

function createSheet(product) {
  const element = copyOf("product-sheet");
  part(element, "picture").src = product.image;
  show(part(element, "name"), product.name);
  part(element, "save").ariaLabel = texts.staff.saveLabel(product.name);
  part(element, "price").step = 1 / units;
  part(element, "discount").step = 1 / units;
  part(element, "price").addEventListener("input", () => limitDiscount(element));
  element.firstElementChild.addEventListener("submit", (event) => {
    event.preventDefault();
    save(element, product);
  });
  return element;
}

function save(element, { id, name }) {
  const edited = editedIn(element);
  if (!Object.keys(edited).length) {
    announce(texts.staff.saved(name));
    return;
  }
  request(
    `product ${id}`,
    () => changeProduct(id, edited),
    (changed) => {
      products = products.map((product) => (product.id === id ? changed : product));
      Object.assign(filled.get(element), edited);
      fill(element, changed);
      announce(texts.staff.saved(name));
    },
  );
}

/** No discount is above the price: the form says so, in the shop's currency. */
function limitDiscount(element) {
  part(element, "discount").max = part(element, "price").value;
}

/** Write an amount in minor units as a number field has it: 1490 as 14.90. */
const inUnits = (amount) => (amount / units).toFixed(Math.log10(units));

/** Show a product in the fields that are not edited. */
function fill(element, product) {
  const edited = filled.has(element) ? editedIn(element) : {};
  const { price, discount, stock, active } = product;
  if (!("price" in edited)) part(element, "price").value = inUnits(price);
  if (!("discount" in edited)) part(element, "discount").value = inUnits(discount);
  if (!("stock" in edited)) part(element, "stock").value = stock ?? "";
  if (!("active" in edited)) part(element, "active").checked = active;
  limitDiscount(element);
  filled.set(element, { ...product });
}

/** The fields' values that differ from what they were filled with. */
function editedIn(element) {
  const values = Object.entries(valuesOf(element));
  return Object.fromEntries(values.filter(([name, value]) => value !== filled.get(element)[name]));
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
  byId("search").oninput = showProducts;
  read(() => Promise.all([readSettings(), readProducts()]));
}
