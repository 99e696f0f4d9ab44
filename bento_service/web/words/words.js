/** The words of the page in the language of its user, and numbers and times in its form. */

import en from "./en.js";

const LANGUAGES = { en: "English", zh: "中文" };
/** @type {Record<string, any>} */
let words = en;
let language = "en";
let numbers = new Intl.NumberFormat("en");
let plural = new Intl.PluralRules("en");

export { LANGUAGES };

/** @returns {string} The language in use, such as `en`. */
export function current() {
  return language;
}

/**
 * Use a language from now on.
 * @param {string} wanted A language, or empty for that of the browser.
 */
export async function speak(wanted) {
  const preferred = wanted || navigator.languages.map((tag) => tag.slice(0, 2)).find(isKnown) || "en";
  language = isKnown(preferred) ? preferred : "en";
  words = language === "zh" ? await chinese() : en;
  numbers = new Intl.NumberFormat(language);
  plural = new Intl.PluralRules(language);
  document.documentElement.lang = language;
}

async function chinese() {
  try {
    return (await import("./zh.js")).default;
  } catch {
    return en; // a page in English is better than none
  }
}

function isKnown(tag) {
  return tag in LANGUAGES;
}

/**
 * A text. `{name}` stands for a value; numbers are formatted. A text of several forms is chosen by
 * the value `n`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const entry = words[key] ?? en[key] ?? key;
  const text = typeof entry === "string" ? entry : entry[plural.select(Number(values.n))] ?? entry.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : value ?? whole;
  });
}

/** @param {number} value */
export function number(value) {
  return numbers.format(value);
}

/** @param {number} share Between 0 and 1. */
export function percent(share) {
  return new Intl.NumberFormat(language, { style: "percent" }).format(share);
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const place = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const digits = { maximumFractionDigits: place > 1 ? 1 : 0 };
  /** @type {Intl.NumberFormatOptions} */
  const shape = { style: "unit", unit: units[place], unitDisplay: "short", ...digits };
  return new Intl.NumberFormat(language, shape).format(bytes / 1000 ** place);
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const [value, unit] =
    whole < 90 ? [whole, "second"] : whole < 5400 ? [whole / 60, "minute"] : [whole / 3600, "hour"];
  const digits = { maximumFractionDigits: unit === "hour" ? 1 : 0 };
  /** @type {Intl.NumberFormatOptions} */
  const shape = { style: "unit", unit, unitDisplay: "short", ...digits };
  return new Intl.NumberFormat(language, shape).format(value);
}

/** @param {string} date As the service writes it. */
export function moment(date) {
  /** @type {Intl.DateTimeFormatOptions} */
  const shape = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language, shape).format(new Date(date));
}

/**
 * A name with its middle left out, so that its start and its ending stay.
 * @param {string} name
 * @param {number} [most] Characters to keep.
 */
export function shortened(name, most = 32) {
  const letters = [...name];
  if (letters.length <= most) return name;
  const end = Math.ceil(most / 3);
  return `${letters.slice(0, most - end - 1).join("")}…${letters.slice(-end).join("")}`;
}

/**
 * A text of the service as a sentence of its own.
 * @param {string} text
 */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?。！？]$/.test(begun) ? begun : `${begun}.`;
}
