/**
 * Several ingest jobs seen as one run: an upload is many jobs, and jobs take turns.
 *
 * @typedef {import("./api.js").Job} Job
 * @typedef {{isOpen: boolean, total: number, done: number, indexed: number, duplicates: number,
 *   failed: number, perSecond: number, etaSeconds: number | null, collections: string[],
 *   isReindex: boolean, isCanceled: boolean,
 *   finishedAt: string | null, errors: import("./api.js").JobError[], problems: string[]}} Run
 */

const FINAL = ["completed", "failed", "canceled"];

/**
 * Whether a job may still change.
 * @param {Job} job
 */
export function isOpen(job) {
  return job.id !== null && !FINAL.includes(job.state);
}

/**
 * Whether a job left something that can be tried again.
 * @param {Job} job
 */
export function isRetriable(job) {
  return FINAL.includes(job.state) && (job.failed > 0 || job.state !== "completed");
}

/**
 * The sum of some jobs.
 * @param {Job[]} jobs
 * @returns {Run}
 */
export function summed(jobs) {
  const sum = (field) => jobs.reduce((total, job) => total + job[field], 0);
  const open = jobs.filter(isOpen);
  const perSecond = open.reduce((total, job) => total + (job.images_per_second ?? 0), 0);
  const [total, done] = [sum("total"), sum("done")];
  // A job that is still walking its folder does not know its total, and gives no estimate.
  const isEstimable = perSecond > 0 && open.every(knowsItsTotal);
  return {
    isOpen: open.length > 0,
    total,
    done,
    indexed: sum("indexed"),
    duplicates: sum("duplicates"),
    failed: sum("failed"),
    perSecond,
    etaSeconds: isEstimable ? (total - done) / perSecond : null,
    collections: [...new Set(jobs.map((job) => job.collection))],
    isReindex: jobs.length > 0 && jobs.every((job) => job.kind === "reindex"),
    isCanceled: jobs.length > 0 && jobs.every((job) => job.state === "canceled"),
    finishedAt: open.length ? null : latest(jobs),
    errors: jobs.flatMap((job) => job.errors),
    problems: jobs.filter((job) => job.state === "failed").map(problemOf),
  };
}

function knowsItsTotal(job) {
  return job.images_per_second === null ? job.total > 0 : job.eta_seconds !== null;
}

function latest(jobs) {
  const moments = jobs.map((job) => job.finished_at ?? "").sort();
  return moments.at(-1) || null;
}

function problemOf(job) {
  return job.detail ?? "The job could not go on. The service's log says why.";
}
