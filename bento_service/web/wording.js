/** Numbers as people read them. */

const NUMBERS = new Intl.NumberFormat("en");

/** @param {number} value */
export function grouped(value) {
  return NUMBERS.format(value);
}

/**
 * `1 picture`, `12,345 pictures`.
 * @param {number} number
 * @param {string} [noun]
 */
export function counted(number, noun = "picture") {
  return `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * A text of the service as a sentence of its own.
 * @param {string} text
 */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/**
 * Milliseconds as `85 ms` or `1.24 s`.
 * @param {number} milliseconds
 */
export function milliseconds(milliseconds) {
  if (milliseconds < 999.5) return `${Math.max(1, Math.round(milliseconds))} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/**
 * Seconds as `40 s`, `3 min` or `2 h 5 min`.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${grouped(Math.floor(minutes / 60))} h${rest ? ` ${rest} min` : ""}`;
}

/**
 * `at 14:05`, or with its date where that is another day.
 * @param {Date} date
 */
export function moment(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString(undefined, { timeStyle: "short" });
  return isToday ? `at ${time}` : `on ${date.toLocaleDateString("en", { dateStyle: "medium" })}`;
}

/**
 * Pictures a second, with one decimal where that says something.
 * @param {number} perSecond
 */
export function speed(perSecond) {
  const shown = perSecond < 10 ? perSecond.toFixed(1) : grouped(Math.round(perSecond));
  return `${shown} a second`;
}
