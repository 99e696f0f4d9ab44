/**
 * Pictures in justified rows, of which only those near the window are in the document. The grid is
 * one tab stop; arrows move within it.
 */

import { h, patch } from "../view.js";
import { between, layout, neighbour } from "./layout.js";

const GAP = 4;
const TITLE = 32;
const PHONE = 640;
const BEYOND = 1; // windows above and below
const HIGHEST = 12_000_000; // pixels before no more pictures are asked for
const SHOWN = 16_000_000; // pixels; browsers end at 16.7 million

/**
 * @typedef {{key: string | number, width: number, height: number}} Item
 * @typedef {{items: Item[], title: string | null}} Section
 * @typedef {{sections: Section[], target: number, label: string,
 *   cell: (item: any, focus: {tabindex: number}, wide: number) => any,
 *   onopen?: (item: any) => void, onkey?: (key: string, item: any) => boolean | void,
 *   onend?: () => void, onfull?: () => void}} Model
 */

export class Grid extends HTMLElement {
  /** @type {Model | null} */
  #model = null;
  /** @type {{rows: import("./layout.js").Row[], height: number}} */
  #layout = { rows: [], height: 0 };
  /** @type {Item[]} */
  #items = [];
  #width = 0;
  #focus = 0;
  #isAwaited = false; // the focus, by pictures that are not there yet
  #shown = "";
  #frame = 0;
  #resized = new ResizeObserver(() => this.#measure());
  #onscroll = () => {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  };

  connectedCallback() {
    this.setAttribute("role", "grid");
    this.#resized.observe(this);
    addEventListener("scroll", this.#onscroll, { passive: true });
    addEventListener("resize", this.#onscroll);
    this.addEventListener("keydown", (event) => this.#key(event));
    this.addEventListener("focusin", (event) => this.#focused(event));
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    removeEventListener("scroll", this.#onscroll);
    removeEventListener("resize", this.#onscroll);
    cancelAnimationFrame(this.#frame);
  }

  /** @param {Model} model What to show; the same sections are not laid out again. */
  set model(model) {
    const before = this.#model;
    this.#model = model;
    this.setAttribute("aria-label", model.label);
    const isSame = before?.target === model.target &&
      before.sections.length === model.sections.length &&
      before.sections.every(({ items, title }, place) =>
        items === model.sections[place].items && title === model.sections[place].title);
    if (!isSame) {
      this.#items = model.sections.flatMap(({ items }) => items);
      if (before && before.sections[0]?.items[0]?.key !== model.sections[0]?.items[0]?.key) this.#focus = 0;
      this.#focus = Math.max(0, Math.min(this.#focus, this.#items.length - 1));
      this.#lay();
    }
    this.#renew();
  }

  /** Give the focus to the picture that had it; to the first one once there are pictures. */
  focus() {
    this.#isAwaited = !this.#items.length;
    this.#reveal(this.#focus);
    /** @type {HTMLElement | null} */ (this.querySelector('[tabindex="0"]'))?.focus({ preventScroll: true });
  }

  #measure() {
    if (Math.abs(this.clientWidth - this.#width) < 1) return;
    this.#lay();
    this.#renew();
  }

  #lay() {
    this.#width = this.clientWidth;
    if (!this.#model || !this.#width) return;
    const columns = innerWidth < PHONE ? 2 : undefined;
    const shape = { width: this.#width, target: this.#model.target, gap: GAP, title: TITLE, columns };
    this.#layout = layout(this.#model.sections, shape);
    this.style.height = `${Math.min(SHOWN, this.#layout.height)}px`;
    this.setAttribute("aria-rowcount", String(this.#layout.rows.length));
  }

  #show() {
    if (!this.#model || !this.isConnected) return;
    if (!this.#width) this.#lay();
    const { rows, height } = this.#layout;
    const top = -this.getBoundingClientRect().top;
    const [from, to] = between(rows, top - BEYOND * innerHeight, top + (1 + BEYOND) * innerHeight);
    const shown = rows.slice(from, to);
    const focused = rows.find(({ cells }) => cells.some(({ place }) => place === this.#focus));
    if (focused && !shown.includes(focused)) shown.push(focused); // stays the tab stop
    const state = `${from} ${to} ${this.#focus}`;
    if (state !== this.#shown) patch(this, shown.map((row) => this.#row(row)));
    this.#shown = state;
    if (height >= HIGHEST) this.#model.onfull?.();
    else if (height - top < 3 * innerHeight) this.#model.onend?.();
  }

  /** Show all again; the tab stop takes the focus if its picture has gone, or come at last. */
  #renew() {
    const hadFocus = this.contains(document.activeElement);
    this.#shown = "";
    this.#show();
    const stop = this.querySelector('[tabindex="0"]')?.closest(".cell");
    const isLost = hadFocus && !stop?.contains(document.activeElement);
    const isFree = document.activeElement === document.body;
    if (isLost || (this.#isAwaited && stop && isFree)) this.focus();
  }

  #row(row) {
    const style = `top:${row.top}px;height:${row.height}px`;
    const number = this.#layout.rows.indexOf(row);
    const common = { key: row.cells.length ? `at ${this.#items[row.cells[0].place]?.key}` : row.title };
    if (row.title !== null) {
      return h("div", { ...common, role: "row", class: "band", style, "aria-rowindex": number + 1 },
        h("div", { role: "rowheader" }, h("h2", null, row.title)));
    }
    return h("div", { ...common, role: "row", class: "row", style, "aria-rowindex": number + 1 },
      row.cells.map(({ place, left, width }) => {
        const item = this.#items[place];
        const focus = { tabindex: place === this.#focus ? 0 : -1, "data-place": place };
        const at = `left:${left}px;width:${width}px`;
        const wide = Math.max(width, row.height * (item.width / item.height || 1));
        return h("div", { key: item.key, role: "gridcell", class: "cell", style: at },
          this.#model.cell(item, focus, wide));
      }));
  }

  #focused({ target }) {
    const place = target.closest("[data-place]")?.dataset.place ??
      target.closest(".cell")?.querySelector("[data-place]")?.dataset.place;
    if (place === undefined || Number(place) === this.#focus) return;
    this.#focus = Number(place);
    this.#show();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!event.target.matches("[data-place]")) return;
    const item = this.#items[this.#focus];
    const next = neighbour(this.#layout.rows, this.#focus, event.key);
    if (next !== this.#focus) {
      this.#focus = next;
      this.focus();
    } else if (event.key === "Enter") {
      if (!this.#model.onopen) return;
      this.#model.onopen(item);
    } else if (!this.#model.onkey?.(event.key, item)) {
      return;
    }
    event.preventDefault();
  }

  #reveal(place) {
    const row = this.#layout.rows.find(({ cells }) => cells.some((cell) => cell.place === place));
    if (!row) return;
    const top = this.getBoundingClientRect().top + row.top;
    const head = parseFloat(getComputedStyle(this).scrollMarginTop) || 0;
    if (top < head) scrollBy(0, top - head - GAP);
    else if (top + row.height > innerHeight) scrollBy(0, Math.min(top - head, top + row.height - innerHeight) + GAP);
    this.#show();
  }
}

customElements.define("la-grid", Grid);
