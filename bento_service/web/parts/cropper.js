/** Chooses a part of a picture by pointer, touch or keyboard. */

import { h, patch } from "../view.js";
import { t } from "../words/words.js";

const REST_MS = 250;
const LEAST = 0.03; // of a side
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const STEPS = { ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, -0.01], ArrowDown: [0, 0.01] };

/**
 * A box in shares of the picture's sides.
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box
 */

/**
 * Move a handle of a box, or all of it.
 * @param {Box} box
 * @param {string} handle One of the eight handles, or `all`.
 * @param {number} x Share of the width.
 * @param {number} y Share of the height.
 * @returns {Box}
 */
export function moved({ left, top, right, bottom }, handle, x, y) {
  const within = (value, low, high) => Math.min(high, Math.max(low, value));
  if (handle === "all") {
    const dx = within(x, -left, 1 - right);
    const dy = within(y, -top, 1 - bottom);
    return { left: left + dx, top: top + dy, right: right + dx, bottom: bottom + dy };
  }
  return {
    left: handle.includes("w") ? within(left + x, 0, right - LEAST) : left,
    right: handle.includes("e") ? within(right + x, left + LEAST, 1) : right,
    top: handle.includes("n") ? within(top + y, 0, bottom - LEAST) : top,
    bottom: handle.includes("s") ? within(bottom + y, top + LEAST, 1) : bottom,
  };
}

class Cropper extends HTMLElement {
  /** @type {{src: string, width: number, height: number, region?: number[], onregion: (region: number[]) => void} | null} */
  #model = null;
  /** @type {Box} */
  #box = { left: 0, top: 0, right: 1, bottom: 1 };
  /** @type {{handle: string, x: number, y: number, box: Box} | null} */
  #drag = null;
  #timer = 0;

  connectedCallback() {
    this.addEventListener("pointerdown", (event) => this.#start(event));
    this.addEventListener("pointermove", (event) => this.#move(event));
    this.addEventListener("pointerup", () => (this.#drag = null));
    this.addEventListener("pointercancel", () => (this.#drag = null));
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  set model(model) {
    this.#model = model;
    const { region, width, height } = model;
    if (!this.#timer && !this.#drag) {
      const [x, y, w, v] = region ?? [0, 0, width, height];
      this.#box = { left: x / width, top: y / height, right: (x + w) / width, bottom: (y + v) / height };
    }
    this.#show();
  }

  #show() {
    const { left, top, right, bottom } = this.#box;
    const share = (value) => `${100 * value}%`;
    const at = `left:${share(left)};top:${share(top)};width:${share(right - left)};height:${share(bottom - top)}`;
    const cut = `clip-path:inset(${share(top)} ${share(1 - right)} ${share(1 - bottom)} ${share(left)})`;
    const where = t("crop.place", { left: Math.round(100 * left), top: Math.round(100 * top), right: Math.round(100 * right), bottom: Math.round(100 * bottom) });
    patch(this, [
      h("img", { key: "dim", class: "dim", src: this.#model.src, alt: "", draggable: "false" }),
      h("img", { key: "clear", class: "clear", src: this.#model.src, alt: "", draggable: "false", style: cut }),
      h("div", { key: "box", class: "box", style: at },
        h("button", { class: "all", "data-handle": "all", "aria-label": t("crop.move"), "aria-description": where }),
        HANDLES.map((handle) => h("button", { key: handle, class: `handle ${handle}`, "data-handle": handle, "aria-label": t(`crop.${handle}`), "aria-description": where }))),
    ]);
  }

  #start(event) {
    const handle = event.target.dataset?.handle;
    if (!handle || event.button) return;
    event.target.setPointerCapture(event.pointerId);
    this.#drag = { handle, x: event.clientX, y: event.clientY, box: this.#box };
  }

  #move(event) {
    if (!this.#drag) return;
    const { width, height } = this.getBoundingClientRect();
    const { handle, x, y, box } = this.#drag;
    // A drag on the whole picture draws a new box.
    const isWhole = box.left === 0 && box.top === 0 && box.right === 1 && box.bottom === 1;
    const [dx, dy] = [(event.clientX - x) / width, (event.clientY - y) / height];
    this.#set(isWhole && handle === "all" ? this.#drawn(x, y, dx, dy) : moved(box, handle, dx, dy));
  }

  #drawn(x, y, dx, dy) {
    const place = this.getBoundingClientRect();
    const [left, top] = [(x - place.left) / place.width, (y - place.top) / place.height];
    const edges = (from, by) => [Math.max(0, Math.min(from, from + by)), Math.min(1, Math.max(from, from + by))];
    const [[l, r], [u, d]] = [edges(left, dx), edges(top, dy)];
    return { left: l, top: u, right: Math.max(r, Math.min(1, l + LEAST)), bottom: Math.max(d, Math.min(1, u + LEAST)) };
  }

  #key(event) {
    const handle = event.target.dataset?.handle;
    const step = STEPS[event.key];
    if (!handle || !step) return;
    const by = event.shiftKey ? 10 : 1;
    event.preventDefault();
    event.stopPropagation();
    this.#set(moved(this.#box, handle, by * step[0], by * step[1]));
  }

  #set(box) {
    this.#box = box;
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#model.onregion(this.#region());
    }, REST_MS);
  }

  #region() {
    const { width, height } = this.#model;
    const { left, top, right, bottom } = this.#box;
    const [x, y] = [Math.round(left * width), Math.round(top * height)];
    return [x, y, Math.max(1, Math.round(right * width) - x), Math.max(1, Math.round(bottom * height) - y)];
  }
}

customElements.define("la-cropper", Cropper);
