/** The list of jobs, each with what can be done about it. */

import * as api from "./api.js";
import { byId, fromTemplate, showText } from "./dom.js";
import { isOpen, isRetriable } from "./run.js";
import { counted, duration, grouped, moment, sentence, speed } from "./wording.js";

const STATES = {
  pending: "Waiting",
  in_progress: "Running",
  completed: "Finished",
  failed: "Broke off",
  canceled: "Canceled",
};

export class JobList {
  /**
   * Rows stay while they are shown, so that the keyboard's focus does.
   * @type {Map<string, HTMLElement>}
   */
  #rows = new Map();

  /**
   * @param {object} wiring
   * @param {(job: import("./api.js").Job) => void} wiring.onChanged A job was canceled.
   * @param {(job: import("./api.js").Job) => void} wiring.onStarted A job was begun.
   */
  constructor({ onChanged, onStarted }) {
    this.onChanged = onChanged;
    this.onStarted = onStarted;
  }

  /** @param {import("./api.js").Job[]} jobs Newest first. */
  show(jobs) {
    const retried = new Set(jobs.map((job) => job.retry_of));
    const ids = new Set(jobs.map((job) => job.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    jobs.forEach((job, place) => {
      const row = this.#row(job.id);
      fill(row, job, retried.has(job.id));
      const list = byId("jobs");
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    });
    byId("jobs-card").hidden = jobs.length === 0;
  }

  #row(id) {
    const known = this.#rows.get(id);
    if (known) return known;
    const row = fromTemplate("job-template");
    this.#rows.set(id, row);
    on(row, ".job-cancel", async () => this.onChanged(await api.cancelJob(id)));
    on(row, ".job-retry", async () => this.onStarted(await api.retryJob(id)));
    return row;
  }
}

/** Let a button act, once at a time, and say what went wrong. */
function on(row, selector, act) {
  const button = row.querySelector(selector);
  const problem = row.querySelector(".job-problem");
  button.addEventListener("click", async () => {
    button.disabled = true;
    showText(problem, "");
    try {
      await act();
    } catch (error) {
      showText(problem, error.message);
    } finally {
      button.disabled = false;
    }
  });
}

function fill(row, job, isRetried) {
  const name = nameOf(job);
  setText(row, ".job-name", name);
  setText(row, ".job-collection", job.collection);
  setText(row, ".job-state", STATES[job.state] ?? job.state);
  row.dataset.state = job.state;
  setText(row, ".job-numbers", numbersOf(job));
  showText(row.querySelector(".job-detail"), detailOf(job));
  showBar(row.querySelector("progress"), job, name);
  offer(row, ".job-cancel", isOpen(job), `Cancel ${name}`);
  offer(row, ".job-retry", isRetriable(job) && !isRetried, `Retry ${name}`);
}

function nameOf(job) {
  const name = job.kind === "upload" ? "Uploaded pictures" : (job.source ?? "Job");
  const shown = job.kind === "reindex" ? sentence(name).replace(/\.$/, "") : name;
  return job.retry_of ? `${shown}, again` : shown;
}

function numbersOf(job) {
  const all = counted(job.total, job.kind === "reindex" ? "picture" : "file");
  const done = job.state === "completed" ? all : `${grouped(job.done)} of ${all}`;
  const failed = job.failed ? `${grouped(job.failed)} failed` : "";
  const moments = isOpen(job) ? paceOf(job) : [job.finished_at && moment(new Date(job.finished_at))];
  return [done, failed, ...moments].filter(Boolean).join(" · ");
}

function paceOf(job) {
  const pace = job.images_per_second ? speed(job.images_per_second) : "";
  return [pace, job.eta_seconds === null ? "" : `${duration(job.eta_seconds)} left`];
}

/** That a job was canceled is said already. */
function detailOf(job) {
  return job.detail && job.state !== "canceled" ? sentence(job.detail) : "";
}

function showBar(bar, job, name) {
  bar.hidden = !isOpen(job);
  bar.setAttribute("aria-label", name);
  if (job.total === 0) bar.removeAttribute("value");
  else [bar.max, bar.value] = [job.total, job.done];
}

function offer(row, selector, isOffered, label) {
  const button = row.querySelector(selector);
  button.hidden = !isOffered;
  button.setAttribute("aria-label", label);
}

function setText(row, selector, text) {
  const element = row.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
}
