/**
 * Calls to the service. Every failure becomes a `Problem` with a text for people; no call waits
 * forever. URLs are relative to the page, so that it works below a proxy's path prefix.
 *
 * @typedef {{source: string, code: string, detail: string}} JobError
 * @typedef {{id: string | null, collection: string, kind: string | null, source: string | null,
 *   retry_of: string | null, state: string, total: number, done: number, indexed: number,
 *   duplicates: number, failed: number, created_at: string | null, finished_at: string | null,
 *   images_per_second: number | null, eta_seconds: number | null, detail: string | null,
 *   errors: JobError[]}} Job
 * @typedef {{rank: number, image_id: number, score: number, name: string, source: string,
 *   width: number, height: number, content_url: string, thumbnail_url: string}} Hit
 * @typedef {{decode: number, describe: number, search: number, total: number}} Took
 * @typedef {{collection: string, hits: Hit[], took_ms: Took, warnings: string[]}} Found
 * @typedef {{name: string, count: number}} Collection
 * @typedef {{version: string, model: string, descriptor: string, dimension: number,
 *   image_roots: string[], limits: Limits}} Info
 * @typedef {{max_upload_bytes: number, max_request_bytes: number}} Limits
 */

import { sentence } from "./wording.js";

const READ_MS = 30_000;
const SEARCH_MS = 120_000;
const UPLOAD_MS = 600_000;
const PASSING = [429, 502, 503, 504];

/** A call that did not work. */
export class Problem extends Error {
  /**
   * @param {string} detail What is wrong and what to do, for people.
   * @param {number} status The HTTP status; 0 where no answer came.
   * @param {number} [retryAfter] Seconds that the service asks to wait.
   */
  constructor(detail, status, retryAfter = 1) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may well work later. */
  get mayPass() {
    return this.status === 0 || PASSING.includes(this.status);
  }
}

/**
 * A URL of an answer, relative to the page.
 * @param {string} url
 */
export function relative(url) {
  return url.replace(/^\/+/, "");
}

/** @returns {Promise<Info>} */
export function info() {
  return read("info");
}

/**
 * Keep a token in a cookie, which this page's scripts cannot read.
 * @param {string} token
 */
export async function signIn(token) {
  await call("session", json({ token }), READ_MS);
}

/** @returns {Promise<Collection[]>} */
export async function collections() {
  return (await read("collections")).collections;
}

/**
 * @param {string} collection
 * @returns {Promise<number>}
 */
export async function count(collection) {
  return (await read(`count?collection=${encodeURIComponent(collection)}`)).count;
}

/**
 * @param {Blob} picture
 * @param {{collection: string, top_k: number}} options
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
export function searchByPicture(picture, options, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, String(value));
  form.append("file", picture);
  return call("search", { method: "POST", body: form, signal }, SEARCH_MS);
}

/**
 * @param {number} imageId
 * @param {{collection: string, top_k: number}} options
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
export function searchById(imageId, options, signal) {
  return call("search", { ...json({ ...options, image_id: imageId }), signal }, SEARCH_MS);
}

/**
 * @param {string} collection
 * @param {number} imageId
 */
export function deleteImage(collection, imageId) {
  return call("delete", json({ collection, ids: [imageId] }), READ_MS);
}

/**
 * @param {{path: string, root?: string, collection: string}} request
 * @returns {Promise<Job>}
 */
export function trainFolder(request) {
  return call("train", json(request), READ_MS);
}

/**
 * @param {import("./parcels.js").Picture[]} pictures
 * @param {string} collection
 * @param {AbortSignal} signal
 * @returns {Promise<Job>}
 */
export function trainPictures(pictures, collection, signal) {
  const form = new FormData();
  form.append("collection", collection);
  for (const { file, path } of pictures) form.append("files", file, path);
  return call("train", { method: "POST", body: form, signal }, UPLOAD_MS);
}

/**
 * @param {string} id
 * @returns {Promise<Job>}
 */
export function job(id) {
  return read(`process?job=${encodeURIComponent(id)}`);
}

/**
 * Where a job can be followed.
 * @param {string} id
 */
export function jobEventsUrl(id) {
  return `api/v2/jobs/${encodeURIComponent(id)}/events`;
}

/**
 * End a job that is not finished.
 * @param {string} id
 * @returns {Promise<Job>}
 */
export function cancelJob(id) {
  return call(`jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" }, READ_MS);
}

/**
 * Try again what a job left, as a new job.
 * @param {string} id
 * @returns {Promise<Job>}
 */
export function retryJob(id) {
  return call(`jobs/${encodeURIComponent(id)}/retry`, { method: "POST" }, READ_MS);
}

/**
 * Jobs, newest first.
 * @returns {Promise<Job[]>}
 */
export async function newestJobs() {
  return (await read("jobs?limit=100")).jobs;
}

function read(path) {
  return call(path, {}, READ_MS);
}

function json(body) {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
}

async function call(path, request, limitMs) {
  const limit = AbortSignal.timeout(limitMs);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  let response, body;
  try {
    response = await fetch(`api/v2/${path}`, { ...request, signal });
    body = await response.text();
  } catch (error) {
    if (request.signal?.aborted) throw error; // the caller's own wish, not a failure
    throw unanswered(limit.aborted, limitMs);
  }
  if (!response.ok) throw refused(response, body);
  if (response.status === 204) return undefined;
  return parsed(body) ?? fail(response);
}

function unanswered(isLate, limitMs) {
  const text = isLate
    ? `The service has not answered for ${limitMs / 1000} seconds. It may be busy.`
    : "The service cannot be reached. Check that it runs and that you are connected.";
  return new Problem(text, 0);
}

function refused(response, body) {
  const detail = parsed(body)?.detail;
  const text = typeof detail === "string" && detail ? sentence(detail) : undefined;
  const wait = Number(response.headers.get("Retry-After")) || 1;
  return new Problem(text ?? unexpected(response), response.status, wait);
}

function fail(response) {
  throw new Problem(unexpected(response), response.status);
}

function unexpected(response) {
  return `The service answered with something unexpected (HTTP ${response.status}). Its log says more.`;
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
