/**
 * Searching: the query picture, its preview, and the newest answer.
 *
 * @typedef {{name: string, file: File}} FileQuery
 * @typedef {{name: string, imageId: number, preview: string}} StoredQuery
 */

import * as api from "./api.js";
import { byId } from "./dom.js";
import { Results } from "./results.js";
import { grouped } from "./wording.js";

export class Search {
  /** @type {FileQuery | StoredQuery | null} */
  #query = null;
  /** @type {AbortController | null} */
  #waiting = null;
  #objectUrl = "";
  #foundNothing = false;

  /**
   * @param {object} wiring
   * @param {import("./holdings.js").Holdings} wiring.holdings
   * @param {() => void} wiring.onPaste A picture was pasted, wherever the user is.
   */
  constructor({ holdings, onPaste }) {
    this.holdings = holdings;
    this.onPaste = onPaste;
    this.results = new Results({
      onMore: (hit) => this.withHit(hit),
      onDelete: (hit) => this.#delete(hit),
      onAgain: () => this.#run(),
    });
    byId("query-file").addEventListener("change", ({ target }) => {
      if (target.files.length) this.withFiles([...target.files]);
      target.value = ""; // so that the same file can be chosen again
    });
    document.addEventListener("paste", (event) => this.#paste(event));
    for (const choice of topKChoices()) {
      choice.addEventListener("change", () => this.#query && this.#run());
    }
    const preview = byId("query-preview");
    preview.addEventListener("error", () => this.#showPreview(false));
    preview.addEventListener("load", () => this.#showPreview(true));
  }

  /**
   * Search with the first of some files.
   * @param {File[]} files
   */
  withFiles([file]) {
    URL.revokeObjectURL(this.#objectUrl);
    this.#objectUrl = URL.createObjectURL(file);
    this.#take({ name: file.name, file }, this.#objectUrl);
  }

  /**
   * Search with a stored picture.
   * @param {import("./api.js").Hit} hit
   */
  withHit(hit) {
    const preview = `${api.relative(hit.thumbnail_url)}?size=512`;
    this.#take({ name: hit.name, imageId: hit.image_id, preview }, preview);
    byId("results-title").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }

  /**
   * Say why there is no search.
   * @param {string} text
   */
  refuse(text) {
    this.#waiting?.abort();
    this.#waiting = null;
    this.results.showProblem(text, false);
  }

  /** Another collection: ask it the same, if it can be asked that. */
  followCollection() {
    if (this.#query && "imageId" in this.#query) this.#forget();
    if (this.#query) this.#run();
  }

  /** The number of pictures has changed: what was said about an empty collection may be wrong. */
  followCount() {
    if (this.#waiting) return;
    if (!this.#query || this.holdings.count === 0) this.#invite();
    else if (this.#foundNothing) this.#run();
  }

  #invite() {
    const { count } = this.holdings;
    if (count === 0) {
      this.results.showInvitation(
        "Index some pictures first",
        "This collection is empty. Add a folder on the server, or pictures from this computer.",
        true,
      );
    } else {
      const number = count === 1 ? "The one picture" : `All ${grouped(count)} pictures`;
      this.results.showInvitation(
        "Show it a picture",
        `${number} of this collection will be compared with it; the most alike come first.`,
        false,
      );
    }
  }

  #take(query, preview) {
    this.#query = query;
    byId("query-name").textContent = query.name;
    byId("query-name").title = query.name;
    byId("query-preview").src = preview;
    this.#run();
  }

  #forget() {
    this.#query = null;
    this.#waiting?.abort();
    this.#waiting = null;
    this.results.clear();
    byId("query-name").textContent = "No picture yet";
    byId("query-preview").removeAttribute("src");
    this.#showPreview(false);
  }

  async #run() {
    const query = this.#query;
    this.#waiting?.abort();
    const waiting = (this.#waiting = new AbortController());
    this.results.showWaiting(query.name);
    try {
      const found = await this.#ask(query, waiting.signal);
      if (waiting !== this.#waiting) return;
      this.#waiting = null;
      this.#foundNothing = found.hits.length === 0;
      this.results.showFound(found);
      if (this.#foundNothing && this.holdings.count === 0) this.#invite();
    } catch (problem) {
      if (waiting.signal.aborted) return;
      this.#waiting = null;
      this.results.showProblem(problem.message, problem.mayPass);
    }
  }

  #ask(query, signal) {
    const top_k = Number(topKChoices().find((choice) => choice.checked).value);
    const options = { collection: this.holdings.collection, top_k };
    return "file" in query
      ? api.searchByPicture(query.file, options, signal)
      : api.searchById(query.imageId, options, signal);
  }

  async #delete(hit) {
    await api.deleteImage(this.holdings.collection, hit.image_id);
    // A count that cannot be had now comes with the next change.
    this.holdings.refresh().catch(() => {});
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.onPaste();
    this.withFiles(files);
  }

  #showPreview(isThere) {
    byId("query-preview").hidden = !isThere;
    byId("query-blank").toggleAttribute("hidden", isThere);
  }
}

/** @returns {HTMLInputElement[]} */
function topKChoices() {
  return [...document.querySelectorAll("input[name=top-k]")];
}
