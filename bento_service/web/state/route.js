/**
 * The address of the page; nothing else reads or writes it. It is in the fragment, so that it works
 * below any path of a proxy.
 *
 * @typedef {{view: string, c: string, id?: number, q?: string, u?: string, r?: number[],
 *   min?: number, f?: string, sort?: string, image?: number, run?: string}} Route
 */

const VIEWS = ["search", "library", "duplicates", "add"];
export const DEFAULT = "default";

/** Removes the query of a search, and the open picture, from an address. */
export const noQuery = Object.freeze({
  id: undefined, q: undefined, u: undefined, r: undefined, min: undefined, image: undefined,
});

/** Removes every part of an address but view and collection. */
export const nothing = Object.freeze({ ...noQuery, f: undefined, sort: undefined, run: undefined });

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [first, second] = path.split("/");
  const given = new URLSearchParams(query);
  const view = first === "image" ? given.get("in") ?? "search" : first;
  return defined({
    view: VIEWS.includes(view) ? view : "search",
    c: given.get("c") || DEFAULT,
    id: whole(given.get("id")),
    q: /^[0-9a-f]{64}$/.test(given.get("q") ?? "") ? given.get("q") : undefined,
    u: given.get("u") || undefined,
    r: region(given.get("r")),
    min: fraction(given.get("min")),
    f: given.get("f") || undefined,
    sort: given.get("sort") || undefined,
    run: given.get("run") || undefined,
    image: first === "image" ? whole(second) : undefined,
  });
}

/**
 * @param {Route} route
 * @returns {string} The fragment.
 */
export function address({ view, image, ...rest }) {
  const given = new URLSearchParams();
  if (image !== undefined && view !== "search") given.set("in", view);
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === "" || (name === "c" && value === DEFAULT)) continue;
    given.set(name, String(value));
  }
  const query = given.toString().replaceAll("%2C", ",");
  return `#/${image === undefined ? view : `image/${image}`}${query ? `?${query}` : ""}`;
}

/**
 * Return true if two addresses differ in the open picture alone.
 * @param {Route} one
 * @param {Route} other
 */
export function isSameList(one, other) {
  return address({ ...one, image: undefined }) === address({ ...other, image: undefined });
}

/** Owns the address bar. */
export class Router {
  /** @param {(route: Route) => void} onRoute The address has changed. */
  constructor(onRoute) {
    this.onRoute = onRoute;
    addEventListener("popstate", () => onRoute(this.route));
  }

  get route() {
    return parse(location.hash);
  }

  /**
   * Go to another address, which Back leaves again.
   * @param {Route} route
   */
  go(route) {
    if (address(route) !== location.hash) history.pushState(null, "", address(route));
    this.onRoute(route);
  }

  /**
   * Change the present address.
   * @param {Route} route
   */
  replace(route) {
    history.replaceState(null, "", address(route));
    this.onRoute(route);
  }
}

/**
 * The parts of an address that have a value.
 * @param {Record<string, any>} values
 * @returns {Route}
 */
export function defined(values) {
  return /** @type {any} */ (Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)));
}

function whole(text) {
  return /^\d{1,15}$/.test(text ?? "") ? Number(text) : undefined;
}

function fraction(text) {
  const value = text ? Number(text) : NaN;
  return value >= -1 && value <= 1 ? value : undefined;
}

function region(text) {
  const numbers = (text ?? "").split(",").map(whole);
  const isRegion = numbers.length === 4 && !numbers.includes(undefined);
  return isRegion && numbers[2] > 0 && numbers[3] > 0 ? numbers : undefined;
}
