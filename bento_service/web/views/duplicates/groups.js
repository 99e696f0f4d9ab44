/** Groups of duplicates, a page of twenty at a time, and which pictures of them are kept. */

import * as api from "../../service/api.js";

const PAGE = 20;
const ROUNDS = 50; // pages that may be empty, as each is bounded in time

/**
 * @typedef {api.Image & {like: any}} Member
 * @typedef {{key: number, images: Member[], verdict: string, is_whole: boolean}} Group
 */

/**
 * The best picture of a group: most pixels, then most bytes, then the oldest.
 * @param {{images: {id: number, width: number, height: number, bytes: number}[]}} group
 */
export function best({ images }) {
  const better = (one, other) =>
    other.width * other.height - one.width * one.height || other.bytes - one.bytes || one.id - other.id;
  return [...images].sort(better)[0].id;
}

/**
 * The pictures of a group that are not kept; none if nothing of it would be left.
 * @param {{images: {id: number}[]}} group
 * @param {Set<number>} kept
 * @returns {number[]}
 */
export function dropped({ images }, kept) {
  const ids = images.map(({ id }) => id).filter((id) => !kept.has(id));
  return ids.length < images.length ? ids : [];
}

export class Groups {
  #collection = "";
  #cursor = null;
  #turn = 0;

  initial = {
    groups: [], kept: new Set(), settled: new Set(), isBusy: false, isWhole: false, examined: 0,
    problem: null, flipped: null, place: 0,
  };

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
  }

  follow({ c }, isForced = false) {
    if (c === this.#collection && !isForced) return;
    this.#collection = c;
    this.#cursor = null;
    this.#turn += 1;
    this.app.changeIn("duplicates", { ...this.initial, isBusy: false });
    this.more();
  }

  /** The groups that still have several pictures and were not settled. */
  shown() {
    const { groups, settled } = this.app.state.duplicates;
    const isThere = ({ id }) => !this.app.removals.has(id);
    return groups.map((group) => ({ ...group, images: group.images.filter(isThere) }))
      .filter(({ key, images }) => images.length > 1 && !settled.has(key));
  }

  /** Look for the next groups. */
  async more() {
    if (this.app.state.duplicates.isBusy) return;
    const turn = this.#turn;
    this.app.changeIn("duplicates", { isBusy: true, problem: null });
    let found = 0;
    try {
      for (let round = 0; round < ROUNDS && found < PAGE; round += 1) {
        const page = await api.duplicates(this.#collection, this.#cursor);
        if (turn !== this.#turn) return;
        found += page.groups.length;
        this.#cursor = page.next_cursor;
        this.#take(page);
        if (page.next_cursor === null) break;
      }
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      if (turn === this.#turn) this.app.changeIn("duplicates", { problem });
    } finally {
      if (turn === this.#turn) this.app.changeIn("duplicates", { isBusy: false });
    }
  }

  /**
   * Keep a picture, or no longer.
   * @param {Group} group
   * @param {number} id
   */
  keep(group, id) {
    const kept = new Set(this.app.state.duplicates.kept);
    const isLast = kept.has(id) && !group.images.some((image) => image.id !== id && kept.has(image.id));
    if (isLast) return this.app.changeIn("duplicates", { kept: new Set(kept) }); // one is always kept
    if (!kept.delete(id)) kept.add(id);
    this.app.changeIn("duplicates", { kept });
  }

  /** Keep all of a group. */
  skip(group) {
    const kept = new Set(this.app.state.duplicates.kept);
    for (const { id } of group.images) kept.add(id);
    this.app.changeIn("duplicates", { kept });
    this.settle([group]);
  }

  /** Show groups no longer. */
  settle(groups) {
    const settled = new Set(this.app.state.duplicates.settled);
    for (const { key, images } of groups) {
      // A group that keeps several is done with; one whose deletion is undone comes back.
      if (images.filter(({ id }) => this.app.state.duplicates.kept.has(id)).length > 1) settled.add(key);
    }
    this.app.changeIn("duplicates", { settled, flipped: null });
  }

  /** @param {number | null} key The group to compare by flipping. */
  flip(key) {
    this.app.changeIn("duplicates", { flipped: key, place: 0 });
  }

  #take({ groups, examined }) {
    const fresh = groups.map((group) => ({ ...group, key: group.images[0].id }));
    this.app.change(({ duplicates }) => ({
      duplicates: {
        ...duplicates,
        groups: [...duplicates.groups, ...fresh],
        kept: new Set([...duplicates.kept, ...fresh.map(best)]),
        examined: duplicates.examined + examined,
        isWhole: this.#cursor === null,
      },
    }));
  }
}
