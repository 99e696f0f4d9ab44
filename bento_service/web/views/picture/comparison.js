/** Two pictures: side by side, one over the other, or their difference. */

import * as api from "../../service/api.js";
import { h, patch } from "../../view.js";
import { t } from "../../words/words.js";

const MODES = ["side", "overlay", "difference", "match"];

/**
 * @param {string} mode
 * @param {{src: string, name: string} | null} query
 * @param {api.Image} image
 */
export function comparison(mode, query, image) {
  return h("la-compare", { class: mode, ".model": { mode, query: query?.src, match: api.thumbnail(image, 1024), name: image.name, width: image.width, height: image.height } });
}

/**
 * @param {string} mode
 * @param {(mode: string) => void} choose
 */
export function modes(mode, choose) {
  return h("fieldset", { class: "modes" },
    h("legend", { class: "unseen" }, t("picture.mode")),
    h("div", { class: "choice" }, MODES.map((name) => h("label", { key: name },
      h("input", { type: "radio", name: "mode", value: name, ".checked": name === mode, onchange: () => choose(name) }),
      h("span", null, t(`picture.mode.${name}`))))));
}

class Compare extends HTMLElement {
  #share = 50;

  set model(model) {
    const { mode, query, match, name, width, height } = model;
    const yours = h("figure", { key: "yours" }, h("img", { src: query, alt: t("picture.yours") }), h("figcaption", null, t("picture.yours")));
    const theirs = h("figure", { key: "theirs" },
      h("img", { class: "match-picture", src: match, width, height, alt: mode === "match" ? name : t("picture.match") }),
      mode === "side" && h("figcaption", null, t("picture.match")));
    if (mode === "match") patch(this, [theirs]);
    else if (mode === "side") patch(this, [yours, theirs]);
    else patch(this, [this.#layers(mode, model)]);
  }

  /** The query over the match, in its shape. */
  #layers(mode, model) {
    const { query, match, width, height } = model;
    const cut = `clip-path:inset(0 ${100 - this.#share}% 0 0)`;
    return h("div", { key: "layers", class: "layers" },
      h("div", { class: "both", style: `aspect-ratio:${width}/${height}` },
        h("img", { src: match, alt: t("picture.match") }),
        h("img", { class: "over", src: query, alt: t("picture.yours"), style: mode === "overlay" ? cut : "mix-blend-mode:difference" })),
      mode === "overlay" && h("input", {
        type: "range", min: 0, max: 100, ".value": String(this.#share), "aria-label": t("picture.slider"),
        oninput: ({ target }) => {
          this.#share = Number(target.value);
          this.model = model;
        },
      }));
  }
}

customElements.define("la-compare", Compare);
