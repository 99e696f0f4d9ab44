/**
 * Deletions that can be undone for ten seconds. The service deletes at once and for good, so the page
 * waits before it sends the request; leaving the page sends it.
 */

import * as api from "../service/api.js";
import { t } from "../words/words.js";

const UNDO_MS = 10_000;

export class Removals {
  /** @type {{collection: string, ids: number[], timer: number} | null} */
  #waiting = null;
  /** @type {Set<number>} */
  #gone = new Set();

  /** @param {any} app */
  constructor(app) {
    this.app = app;
    addEventListener("pagehide", () => this.#send(true));
  }

  /**
   * Return true if a picture is deleted, or will be.
   * @param {number} id
   */
  has(id) {
    return this.#gone.has(id);
  }

  /**
   * Delete pictures of a collection. Those that were deleted before cannot be undone any more.
   * @param {string} collection
   * @param {number[]} ids
   */
  remove(collection, ids) {
    this.#send();
    const timer = setTimeout(() => this.#send(), UNDO_MS);
    this.#waiting = { collection, ids, timer };
    for (const id of ids) this.#gone.add(id);
    const undo = { text: t("delete.done", { n: ids.length }), label: t("undo"), act: () => this.#undo() };
    this.#changed({ undo });
  }

  #undo() {
    const undone = this.#taken();
    if (undone) this.#bringBack(undone.ids);
  }

  async #send(isLast = false) {
    const sent = this.#taken();
    if (!sent) return;
    const { collection, ids } = sent;
    try {
      await api.remove({ collection, ids }, isLast);
    } catch (problem) {
      this.#bringBack(ids);
      return this.app.tell(problem);
    }
    await this.app.refresh().catch((problem) => this.app.tell(problem));
  }

  /** Return what waits for its deletion, which waits no longer. */
  #taken() {
    const waiting = this.#waiting;
    this.#waiting = null;
    clearTimeout(waiting?.timer);
    this.app.change({ undo: null });
    return waiting;
  }

  #bringBack(ids) {
    for (const id of ids) this.#gone.delete(id);
    this.#changed();
  }

  #changed(parts = {}) {
    this.app.change((state) => ({ removals: (state.removals ?? 0) + 1, ...parts }));
  }
}
