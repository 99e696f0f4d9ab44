/** The answer to a search: hits, warnings, a failure, or what to do where there is nothing. */

import { byId, showText, textElement } from "./dom.js";
import { hitCard } from "./hit.js";
import { counted, milliseconds, sentence } from "./wording.js";

const PLACEHOLDERS = 12;

export class Results {
  /**
   * @param {object} wiring
   * @param {(hit: import("./api.js").Hit) => void} wiring.onMore
   * @param {(hit: import("./api.js").Hit) => Promise<void>} wiring.onDelete
   * @param {() => void} wiring.onAgain Ask the same once more.
   */
  constructor({ onMore, onDelete, onAgain }) {
    this.onMore = onMore;
    this.onDelete = onDelete;
    byId("search-again").addEventListener("click", onAgain);
  }

  /**
   * While an answer is awaited; earlier hits stay, dimmed.
   * @param {string} name Of the query.
   */
  showWaiting(name) {
    this.#clearNotices();
    byId("results-title").textContent = `Pictures like ${name}`;
    byId("search-status").textContent = "Searching…";
    byId("hits").setAttribute("aria-busy", "true");
    if (!byId("hits").querySelector(".hit")) {
      byId("hits").replaceChildren(...Array.from({ length: PLACEHOLDERS }, placeholder));
    }
  }

  /** @param {import("./api.js").Found} found */
  showFound(found) {
    this.#clearNotices();
    const { hits, took_ms: took } = found;
    byId("search-status").textContent = hits.length
      ? `${counted(hits.length, "hit")} in ${milliseconds(took.total)}`
      : "No hits";
    byId("search-status").title = stagesOf(took);
    byId("search-warnings").hidden = found.warnings.length === 0;
    byId("search-warnings").replaceChildren(
      ...found.warnings.map((warning) => textElement("li", sentence(warning))),
    );
    byId("hits").replaceChildren(...hits.map((hit) => this.#card(hit)));
  }

  /**
   * A search that did not work.
   * @param {string} text
   * @param {boolean} mayPass Whether to offer another try.
   */
  showProblem(text, mayPass) {
    this.#clearNotices();
    byId("search-status").textContent = "";
    byId("search-problem-text").textContent = text;
    byId("search-again").hidden = !mayPass;
    byId("search-problem").hidden = false;
    byId("hits").replaceChildren();
  }

  /**
   * Instead of hits: what to do.
   * @param {string} title
   * @param {string} text
   * @param {boolean} leadsToAdding Whether to lead to where pictures are added.
   */
  showInvitation(title, text, leadsToAdding) {
    this.clear();
    byId("invitation-title").textContent = title;
    byId("invitation-text").textContent = text;
    byId("invitation-link").hidden = !leadsToAdding;
    byId("invitation").hidden = false;
  }

  /** Show nothing. */
  clear() {
    this.#clearNotices();
    byId("results-title").textContent = "Results";
    byId("search-status").textContent = "";
    byId("hits").replaceChildren();
  }

  #clearNotices() {
    byId("hits").removeAttribute("aria-busy");
    for (const id of ["search-problem", "search-warnings", "invitation"]) byId(id).hidden = true;
  }

  #card(hit) {
    const card = hitCard(hit, {
      onMore: this.onMore,
      onDelete: async () => {
        await this.onDelete(hit);
        const next = card.nextElementSibling ?? card.previousElementSibling;
        card.remove();
        (next?.querySelector(".hit-link") ?? byId("results-title")).focus();
        byId("search-status").textContent = `Deleted ${hit.name}`;
      },
    });
    return card;
  }
}

function placeholder() {
  const item = textElement("li", "", "placeholder");
  item.setAttribute("aria-hidden", "true");
  return item;
}

function stagesOf(took) {
  return ["decode", "describe", "search"]
    .map((stage) => `${stage} ${took[stage].toFixed(1)} ms`)
    .join(", ");
}
