/** Searches as the address asks for them; old results stay until new ones are there. */

import * as api from "../../service/api.js";
import { keep, kept } from "../../service/queries.js";
import { t } from "../../words/words.js";
import { USUAL_FLOOR } from "../../parts/chip.js";
import { reaches } from "../../parts/histogram.js";

const FIRST = 48;
const NEXT = 200;
const LAST = 5000; // results that a page keeps
const MOSAIC = 60;
const INDEX_RETRY_MS = 10_000;

/**
 * The query that is searched with, as far as it is known.
 * @typedef {{picture?: Blob, image_id?: number, url?: string, sha256?: string, name: string,
 *   src: string, width: number, height: number}} Query
 */

/** @param {import("../../state/route.js").Route} route */
export function hasQuery(route) {
  return subjectOf(route) !== undefined;
}

/**
 * What an address searches with: an id, a SHA-256 or another address.
 * @param {import("../../state/route.js").Route} route
 */
export function subjectOf({ id, q, u }) {
  return id ?? q ?? u;
}

export class Searching {
  /** @type {AbortController | null} */
  #running = null;
  /** @type {AbortController | null} */
  #filling = null;
  #key = "";
  #isAsking = false;
  #turn = 0;
  #learning = "";
  #isCut = false; // the next results have failed, and not the first ones

  /** @type {ReturnType<typeof subjectOf>} The subject of the search under way, as the address has it. */
  #subject = undefined;

