/**
 * Calls to the service. Every failure becomes a `Problem` with a text for people; no call waits
 * forever. URLs are relative to the page, so that it works below a proxy's path prefix.
 */

import { sentence, t } from "../words/words.js";

export const READ_MS = 30_000;
export const SEARCH_MS = 120_000;
export const UPLOAD_MS = 600_000;
const SLOW_MS = 4_000;
/** The code of a call that was not answered within its limit. */
export const LATE = "late";
const PASSING = [429, 502, 503, 504];

/** A call that did not work. */
export class Problem extends Error {
  /**
   * @param {string} detail What is wrong and what to do, for people.
   * @param {number} status The HTTP status; 0 where no answer came.
   * @param {string} [code] The code of the contract, or `LATE`.
   * @param {number} [retryAfter] Seconds that the service asks to wait.
   */
  constructor(detail, status, code = "", retryAfter = 1) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** True if the same call may work later. */
  get mayPass() {
    return this.status === 0 || PASSING.includes(this.status);
  }
}

/** The page's reactions to calls; the page sets them. */
export const wiring = {
  /** @type {() => Promise<boolean>} Ask for a token; false if nobody signed in. */
  signIn: async () => false,
  /** @type {(problem: Problem | null, path: string) => void} A call has failed, or worked. */
  onOutcome: () => {},
  /** @type {(isSlow: boolean) => void} */
  onSlow: () => {},
};

export function read(path) {
  return call(path, {}, READ_MS);
}

export function query(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

export function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    body.append(name, value instanceof Blob ? value : String(value));
  }
  return { method: "POST", body };
}

export function json(body) {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
}

export async function call(path, request, limitMs, isSession = false, read = (r) => r.text()) {
  try {
    const body = await once(path, request, limitMs, read);
    wiring.onOutcome(null, path);
    return body;
  } catch (problem) {
    if (problem instanceof Problem) {
      if (problem.status === 401 && !isSession && (await wiring.signIn())) {
        return call(path, request, limitMs, true, read);
      }
      wiring.onOutcome(problem, path);
    }
    throw problem;
  }
}

async function once(path, request, limitMs, read) {
  const signals = /** @type {any} */ (AbortSignal); // the types of older compilers lack its functions
  const limit = signals.timeout(limitMs);
  const signal = request.signal ? signals.any([request.signal, limit]) : limit;
  const slow = setTimeout(() => wiring.onSlow(true), request.body instanceof FormData ? limitMs : SLOW_MS);
  let response, body;
  try {
    response = await fetch(`api/v2/${path}`, { ...request, signal });
    body = await (response.ok ? read(response) : response.text());
  } catch (error) {
    if (request.signal?.aborted) throw error; // the caller's own wish, not a failure
    if (limit.aborted) throw new Problem(t("problem.late", { n: limitMs / 1000 }), 0, LATE);
    throw new Problem(t("problem.away"), 0);
  } finally {
    clearTimeout(slow);
    wiring.onSlow(false);
  }
  if (!response.ok) throw refused(response, body);
  if (typeof body !== "string") return body;
  if (response.status === 204) return undefined;
  const value = parsed(body);
  if (value === undefined) throw new Problem(unexpected(response), response.status);
  return value;
}

function refused(response, body) {
  const { detail, code } = parsed(body) ?? {};
  const text = typeof detail === "string" && detail ? sentence(detail) : unexpected(response);
  const wait = Number(response.headers.get("Retry-After")) || 1;
  return new Problem(text, response.status, code, wait);
}

function unexpected(response) {
  return t("problem.unexpected", { status: String(response.status) });
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
