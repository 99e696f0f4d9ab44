/** Follows ingest jobs until they are finished: one by events, the others by asking now and then. */

import * as api from "./api.js";
import { JobEvents } from "./events.js";
import { isOpen, summed } from "./run.js";

const FAST_MS = 500;
const SLOW_MS = 2000;
const SURE_MS = 10_000;
const SLOWER_BY = 1.5;
const ASKED_AT_ONCE = 4;
const LISTED = 10;

export class Watch {
  /**
   * The jobs of the run.
   * @type {Map<string, import("./api.js").Job>}
   */
  #jobs = new Map();
  /**
   * Jobs that are not part of the run, newest first.
   * @type {import("./api.js").Job[]}
   */
  #earlier = [];
  /** @type {Map<string, number>} */
  #askedAt = new Map();
  #round = 0;
  #wait = FAST_MS;
  #timer = 0;
  #isKeptOpen = false;
  // A browser opens few connections to one host, for all of its windows together: so one stream,
  // and none while nobody looks.
  #events = new JobEvents((job) => this.update(job));

  /**
   * @param {object} wiring
   * @param {(run: import("./run.js").Run) => void} wiring.onRun Something has changed.
   * @param {(jobs: import("./api.js").Job[]) => void} wiring.onJobs The same, job by job, newest
   *   first.
   * @param {(text: string) => void} wiring.onTrouble The service does not answer; once it does
   *   again, `onRun` follows.
   */
  constructor({ onRun, onJobs, onTrouble }) {
    this.onRun = onRun;
    this.onJobs = onJobs;
    this.onTrouble = onTrouble;
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  /** Take up what is running, or show how the newest job ended. */
  async resume() {
    const jobs = await api.newestJobs();
    const open = jobs.filter(isOpen);
    const shown = open.length ? open : jobs.slice(0, 1);
    const isNews = shown.some((job) => !this.#jobs.has(job.id));
    if (isNews && !this.#open().length) this.#jobs.clear();
    for (const job of shown) this.#jobs.set(job.id, this.#newer(job));
    this.#earlier = jobs;
    this.#tell();
    this.#plan();
  }

  /**
   * Follow a new job, together with what is still running.
   * @param {import("./api.js").Job} job
   */
  add(job) {
    if (!this.#open().length) this.#startAfresh();
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
   * Take up what is known of a job by now.
   * @param {import("./api.js").Job} job
   */
  update(job) {
    if (this.#jobs.has(job.id)) this.#jobs.set(job.id, this.#newer(job));
    else this.#earlier = this.#earlier.map((one) => (one.id === job.id ? job : one));
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

  #startAfresh() {
    this.#earlier = this.#listed();
    this.#jobs.clear();
  }

  /** Answers can overtake each other; a job never goes back. */
  #newer(job) {
    const known = this.#jobs.get(job.id);
    return known && (!isOpen(known) || known.done > job.done) ? known : job;
  }

  #listed() {
    const run = [...this.#jobs.values()];
    const others = this.#earlier.filter((job) => !this.#jobs.has(job.id));
    const newestFirst = (one, other) => (one.created_at < other.created_at ? 1 : -1);
    return [...run, ...others].sort(newestFirst);
  }

  #tell() {
    const run = summed([...this.#jobs.values()]);
    this.onRun({ ...run, isOpen: run.isOpen || this.#isKeptOpen });
    const listed = this.#listed();
    this.onJobs(listed.filter((job, place) => isOpen(job) || place < LISTED));
  }

  #plan() {
    clearTimeout(this.#timer);
    const open = this.#open();
    this.#events.follow(document.hidden || !open.length ? null : open[0].id);
    if (!open.length) return;
    const isFollowed = open.length === 1 && open[0].id === this.#events.openId;
    this.#timer = setTimeout(() => this.#ask(), isFollowed ? SURE_MS : this.#wait);
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
    const followed = this.#events.openId;
    const asked = open.length > 1 ? open.filter((job) => job.id !== followed) : open;
    return asked.slice(0, ASKED_AT_ONCE).map((job) => job.id);
  }

  async #update(id) {
    this.#askedAt.set(id, this.#round);
    try {
      this.#jobs.set(id, this.#newer(await api.job(id)));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      this.#jobs.delete(id); // the service was given another data folder
    }
  }
}
