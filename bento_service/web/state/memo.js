/** Results that are kept until the arguments change. */

/**
 * Return a function that makes its result again only if an argument is another one.
 * @template {any[]} Parts
 * @template Result
 * @param {(...parts: Parts) => Result} make
 * @returns {(...parts: Parts) => Result}
 */
export function memo(make) {
  /** @type {Parts | null} */
  let former = null;
  /** @type {Result} */
  let result;
  return (...parts) => {
    if (!former || parts.some((part, place) => part !== former[place])) {
      former = parts;
      result = make(...parts);
    }
    return result;
  };
}
