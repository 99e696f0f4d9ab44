/** What the service holds: the chosen collection and the number of its pictures. */

import * as api from "./api.js";
import { byId, textElement } from "./dom.js";
import { grouped } from "./wording.js";

const DEFAULT = "default";
const PARAMETER = "collection";

export class Holdings {
  #names = [DEFAULT];
  #asked = 0;

  /**
   * @param {object} wiring
   * @param {() => void} wiring.onChoice Another collection was chosen.
   * @param {() => void} wiring.onCount The number of pictures has become known or has changed.
   */
  constructor({ onChoice, onCount }) {
    this.collection = new URLSearchParams(location.search).get(PARAMETER) ?? DEFAULT;
    /** @type {number | undefined} */
    this.count = undefined;
    this.onCount = onCount;
    byId("collection").addEventListener("change", (event) => {
      this.#choose(event.target.value);
      onChoice();
      // A count that cannot be had now comes with the next change.
      this.refresh().catch(() => {});
    });
  }

  /** Whether there is more than one collection to choose from. */
  get hasChoice() {
    return this.#names.length > 1;
  }

  /** Ask which collections there are, and count. */
  async load() {
    this.#names = (await api.collections()).map((collection) => collection.name);
    if (!this.#names.includes(this.collection)) {
      this.#choose(this.#names.includes(DEFAULT) ? DEFAULT : (this.#names[0] ?? DEFAULT));
    }
    byId("collection").replaceChildren(...this.#names.map((name) => textElement("option", name)));
    byId("collection").value = this.collection;
    byId("collection-label").hidden = !this.hasChoice;
    await this.refresh();
  }

  /** Count the chosen collection again. */
  async refresh() {
    const asked = ++this.#asked;
    const count = await api.count(this.collection);
    if (asked !== this.#asked || count === this.count) return;
    this.#show(count);
  }

  #choose(name) {
    this.collection = name;
    this.count = undefined;
    const url = new URL(location.href);
    if (name === DEFAULT) url.searchParams.delete(PARAMETER);
    else url.searchParams.set(PARAMETER, name);
    history.replaceState(null, "", url);
  }

  #show(count) {
    this.count = count;
    byId("count").textContent = grouped(count);
    byId("count-word").textContent = count === 1 ? "picture" : "pictures";
    this.onCount();
  }
}
