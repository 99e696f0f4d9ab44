/** Follows one job by server-sent events. The browser opens a broken stream again by itself. */

import { jobEventsUrl } from "./api.js";

const GIVEN_UP_MS = 10_000;

export class JobEvents {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {string | null} */
  #id = null;
  #timer = 0;

  /** @param {(job: import("./api.js").Job) => void} onJob The job has changed. */
  constructor(onJob) {
    this.onJob = onJob;
  }

  /**
   * The job that is followed at this moment; `null` while its stream is not open.
   * @returns {string | null}
   */
  get openId() {
    return this.#source?.readyState === EventSource.OPEN ? this.#id : null;
  }

  /**
   * Follow this job instead of the one before; none at all for `null`.
   * @param {string | null} id
   */
  follow(id) {
    if (id === this.#id) return;
    this.close();
    if (id === null) return;
    this.#id = id;
    this.#source = new EventSource(jobEventsUrl(id));
    this.#source.addEventListener("job", ({ data }) => this.onJob(JSON.parse(data)));
    this.#source.addEventListener("error", () => this.#rest());
  }

  /** Follow nothing. */
  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = this.#id = null;
  }

  /** A stream that was refused is not opened again by the browser: leave it for a while. */
  #rest() {
    if (this.#source?.readyState !== EventSource.CLOSED) return;
    this.#timer = setTimeout(() => this.close(), GIVEN_UP_MS);
  }
}
