/**
 * Runs of ingest: one upload is several jobs, and a retry continues an earlier job.
 *
 * @typedef {import("./api.js").Job} Job
 * @typedef {{key: string, jobs: Job[], collection: string, kind: string | null, source: string,
 *   isOpen: boolean, isDry: boolean, total: number, done: number, indexed: number,
 *   duplicates: number, failed: number, skipped: Job["skipped"], perSecond: number,
 *   etaSeconds: number | null, startedAt: string, finishedAt: string | null,
 *   state: "open" | "canceled" | "failed" | "completed", details: string[],
 *   retriable: Job[]}} Run
 */

const FINAL = ["completed", "failed", "canceled"];
/** Failures that trying again cannot help. */
const FOR_GOOD = ["unsupported_media_type", "image_unreadable", "image_too_expensive", "too_large", "forbidden"];
export const NO_PICTURE = "unsupported_media_type";

/** @param {Job} job */
export function isOpen(job) {
  return !FINAL.includes(job.state);
}

/**
 * Runs, newest first.
 * @param {Job[]} jobs
 * @returns {Run[]}
 */
export function runs(jobs) {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  /** @type {Map<string, Job[]>} */
  const groups = new Map();
  for (const job of jobs) {
    const key = job.batch ?? firstOf(job, byId).id;
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return [...groups].map(([key, group]) => summed(key, group))
    .sort((one, other) => (one.startedAt < other.startedAt ? 1 : -1));
}

function firstOf(job, byId) {
  const earlier = byId.get(job.retry_of);
  return earlier ? firstOf(earlier, byId) : job;
}

/** @returns {Run} */
function summed(key, jobs) {
  const retried = new Set(jobs.map((job) => job.retry_of));
  const isRetried = (job) => retried.has(job.id);
  const sum = (count) => jobs.reduce((total, job) => total + count(job), 0);
  const open = jobs.filter(isOpen);
  const perSecond = open.reduce((total, job) => total + (job.images_per_second ?? 0), 0);
  const total = sum((job) => (isRetried(job) ? job.indexed + job.duplicates : job.total));
  const done = sum((job) => (isRetried(job) ? job.indexed + job.duplicates : job.done));
  const last = jobs.filter((job) => !isRetried(job));
  return {
    key,
    jobs,
    collection: jobs[0].collection,
    kind: jobs[0].kind,
    source: jobs.at(-1).source ?? "",
    isOpen: open.length > 0,
    isDry: jobs[0].dry_run,
    total,
    done,
    indexed: sum((job) => job.indexed),
    duplicates: sum((job) => job.duplicates),
    failed: sum((job) => (isRetried(job) ? 0 : job.failed)),
    skipped: jobs.flatMap((job) => job.skipped),
    perSecond,
    etaSeconds: isEstimable(open) ? (total - done) / perSecond : null,
    startedAt: jobs.map((job) => job.created_at).sort()[0],
    finishedAt: open.length ? null : jobs.map((job) => job.finished_at ?? "").sort().at(-1),
    state: open.length ? "open" : stateOf(last),
    details: [...new Set(last.filter((job) => job.detail).map((job) => job.detail))],
    retriable: last.filter(mayHelp),
  };
}

function isEstimable(open) {
  return open.some((job) => job.images_per_second) &&
    open.every((job) => job.eta_seconds !== null || job.state === "pending");
}

function stateOf(jobs) {
  for (const state of /** @type {const} */ (["failed", "canceled"])) if (jobs.some((job) => job.state === state)) return state;
  return "completed";
}

/** Return true if a retry may help: files were not reached, or failed for a temporary reason. */
function mayHelp(job) {
  if (isOpen(job) || job.dry_run) return false;
  if (job.state !== "completed") return true;
  return job.errors.some(({ code }) => !FOR_GOOD.includes(code)) || job.failed > job.errors.length;
}
