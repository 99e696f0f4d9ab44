/** Follows ingest jobs until they are finished: one call asks for all that are open. */

import * as api from "./api.js";
import { isOpen, runs } from "./run.js";

const FAST_MS = 700;
const SLOW_MS = 3000;
const SLOWER_BY = 1.4;
const LISTED = 100;

export class Watch {
  /** @type {Map<string, api.Job>} */
  #jobs = new Map();
  #wait = FAST_MS;
  #timer = 0;
  #isSignedOut = false;

  /** @param {(runs: import("./run.js").Run[]) => void} onRuns Something has changed. */
  constructor(onRuns) {
    this.onRuns = onRuns;
    document.addEventListener("visibilitychange", () => document.hidden || this.#plan(0));
  }

  /** Take up what is running, and how the newest jobs ended. */
  async resume() {
    const { jobs, next_cursor: more } = await api.jobs({ limit: LISTED });
    const rest = more && jobs.at(-1).batch ? await wholeBatch(jobs.at(-1).batch) : [];
    this.#jobs = new Map([...jobs, ...rest].map((job) => [job.id, job]));
    this.#isSignedOut = false;
    this.#tell();
  }

  /**
   * Follow a job.
   * @param {api.Job} job
   */
  add(job) {
    this.#jobs.set(job.id, job);
    this.#wait = FAST_MS;
    this.#isSignedOut = false;
    this.#tell();
  }

  /** Go on after somebody has signed in. */
  goOn() {
    this.#isSignedOut = false;
    this.#plan(0);
  }

  #tell() {
    this.onRuns(runs([...this.#jobs.values()]));
    this.#plan(this.#wait);
  }

  #plan(wait) {
    clearTimeout(this.#timer);
    if (this.#isSignedOut || document.hidden || ![...this.#jobs.values()].some(isOpen)) return;
    this.#timer = setTimeout(() => this.#ask(), wait);
  }

  async #ask() {
    const before = JSON.stringify([...this.#jobs.values()]);
    try {
      const open = [...this.#jobs.values()].filter(isOpen).map(({ id }) => id);
      const { jobs } = await api.openJobs(LISTED);
      for (const job of jobs) this.#jobs.set(job.id, job);
      const ended = open.filter((id) => !jobs.some((job) => job.id === id));
      for (const id of ended.slice(0, 8)) await this.#end(id);
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem; // the banner says the rest
      // Each further call would ask for a token again.
      this.#isSignedOut = problem.status === 401;
    }
    const isMoving = before !== JSON.stringify([...this.#jobs.values()]);
    this.#wait = isMoving ? FAST_MS : Math.min(SLOW_MS, this.#wait * SLOWER_BY);
    this.#tell();
  }

  async #end(id) {
    try {
      this.#jobs.set(id, await api.job(id));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      this.#jobs.delete(id); // the service was given another data folder
    }
  }
}

/** All jobs of an upload, of which a page of jobs may hold the newest alone. */
async function wholeBatch(batch) {
  const found = [];
  let cursor = null;
  do {
    const page = await api.jobs({ batch, limit: LISTED, cursor });
    found.push(...page.jobs);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}
