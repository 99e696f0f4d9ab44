/** The pictures of a collection in the order of the address, page by page as people scroll. */

import * as api from "../../service/api.js";
import { memo } from "../../state/memo.js";

const PAGE = 500;
const MOST = 60_000; // pictures in one grid; then it goes on from there

export class Listing {
  #key = "";
  #cursor = null;
  /** @type {AbortController | null} */
  #running = null;
  #isAsking = false;
  #last = -1;
  #sections = memo((images, _removals) => {
    const items = images.filter(({ id }) => !this.app.removals.has(id))
      .map((image) => ({ key: image.id, width: image.width, height: image.height, image }));
    return [{ title: null, items }];
  });

  initial = {
    images: [], count: null, chosen: new Set(), isDone: false, isFull: false, first: null,
    isEditing: false, problem: null,
  };

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
  }

  /**
   * Load the pictures of an address. Loading the same ones again keeps the selection.
   * @param {import("../../state/route.js").Route} route
   * @param {boolean} [isForced]
   */
  follow(route, isForced = false) {
    const key = JSON.stringify([route.c, route.f, route.sort]);
    const isSame = key === this.#key;
    if (isSame && !isForced) return;
    this.#key = key;
    if (!isSame) this.clear();
    this.#start(null);
    this.#count(route);
  }

  /** Load what has failed. */
  retry() {
    const { route, library } = this.app.state;
    if (library.problem && !library.isDone) return this.follow(route, true);
    if (library.count === null) this.#count(route);
    if (!library.problem) return;
    this.app.changeIn("library", { problem: null });
    this.#ask();
  }

  /** Go on with a new grid where the present one is as long as browsers can show. */
  goOn() {
    this.clear();
    this.#start(this.#cursor);
    scrollTo(0, 0);
  }

  /** Ask for the next page. */
  async more() {
    const { library } = this.app.state;
    if (this.#isAsking || this.#cursor === null || library.isFull || library.problem) return;
    await this.#ask();
  }

  /** End the present grid, as it is as long as browsers can show. */
  fill() {
    const isFull = this.#cursor !== null;
    if (isFull !== this.app.state.library.isFull) this.app.changeIn("library", { isFull });
  }

  /** The pictures that are not deleted. */
  shown() {
    return this.sections()[0].items.map(({ image }) => image);
  }

  sections() {
    const { library, removals } = this.app.state;
    return this.#sections(library.images, removals);
  }

  /** The keys of metadata among the first pictures. */
  keys() {
    return [...new Set(this.app.state.library.images.slice(0, PAGE).flatMap(({ metadata }) => Object.keys(metadata)))];
  }

  /**
   * Select a picture, or no longer; with `isRange` all from the one before.
   * @param {number} id
   * @param {boolean} isRange
   */
  choose(id, isRange) {
    const ids = this.sections()[0].items.map(({ key }) => key);
    const place = ids.indexOf(id);
    const chosen = new Set(this.app.state.library.chosen);
    if (isRange && this.#last >= 0) {
      for (const one of ids.slice(Math.min(place, this.#last), Math.max(place, this.#last) + 1)) chosen.add(one);
    } else if (!chosen.delete(id)) chosen.add(id);
    this.#last = place;
    this.app.changeIn("library", { chosen });
  }

  chooseAll() {
    this.app.changeIn("library", { chosen: new Set(this.sections()[0].items.map(({ key }) => key)) });
  }

  clear() {
    this.app.changeIn("library", { chosen: new Set(), isEditing: false });
  }

  /** @param {boolean} isEditing */
  edit(isEditing) {
    this.app.changeIn("library", { isEditing });
  }

  /**
   * Show pictures as the service has them now.
   * @param {api.Image[]} changed
   */
  renew(changed) {
    const byId = new Map(changed.map((image) => [image.id, image]));
    this.app.changeIn("library", { images: this.app.state.library.images.map((image) => byId.get(image.id) ?? image) });
  }

  #start(cursor) {
    this.#running?.abort();
    this.#running = new AbortController();
    this.#cursor = cursor;
    this.#isAsking = false;
    this.#last = -1;
    this.app.changeIn("library", { isDone: false, isFull: false, first: cursor, problem: null });
    this.#ask(true);
  }

  async #ask(isFirst = false) {
    const running = this.#running;
    const { c: collection, f: filter, sort = "-id" } = this.app.state.route;
    this.#isAsking = true;
    try {
      const options = { collection, filter, sort, limit: PAGE, cursor: this.#cursor };
      const { images, next_cursor: next } = await api.images(options, running.signal);
      if (running !== this.#running) return;
      this.#cursor = next;
      const before = isFirst ? [] : this.app.state.library.images;
      const all = [...before, ...images];
      this.app.changeIn("library", { images: all, isDone: true, isFull: all.length >= MOST && next !== null });
    } catch (problem) {
      if (running !== this.#running || running.signal.aborted) return;
      if (!(problem instanceof api.Problem)) throw problem;
      this.app.changeIn("library", { problem });
    } finally {
      if (running === this.#running) this.#isAsking = false;
    }
  }

  /** @param {import("../../state/route.js").Route} route */
  async #count({ c: collection, f: filter }) {
    const key = this.#key;
    try {
      const count = await api.count({ collection, ...(filter ? { filter } : {}) });
      if (key === this.#key) this.app.changeIn("library", { count });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
    }
  }
}
