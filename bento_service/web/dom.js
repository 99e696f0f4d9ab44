/** The page's elements: found by id, made from templates, filled with text and never with markup. */

/**
 * An element that index.html promises.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element with the id ${id}`);
  return found;
}

/**
 * A copy of the one element inside a template.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/**
 * An element with a text and, if given, a class.
 * @param {string} tag
 * @param {string} text
 * @param {string} [className]
 */
export function textElement(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/**
 * Show a text, or hide the element where there is none. An alert that comes into view is read out.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function showText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}
