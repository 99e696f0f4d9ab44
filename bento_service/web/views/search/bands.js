/** Results in bands: the same picture, nearly the same, alike. */

import { reaches } from "../../parts/histogram.js";
import { inWords } from "../../parts/chip.js";
import { memo } from "../../state/memo.js";
import { current } from "../../words/words.js";

const VERDICTS = ["duplicate", "near_duplicate", "similar"];

/**
 * Hits as sections of a grid; the same hits give the same sections.
 * @param {import("../../service/api.js").Hit[]} hits
 */
export function grouped(hits) {
  return inBands(hits, current());
}

const inBands = memo((hits, _language) => VERDICTS.map((verdict) => ({
  title: inWords(verdict),
  items: hits.filter((hit) => (hit.verdict ?? "similar") === verdict)
    .map((hit) => ({ key: hit.image_id, width: hit.width, height: hit.height, hit })),
})).filter(({ items }) => items.length));

/** The hits at or above the chosen score that are not deleted. */
export function shownHits(app) {
  const { search, route, removals } = app.state;
  return above(search.hits, route.min ?? -1, app.removals, removals);
}

const above = memo((hits, least, removals, _number) =>
  hits.filter((hit) => reaches(hit.score, least) && !removals.has(hit.image_id)));
