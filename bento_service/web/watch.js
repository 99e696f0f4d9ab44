/** Follows ingest jobs until they are finished, without asking more often than is of use. */

import * as api from "./api.js";
import { isOpen, summed } from "./run.js";

const FAST_MS = 500;
const SLOW_MS = 2000;
const SLOWER_BY = 1.5;
const ASKED_AT_ONCE = 4;

export class Watch {
  /** @type {Map<string, import("./api.js").Job>} */
  #jobs = new Map();
  /** @type {Map<string, number>} */
  #askedAt = new Map();
  #round = 0;
  #wait = FAST_MS;
  #timer = 0;
  #isKeptOpen = false;

  /**
   * @param {object} wiring
   * @param {(run: import("./run.js").Run) => void} wiring.onRun Something has changed.
   * @param {(text: string) => void} wiring.onTrouble The service does not answer; once it does
   *   again, `onRun` follows.
   */
  constructor({ onRun, onTrouble }) {
    this.onRun = onRun;
    this.onTrouble = onTrouble;
  }

  /** Take up what is running, or show how the newest job ended. */
  async resume() {
    const jobs = await api.newestJobs();
    const open = jobs.filter(isOpen);
    const shown = open.length ? open : jobs.slice(0, 1);
    const isNews = shown.some((job) => !this.#jobs.has(job.id));
    if (isNews && !this.#open().length) this.#jobs.clear();
    for (const job of shown) this.#jobs.set(job.id, this.#jobs.get(job.id) ?? job);
    this.#tell();
    this.#plan();
  }

  /**
   * Follow a new job, together with what is still running.
   * @param {import("./api.js").Job} job
   */
  add(job) {
    if (!this.#open().length) this.#jobs.clear();
    this.join(job);
  }

  /**
   * Follow a job that belongs to the jobs before it, whether or not they are finished.
   * @param {import("./api.js").Job} job
   */
  join(job) {
    this.#jobs.set(job.id, job);
    this.#wait = FAST_MS;
    this.#tell();
    this.#plan();
  }

  /**
   * While more jobs are on their way, the run is not over when the present ones are.
   * @param {boolean} isKept
   */
  keepOpen(isKept) {
    this.#isKeptOpen = isKept;
    this.#tell();
  }

  #open() {
    return [...this.#jobs.values()].filter(isOpen);
  }

  #tell() {
    const run = summed([...this.#jobs.values()]);
    this.onRun({ ...run, isOpen: run.isOpen || this.#isKeptOpen });
  }

  #plan() {
    clearTimeout(this.#timer);
    if (this.#open().length) this.#timer = setTimeout(() => this.#ask(), this.#wait);
  }

  async #ask() {
    this.#round += 1;
    const before = JSON.stringify([...this.#jobs.values()]);
    try {
      await Promise.all(this.#longestNotAsked().map((id) => this.#update(id)));
      this.#tell();
    } catch (problem) {
      this.onTrouble(problem.message);
    }
    const isMoving = before !== JSON.stringify([...this.#jobs.values()]);
    this.#wait = isMoving ? FAST_MS : Math.min(SLOW_MS, this.#wait * SLOWER_BY);
    this.#plan();
  }

  #longestNotAsked() {
    const age = (job) => this.#askedAt.get(job.id) ?? 0;
    const open = this.#open().sort((one, other) => age(one) - age(other));
    return open.slice(0, ASKED_AT_ONCE).map((job) => job.id);
  }

  async #update(id) {
    this.#askedAt.set(id, this.#round);
    try {
      this.#jobs.set(id, await api.job(id));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      this.#jobs.delete(id); // the service was given another data folder
    }
  }
}
