/** The scores of results as a histogram, with a slider for the lowest one that is shown. */

import { h } from "../view.js";
import { t } from "../words/words.js";

const BARS = 40;
const STEP = 0.005;
const ROUNDING = 1e-5; // the same picture may have a score of 0.9999999

/**
 * Return true if a score is at or above another one, apart from rounding.
 * @param {number} score
 * @param {number} least
 */
export function reaches(score, least) {
  return score + ROUNDING >= least;
}

/**
 * @param {{scores: number[], least: number | undefined,
 *   onleast: (least: number | undefined) => void}} model
 */
export function histogram({ scores, least, onleast }) {
  const lowest = Math.floor(Math.min(0.95, ...scores) * 100) / 100;
  const value = Math.max(lowest, least ?? lowest);
  const above = scores.filter((score) => reaches(score, value)).length;
  return h("label", { key: "least", class: "histogram" },
    h("span", { class: "unseen" }, t("least")),
    h("svg", { viewBox: `0 0 ${BARS} 20`, preserveAspectRatio: "none", "aria-hidden": "true" },
      bars(scores, lowest).map((share, bar) => h("rect", {
        key: bar, x: bar + 0.1, y: 20 - 20 * share, width: 0.8, height: 20 * share,
        class: lowest + ((bar + 1) * (1 - lowest)) / BARS > value ? "above" : "below",
      }))),
    h("input", {
      type: "range", min: lowest, max: 1, step: STEP, ".value": String(value),
      "aria-valuetext": t("least.value", { score: value.toFixed(2), n: above }),
      oninput: ({ target }) => onleast(Number(target.value) <= lowest ? undefined : Number(target.value)),
    }),
    h("output", null, value.toFixed(2)));
}

function bars(scores, lowest) {
  const counts = new Array(BARS).fill(0);
  for (const score of scores) {
    counts[Math.min(BARS - 1, Math.floor((BARS * (score - lowest)) / (1 - lowest)))] += 1;
  }
  const most = Math.max(1, ...counts);
  // A root shows few next to many.
  return counts.map((count) => Math.sqrt(count / most));
}
