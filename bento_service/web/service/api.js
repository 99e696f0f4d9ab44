/**
 * The calls that the page makes, and the types of their answers.
 *
 * @typedef {{source: string, code: string, detail: string}} JobError
 * @typedef {{id: string | null, collection: string, kind: string | null, source: string | null,
 *   retry_of: string | null, batch: string | null, state: string, total: number, done: number,
 *   indexed: number, duplicates: number, failed: number, dry_run: boolean,
 *   skipped: {code: string, count: number, source: string, detail: string}[],
 *   created_at: string | null, started_at: string | null, finished_at: string | null,
 *   images_per_second: number | null, eta_seconds: number | null, detail: string | null,
 *   errors: JobError[]}} Job
 * @typedef {{rank: number, image_id: number, score: number, verdict: string | null, name: string,
 *   source: string, width: number, height: number, metadata: Record<string, any>,
 *   content_url: string, thumbnail_url: string}} Hit
 * @typedef {{duplicate: number, near_duplicate: number, hash_distance: number}} Lines
 * @typedef {{collection: string, hits: Hit[], lines: Lines, took_ms: {total: number},
 *   warnings: string[]}} Found
 * @typedef {{id: number, collection: string, name: string, source: string, format: string,
 *   sources: {kind: string, root: string | null, path: string}[], width: number, height: number,
 *   bytes: number, metadata: Record<string, any>, created_at: string, content_url: string,
 *   thumbnail_url: string}} Image
 * @typedef {{name: string, count: number, expires_at: string | null}} Collection
 * @typedef {{version: string, image_roots: string[], urls: boolean, scopes: string[],
 *   limits: {max_upload_bytes: number, max_request_bytes: number}}} Info
 */

import { call, form, json, query, read, READ_MS, SEARCH_MS, UPLOAD_MS } from "./call.js";

export { Problem, wiring } from "./call.js";

/**
 * A URL of an answer, relative to the page.
 * @param {string} url
 */
export function relative(url) {
  return url.replace(/^\/+/, "");
}

/**
 * The URL of a thumbnail that fills so many pixels of the screen.
 * @param {{thumbnail_url: string}} image
 * @param {number} pixels
 */
export function thumbnail({ thumbnail_url: url }, pixels) {
  const wanted = pixels * Math.min(2, devicePixelRatio);
  const size = wanted <= 256 ? 256 : wanted <= 512 ? 512 : 1024;
  return `${relative(url)}${url.includes("?") ? "&" : "?"}size=${size}`;
}

/**
 * @param {boolean} [isSession] Somebody is signing in, so do not ask for a token.
 * @returns {Promise<Info>}
 */
export const info = (isSession = false) => call("info", {}, READ_MS, isSession);

/**
 * Keep a token in a cookie, which this page's scripts cannot read.
 * @param {string} token
 */
export const signIn = (token) => call("session", json({ token }), READ_MS, true);

/** @returns {Promise<Collection[]>} */
export const collections = async () => (await read("collections")).collections;

/** @param {string} name */
export const createCollection = (name) => call("collections", json({ name }), READ_MS);

/** @param {string} name */
export const deleteCollection = (name) =>
  call(`collections/${encodeURIComponent(name)}`, { method: "DELETE" }, READ_MS);

/**
 * @param {{picture?: Blob, image_id?: number, url?: string}} subject
 * @param {Record<string, any>} options
 * @param {AbortSignal} [signal]
 * @returns {Promise<Found>}
 */
export function search({ picture, ...subject }, options, signal) {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const body = picture ? form({ ...given, file: picture }) : json({ ...given, ...subject });
  return call("search", { ...body, signal }, SEARCH_MS);
}

/**
 * @param {string} collection
 * @param {{picture?: Blob, image_id?: number}} query
 * @param {number} other The id of an image.
 */
export function compare(collection, { picture, image_id }, other) {
  const body = picture
    ? form({ collection, a: picture, b_id: other })
    : json({ collection, a_id: image_id, b_id: other });
  return call("compare", body, SEARCH_MS);
}

/** @type {(collection: string, cursor: string | null) => any} */
export const duplicates = (collection, cursor) =>
  call("duplicates", json({ collection, limit: 20, ...(cursor ? { cursor } : {}) }), SEARCH_MS);

/**
 * @param {Record<string, any>} options Of `GET /images`.
 * @param {AbortSignal} [signal]
 * @returns {Promise<{images: Image[], next_cursor: string | null}>}
 */
export const images = (options, signal) => call(`images?${query(options)}`, { signal }, READ_MS);

/** @type {(id: number) => Promise<Image>} */
export const image = (id) => read(`images/${id}`);

/** @type {(id: number) => Promise<Blob>} */
export const content = (id) => call(`images/${id}/content`, {}, SEARCH_MS, false, (r) => r.blob());

/** @type {(id: number, metadata: Record<string, any>) => Promise<Image>} */
export const setMetadata = (id, metadata) =>
  call(`images/${id}`, { ...json({ metadata }), method: "PATCH" }, READ_MS);

/**
 * @param {Record<string, any>} which The body of `POST /delete`.
 * @param {boolean} [isLast] The page is being left.
 */
export const remove = (which, isLast = false) =>
  call("delete", { ...json(which), keepalive: isLast }, READ_MS);

/** @param {Record<string, any>} options */
export const count = async (options) => (await call("count", json(options), READ_MS)).count;

/**
 * @param {string} collection
 * @param {string[]} sha256
 * @returns {Promise<{known: string[], ids: Record<string, number>}>}
 */
export const known = (collection, sha256) => call("known", json({ collection, sha256 }), READ_MS);

/** @returns {Promise<{name: string, available: boolean}[]>} */
export const roots = async () => (await read("roots")).roots;

/** @type {(root: string, path: string, cursor?: string | null) => any} */
export const entries = (root, path, cursor) =>
  read(`roots/${encodeURIComponent(root)}/entries?${query({ path, cursor })}`);

/** @type {(request: Record<string, any>) => Promise<Job>} */
export const trainFolder = (request) => call("train", json(request), READ_MS);

/**
 * @param {import("./parcels.js").Picture[]} pictures
 * @param {{collection: string, batch: string}} options
 * @param {AbortSignal} signal
 * @returns {Promise<Job>}
 */
export function trainPictures(pictures, options, signal) {
  const { body } = form(options);
  for (const { file, path } of pictures) body.append("files", file, path);
  return call("train", { method: "POST", body, signal }, UPLOAD_MS);
}

/**
 * @param {Record<string, any>} options Of `GET /jobs`.
 * @returns {Promise<{jobs: Job[], next_cursor: string | null}>}
 */
export const jobs = (options) => read(`jobs?${query(options)}`);

/**
 * Jobs that are not finished.
 * @param {number} limit
 * @returns {Promise<{jobs: Job[]}>}
 */
export const openJobs = (limit) => read(`jobs?state=pending&state=in_progress&limit=${limit}`);

/** @type {(id: string) => Promise<Job>} */
export const job = (id) => read(`jobs/${encodeURIComponent(id)}`);

/**
 * @param {string} id
 * @param {string | null} cursor
 * @returns {Promise<{errors: JobError[], next_cursor: string | null}>}
 */
export const jobErrors = (id, cursor) =>
  read(`jobs/${encodeURIComponent(id)}/errors?${query({ limit: 50, cursor })}`);

/** @type {(id: string, action: "cancel" | "retry") => Promise<Job>} */
export const changeJob = (id, action) =>
  call(`jobs/${encodeURIComponent(id)}/${action}`, { method: "POST" }, READ_MS);
