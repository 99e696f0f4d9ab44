/** The details of runs: the newest pictures, and the files that failed. */

import * as api from "../../service/api.js";

const STRIP = 12;

export class RunDetails {
  #asked = "";
  #isAsking = false;

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
  }

  /** The newest pictures of the newest run. */
  pictures() {
    const [run] = this.app.state.runs;
    return (run && this.app.state.details[run.key]?.pictures) ?? [];
  }

  /** Ask for the newest pictures whenever the newest run has added some. */
  async follow() {
    const [run] = this.app.state.runs;
    if (this.app.state.route.view !== "add" || !run || run.isDry || run.kind === "reindex" || this.#isAsking) return;
    if (!this.app.state.collections?.some(({ name }) => name === run.collection)) return; // it may be gone
    const state = `${run.key} ${run.indexed}`;
    if (state === this.#asked || !run.indexed) return;
    this.#asked = state;
    this.#isAsking = true;
    try {
      const filter = `$created_at >= ${JSON.stringify(run.startedAt)}`;
      const { images } = await api.images({ collection: run.collection, sort: "-id", limit: STRIP, filter });
      this.#set(run.key, { pictures: images });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem; // its collection may be gone
    } finally {
      this.#isAsking = false;
    }
  }

  /**
   * Show the next page of the files of a run that failed.
   * @param {import("../../service/run.js").Run} run
   */
  async moreErrors(run) {
    const { errors = [], at = { job: 0, cursor: null } } = this.app.state.details[run.key] ?? {};
    const jobs = run.jobs.filter((job) => job.failed > 0);
    const job = jobs[at.job];
    if (!job) return;
    await this.app.attempt(async () => {
      const page = await api.jobErrors(job.id, at.cursor);
      const next = page.next_cursor ? { job: at.job, cursor: page.next_cursor } : { job: at.job + 1, cursor: null };
      this.#set(run.key, { errors: [...errors, ...page.errors], at: next, isWhole: next.job >= jobs.length });
    });
  }

  #set(key, parts) {
    this.app.change(({ details }) => ({ details: { ...details, [key]: { ...details[key], ...parts } } }));
  }
}
