/** Results in bands: the same picture, nearly the same, alike. */

import { reaches } from "../../parts/histogram.js";
import { inWords } from "../../parts/chip.js";
import { current } from "../../words/words.js";

const VERDICTS = ["duplicate", "near_duplicate", "similar"];
let last = { hits: [], sections: [], language: "" };

/**
 * Hits as sections of a grid; the same hits give the same sections.
 * @param {import("../../service/api.js").Hit[]} hits
 */
export function grouped(hits) {
  if (last.hits === hits && last.language === current()) return last.sections;
  const sections = VERDICTS.map((verdict) => ({
    title: inWords(verdict),
    items: hits.filter((hit) => (hit.verdict ?? "similar") === verdict)
      .map((hit) => ({ key: hit.image_id, width: hit.width, height: hit.height, hit })),
  })).filter(({ items }) => items.length);
  last = { hits, sections, language: current() };
  return sections;
}

/** The hits at or above the chosen score that are not deleted. */
export function shownHits(app) {
  const { search, route } = app.state;
  const least = route.min ?? -1;
  return remembered(search.hits, least, app.state.removals, () =>
    search.hits.filter((hit) => reaches(hit.score, least) && !app.removals.has(hit.image_id)));
}

let shown = { key: [], value: [] };

function remembered(...parts) {
  const make = parts.pop();
  if (shown.key.length !== parts.length || parts.some((part, place) => part !== shown.key[place])) {
    shown = { key: parts, value: make() };
  }
  return shown.value;
}
