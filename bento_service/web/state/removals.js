/**
 * Deletions that can be undone for ten seconds. The service deletes at once and for good, so the page
 * waits before it sends the request; leaving the page sends it.
 */

import * as api from "../service/api.js";
import { t } from "../words/words.js";

const UNDO_MS = 10_000;

export class Removals {
  /** @type {{which: Record<string, any>, ids: Set<number>, n: number, timer: number} | null} */
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
    return this.#gone.has(id) || (this.#waiting?.ids.has(id) ?? false);
  }

  /**
   * Delete pictures of a collection.
   * @param {string} collection
   * @param {number[]} ids
   */
  async remove(collection, ids) {
    await this.#send();
    const timer = setTimeout(() => this.#send(), UNDO_MS);
    this.#waiting = { which: { collection, ids }, ids: new Set(ids), n: ids.length, timer };
    this.#changed();
    this.app.say(t("delete.done", { n: ids.length }), {
      label: t("undo"),
      ms: UNDO_MS,
      act: () => this.#undo(timer),
    });
  }

  #undo(timer) {
    if (this.#waiting?.timer !== timer) return;
    clearTimeout(timer);
    this.#waiting = null;
    this.#changed();
    this.app.change({ toast: null });
  }

  async #send(isLast = false) {
    const waiting = this.#waiting;
    if (!waiting) return;
    clearTimeout(waiting.timer);
    try {
      await api.remove(waiting.which, isLast);
    } catch (problem) {
      if (this.#waiting === waiting) this.#waiting = null;
      this.#changed();
      return this.app.tell(problem);
    }
    if (this.#waiting === waiting) this.#waiting = null;
    for (const id of waiting.ids) this.#gone.add(id);
    this.#changed();
    await this.app.refresh();
  }

  #changed() {
    this.app.change((state) => ({ removals: (state.removals ?? 0) + 1 }));
  }
}
