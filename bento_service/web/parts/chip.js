/** The overlap chip: two squares that overlap as two pictures are alike. */

import { t } from "../words/words.js";
import { h } from "../view.js";

const SIDE = 10;

/** The score that unrelated pictures have where nothing is known of a collection. */
export const USUAL_FLOOR = 0.4;

/**
 * A score between a collection's own floor and 1, as a share.
 * @param {number} score
 * @param {number} [floor]
 */
export function overlap(score, floor = USUAL_FLOOR) {
  return Math.min(1, Math.max(0, (score - floor) / (1 - floor)));
}

/**
 * The verdict in words.
 * @param {string | null | undefined} verdict
 */
export function inWords(verdict) {
  return t(`verdict.${verdict ?? "similar"}`);
}

/**
 * @param {number} score
 * @param {number} [floor]
 */
export function chip(score, floor) {
  const away = Math.round(10 * SIDE * (1 - overlap(score, floor))) / 10;
  const square = { width: SIDE, height: SIDE, rx: 2 };
  return h("svg", { class: "chip", viewBox: `0 0 ${2 * SIDE + 4} ${SIDE + 4}`, "aria-hidden": "true" },
    h("rect", { class: "yours", x: 2, y: 2, ...square }),
    h("rect", { class: "match", x: 2 + away, y: 2, ...square }));
}
