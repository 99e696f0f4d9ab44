/** Settings that this browser keeps, unless it is told to keep nothing of this page. */

/**
 * @param {"theme" | "language" | "size"} name
 * @returns {string} An empty text if the setting was never made.
 */
export function setting(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {"theme" | "language" | "size"} name
 * @param {string | number} value
 */
export function keepSetting(name, value) {
  try {
    localStorage.setItem(name, String(value));
  } catch {
    // It lasts until the page is left.
  }
}
