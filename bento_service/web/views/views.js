/** The views of the page, each loaded when it is first shown. */

import * as search from "./search/search.js";

/**
 * @typedef {{follow(route: any, isForced?: boolean): void, retry(): void, render(): any[],
 *   list(): number[]}} View
 */

const LOADERS = {
  library: () => import("./library/library.js"),
  duplicates: () => import("./duplicates/duplicates.js"),
  add: () => import("./add/add.js"),
};

export class Views {
  /** @type {Record<string, View>} */
  #opened = {};
  /** @type {Set<string>} The views that show collections as they were. */
  #stale = new Set();

  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.#opened.search = search.open(app); // takes what is dropped on any view
  }

  /** The view of the present address, if it was opened. */
  get present() {
    return this.#opened[this.app.state.route.view];
  }

  /** Open the view of the present address; return undefined if it cannot be loaded. */
  async open() {
    const { view } = this.app.state.route;
    const module = await this.load(LOADERS[view]);
    if (module) this.#opened[view] ??= module.open(this.app);
    return this.#opened[view];
  }

  /**
   * Load a module; return null and show a banner if that fails.
   * @template Module
   * @param {() => Promise<Module>} load
   * @returns {Promise<Module | null>}
   */
  async load(load) {
    try {
      return await load();
    } catch {
      this.app.health.noteModule();
      return null;
    }
  }

  /** Have every view load its pictures again when its address changes, as pictures have come or gone. */
  outdate() {
    this.#stale = new Set(Object.keys(this.#opened));
  }

  /**
   * Show an address in its view, which is open.
   * @param {import("../state/route.js").Route} route
   * @param {boolean} isOther It does not list the same pictures as the former one.
   */
  follow(route, isOther) {
    this.#opened[route.view].follow(route, isOther && this.#stale.delete(route.view));
  }
}
