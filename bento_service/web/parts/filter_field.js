/** A filter expression, with completion of its keys. */

import { h } from "../view.js";
import { t } from "../words/words.js";
import { icon } from "./icons.js";

const FIELDS = ["$id", "$width", "$height", "$bytes", "$format", "$sha256", "$created_at"];
const WORD = /[$\w.-]*$/;

/**
 * @param {{value: string, keys: string[], onfilter: (value: string) => void}} model
 */
export function filterField({ value, keys, onfilter }) {
  return h("la-filter", { key: "filter", ".model": { value, keys: [...keys, ...FIELDS], onfilter }, ref: (field) => field.begin() },
    h("label", { class: "unseen", for: "filter" }, t("filter")),
    icon("filter"),
    h("input", {
      id: "filter", type: "search", ".defaultValue": value, placeholder: t("filter.example"), autocomplete: "off", spellcheck: "false",
      role: "combobox", "aria-expanded": "false", "aria-controls": "filter-keys", "aria-autocomplete": "list",
    }),
    h("ul", { id: "filter-keys", role: "listbox", "aria-label": t("filter.keys"), hidden: true }));
}

/** Completes the key at the cursor; Enter filters. */
class Filter extends HTMLElement {
  /** @type {{value: string, keys: string[], onfilter: (value: string) => void} | null} */
  #model = null;
  #chosen = -1;

  set model(model) {
    const former = this.#model?.value;
    this.#model = model;
    if (former === model.value || !this.#input) return;
    // What is being typed stays; what was applied before does not.
    const isTyped = document.activeElement === this.#input && this.#input.value.trim() !== former;
    if (!isTyped) this.#input.value = model.value;
  }

  begin() {
    this.#input.value = this.#model.value;
    this.#input.addEventListener("input", () => this.#offer());
    this.#input.addEventListener("blur", () => setTimeout(() => this.#hide(), 150));
    this.#input.addEventListener("change", () => this.#apply());
    this.#input.addEventListener("search", () => this.#apply());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const target = /** @type {Element} */ (event.target);
      if (target.getAttribute("role") === "option") this.#complete(target.textContent);
    });
  }

  get #input() {
    return this.querySelector("input");
  }

  get #list() {
    return this.querySelector("ul");
  }

  #offer() {
    const word = this.#word();
    const fit = word ? this.#model.keys.filter((key) => key !== word && key.toLowerCase().startsWith(word.toLowerCase())) : [];
    this.#list.replaceChildren(...fit.slice(0, 8).map((key, place) => {
      const option = document.createElement("li");
      Object.assign(option, { role: "option", id: `filter-key-${place}`, textContent: key, ariaSelected: "false" });
      return option;
    }));
    this.#list.hidden = fit.length === 0;
    this.#input.setAttribute("aria-expanded", String(fit.length > 0));
    this.#choose(-1);
  }

  #word() {
    return this.#input.value.slice(0, this.#input.selectionStart).match(WORD)[0];
  }

  #choose(place) {
    this.#chosen = place;
    [...this.#list.children].forEach((option, at) => (option.ariaSelected = String(at === place)));
    if (place < 0) this.#input.removeAttribute("aria-activedescendant");
    else this.#input.setAttribute("aria-activedescendant", `filter-key-${place}`);
  }

  #key(event) {
    const options = this.#list.hidden ? 0 : this.#list.children.length;
    if (event.key === "ArrowDown" && options) this.#choose((this.#chosen + 1) % options);
    else if (event.key === "ArrowUp" && options) this.#choose((this.#chosen + options - 1) % options);
    else if (event.key === "Escape" && options) this.#hide();
    else if (event.key === "Enter" && this.#chosen >= 0) this.#complete(this.#list.children[this.#chosen].textContent);
    else if (event.key === "Enter") return this.#apply();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #complete(key) {
    const { value, selectionStart } = this.#input;
    const start = selectionStart - this.#word().length;
    this.#input.setRangeText(key, start, selectionStart, "end");
    this.#hide();
  }

  #hide() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#choose(-1);
  }

  #apply() {
    const value = this.#input.value.trim();
    if (value !== this.#model.value) this.#model.onfilter(value);
  }
}

customElements.define("la-filter", Filter);