  initial = {
    query: null, subject: undefined, hits: [], warnings: [], problem: null,
    isBusy: false, isDone: false, isWhole: false, isCropping: false, mosaic: null,
  };

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
  }

  /**
   * @param {import("../../state/route.js").Route} route
   * @param {boolean} [isForced] Also where nothing has changed.
   */
  follow(route, isForced = false) {
    if (!hasQuery(route)) {
      this.#running?.abort();
      this.#key = "";
      const { mosaic, query } = this.app.state.search;
      this.app.changeIn("search", { ...this.initial, mosaic });
      release(query, null);
      this.#fillMosaic(route.c, isForced);
      return;
    }
    const key = JSON.stringify([route.c, subjectOf(route), route.r, route.f]);
    const isNew = key !== this.#key;
    if (!isNew && !isForced) return this.#learnFloor(route.c); // the count may be known only now
    this.#key = key;
    this.#turn += 1;
    this.#subject = subjectOf(route);
    this.#run(route, isNew);
  }

  /** Repeat what has failed. */
  retry() {
    const { route, search } = this.app.state;
    const isMissing = hasQuery(route) ? !search.isDone && !search.isBusy : !search.mosaic;
    if (search.problem && this.#isCut) this.app.changeIn("search", { problem: null }), this.more();
    else if (search.problem || isMissing) this.follow(route, true);
  }

  /**
   * Search with a picture of this computer.
   * @param {Blob} picture
   * @param {string} name
   */
  async take(picture, name) {
    this.#turn += 1;
    const turn = this.#turn;
    const sha256 = await keep(picture, name).catch(() => null); // takes longer for a large picture
    if (turn !== this.#turn) return;
    if (sha256 === null) return this.app.say(t("take.unreadable", { name }));
    const { c } = this.app.state.route;
    this.app.searchWith({ q: sha256 });
    try {
      const { ids } = await api.known(c, [sha256]);
      const route = this.app.state.route;
      if (ids[sha256] === undefined || route.q !== sha256) return;
      // The address that others can use; the results are the same.
      this.#key = JSON.stringify([c, ids[sha256], route.r, route.f]);
      this.#subject = ids[sha256];
      if (this.app.state.search.subject === sha256) this.app.changeIn("search", { subject: ids[sha256] });
      this.app.replace({ q: undefined, id: ids[sha256] });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
    }
  }

  /** @param {string} url The address of a picture. */
  takeUrl(url) {
    this.#turn += 1;
    this.app.searchWith({ u: url });
  }

  /** Ask for the next results, if there are any. */
  async more() {
    const { hits, isWhole, isBusy, isDone, problem } = this.app.state.search;
    const { route } = this.app.state;
    const isBelow = route.min !== undefined && hits.length > 0 && !reaches(hits.at(-1).score, route.min);
    if (isWhole || isBusy || !isDone || problem || isBelow || this.#isAsking || hits.length >= LAST) return;
    this.#isAsking = true;
    const running = this.#running;
    try {
      const found = await this.#ask(route, { top_k: NEXT, offset: hits.length }, running.signal);
      if (running !== this.#running) return;
      const seen = new Set(hits.map((hit) => hit.image_id));
      const fresh = found.hits.filter((hit) => !seen.has(hit.image_id));
      this.app.changeIn("search", { hits: [...hits, ...fresh], isWhole: found.hits.length < NEXT });
    } catch (problem) {
      if (running !== this.#running || running.signal.aborted) return;
      this.app.tell(problem);
      this.#isCut = true;
      this.app.changeIn("search", { problem });
    } finally {
      this.#isAsking = false;
    }
  }

  async #run(route, isNew) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#isCut = false;
    this.app.changeIn("search", { isBusy: true, problem: null });
    try {
      const query = await this.#queryOf(route);
      const { query: former } = this.app.state.search;
      if (running !== this.#running) return release(query, former);
      this.app.changeIn("search", { query, subject: this.#subject });
      release(former, query);
      const found = await this.#ask(route, { top_k: FIRST }, running.signal);
      if (running !== this.#running) return;
      const { route: present, search } = this.app.state;
      if (isNew && present.view === "search" && !search.isCropping) scrollTo(0, 0); // the crop is on top
      this.app.changeIn("search", {
        hits: found.hits, warnings: found.warnings,
        isBusy: false, isDone: true, isWhole: found.hits.length < FIRST,
      });
      this.#learnFloor(route.c);
    } catch (problem) {
      if (running !== this.#running || running.signal.aborted) return;
      if (!(problem instanceof api.Problem)) throw problem;
      this.app.changeIn("search", { isBusy: false, problem });
      if (problem.code === "index_unavailable") setTimeout(() => running === this.#running && this.#run(route, isNew), INDEX_RETRY_MS);
    }
  }

  async #ask(route, paging, signal) {
    const options = { collection: route.c, filter: route.f, ...paging };
    const { picture, image_id, url } = this.app.state.search.query;
    if (!route.r) return await api.search({ picture, image_id, url }, options, signal);
    // A part is searched with by its picture's bytes.
    const whole = picture ?? (await api.content(image_id));
    return await api.search({ picture: whole }, { ...options, region: route.r.join(",") }, signal);
  }

  /** @returns {Promise<Query>} */
  async #queryOf({ id, q, u }) {
    const before = this.app.state.search.query;
    if (id !== undefined) {
      if (before?.image_id === id) return before;
      const image = await api.image(id);
      const { name, width, height } = image;
      return { image_id: id, name, src: api.thumbnail(image, 1024), width, height };
    }
    if (q === undefined) return { url: u, name: u, src: "", width: 0, height: 0 };
    if (before?.sha256 === q) return before;
    const found = await kept(q);
    if (!found) throw new api.Problem(t("query.gone"), 404);
    const src = URL.createObjectURL(found.picture);
    this.#measure(src);
    return { picture: found.picture, name: found.name, src, sha256: q, width: 0, height: 0 };
  }

  /** Learn the size of a picture, which a search need not wait for. */
  async #measure(src) {
    const size = await sizeOf(src);
    const { query } = this.app.state.search;
    if (query?.src === src) this.app.changeIn("search", { query: { ...query, ...size } });
  }

  async #fillMosaic(c, isForced) {
    const { mosaic } = this.app.state.search;
    this.#filling?.abort();
    if (mosaic?.c === c && !isForced) return;
    if (mosaic?.c !== c) this.app.changeIn("search", { mosaic: null });
    this.#filling = new AbortController();
    const { signal } = this.#filling;
    const set = (parts) => this.app.changeIn("search", hasQuery(this.app.state.route) ? {} : parts);
    try {
      const { images } = await api.images({ collection: c, limit: MOSAIC, sort: "-id" }, signal);
      if (signal.aborted) return;
      this.app.changeIn("search", { mosaic: { c, images } });
      set({ problem: null }); // that of a search stays
    } catch (problem) {
      if (signal.aborted) return;
      if (!(problem instanceof api.Problem)) throw problem;
      set({ problem });
    }
  }

  /** The likeness of unrelated pictures of a collection: of its pictures, that of a middle rank. */
  async #learnFloor(c) {
    const { floors, search } = this.app.state;
    const { count } = this.app;
    const isKnown = floors[c] !== undefined || this.#learning === c;
    if (isKnown || count === undefined || search.isBusy || !search.hits.length) return;
    this.#learning = c;
    let floor = USUAL_FLOOR;
    try {
      if (count > 100) {
        const offset = Math.min(15_000, Math.floor(count / 2));
        const image_id = search.hits.at(-1).image_id;
        const { hits: [middle] } = await api.search({ image_id }, { collection: c, top_k: 1, offset });
        if (middle) floor = middle.score;
      }
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
    }
    this.app.changeIn("floors", { [c]: Math.min(0.9, Math.max(0, floor)) });
  }
}

/** Release the picture of a query that another one replaces. */
function release(query, next) {
  if (query?.picture && query.src !== next?.src) URL.revokeObjectURL(query.src);
}

/** The size of a picture that the browser can show, 0 by 0 of another one. */
async function sizeOf(src) {
  const image = new Image();
  image.src = src;
  await image.decode().catch(() => {});
  return { width: image.naturalWidth, height: image.naturalHeight };
}
