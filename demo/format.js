/** Amounts, shares and dates as people read them. */

import { locale } from "./texts.js";

const formats = new Map();

function currencyFormat(currency) {
  if (!formats.has(currency)) formats.set(currency, new Intl.NumberFormat(locale, { style: "currency", currency }));
  return formats.get(currency);
}

/** The minor units of one unit of a currency: 100 for EUR, 1 for JPY. */
export function minorUnits(currency) {
  return 10 ** currencyFormat(currency).resolvedOptions().maximumFractionDigits;
}

/** Format an amount in minor units: 1490 as €14.90. */
export function money(amount, currency) {
  return currencyFormat(currency).format(amount / minorUnits(currency));
}

/** Format a share: 0.17 as 17%. */
export const percent = (share) => new Intl.NumberFormat(locale, { style: "percent" }).format(share);

/** Format a moment (ISO 8601) with its date. */
export const dateTime = (iso) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" }).format(new Date(iso));

/** Format the time of a moment (ISO 8601). */
export const time = (iso) => new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(new Date(iso));
