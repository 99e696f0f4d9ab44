/** Sending pictures from the browser, a parcel at a time, with a way to stop and to go on. */

import * as api from "./api.js";
import { byId, showText } from "./dom.js";
import { chosen, isPicture, parcels } from "./parcels.js";
import { counted, grouped } from "./wording.js";

const TRIES = 5;

export class Upload {
  /** @type {{pictures: import("./parcels.js").Picture[], collection: string}[]} */
  #waiting = [];
  #sent = 0;
  #leftOut = 0;
  /**
   * What the service takes, once that is known.
   * @type {import("./api.js").Limits}
   */
  limits = { max_upload_bytes: Infinity, max_request_bytes: Infinity };
  /** @type {AbortController | null} */
  #sending = null;

  /**
   * @param {object} wiring
   * @param {() => string} wiring.collection Where pictures go.
   * @param {(job: import("./api.js").Job, isFirst: boolean, moreFollow: boolean) => void}
   *   wiring.onJob
   * @param {() => void} wiring.onEnd Nothing more follows.
   */
  constructor({ collection, onJob, onEnd }) {
    this.collection = collection;
    this.onJob = onJob;
    this.onEnd = onEnd;
    for (const id of ["upload-files", "upload-folder"]) {
      byId(id).addEventListener("change", ({ target }) => {
        this.add([...target.files].map(chosen));
        target.value = ""; // so that the same choice can be made again
      });
    }
    byId("upload-stop").addEventListener("click", () => this.#sending?.abort());
    byId("upload-resume").addEventListener("click", () => this.#send());
    addEventListener("beforeunload", (event) => this.#sending && event.preventDefault());
  }

  /**
   * Send files; those that are no pictures, or too large ones, are left out.
   * @param {import("./parcels.js").Picture[]} files
   */
  add(files) {
    const limit = this.limits.max_upload_bytes;
    const pictures = files.filter(({ file }) => isPicture(file) && file.size <= limit);
    if (pictures.length === 0) {
      this.refuse(this.#refusal(files));
      return;
    }
    if (!this.#sending && !this.#waiting.length) [this.#sent, this.#leftOut] = [0, 0];
    this.#leftOut += files.length - pictures.length;
    const collection = this.collection();
    for (const parcel of parcels(pictures, this.limits.max_request_bytes)) {
      this.#waiting.push({ pictures: parcel, collection });
    }
    if (!this.#sending) this.#send();
    else this.#show();
  }

  /**
   * Say why nothing is sent.
   * @param {string} text
   */
  refuse(text) {
    this.#showProblem(text);
  }

  #refusal([first, ...others]) {
    if (first && !others.length && !isPicture(first.file)) return `${first.path} is not a picture.`;
    return `Nothing to send: ${this.#whyLeftOut()}.`;
  }

  #whyLeftOut() {
    const most = Math.floor(this.limits.max_upload_bytes / 2 ** 20);
    return `only pictures of at most ${grouped(most)} MiB are taken`;
  }

  async #send() {
    this.#sending = new AbortController();
    this.#showProblem("");
    let isFirst = this.#sent === 0;
    let failure = "";
    try {
      while (this.#waiting.length) {
        this.#show();
        const job = await this.#sendParcel(this.#waiting[0], this.#sending.signal);
        this.#sent += this.#waiting.shift().pictures.length;
        this.onJob(job, isFirst, this.#waiting.length > 0);
        isFirst = false;
      }
    } catch (problem) {
      const isStopped = this.#sending.signal.aborted;
      failure = isStopped ? "Stopped; the rest was not sent." : problem.message;
    }
    this.#sending = null;
    this.onEnd();
    this.#show();
    this.#showProblem(failure);
  }

  async #sendParcel({ pictures, collection }, signal) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await api.trainPictures(pictures, collection, signal);
      } catch (problem) {
        if (!problem.mayPass || problem.status === 0 || tries === TRIES) throw problem;
        await pause(problem.retryAfter * 2 ** (tries - 1), signal);
      }
    }
  }

  #left() {
    return this.#waiting.reduce((total, { pictures }) => total + pictures.length, 0);
  }

  #show() {
    const total = this.#sent + this.#left();
    byId("upload").hidden = false;
    byId("upload-bar").max = total;
    byId("upload-bar").value = this.#sent;
    byId("upload-stop").hidden = !this.#sending;
    const sent = this.#left() ? `${grouped(this.#sent)} of ${counted(total)}` : counted(total);
    byId("upload-state").textContent = `Sent ${sent}.${this.#noteLeftOut()}`;
  }

  #noteLeftOut() {
    if (!this.#leftOut) return "";
    return ` Left out ${counted(this.#leftOut, "file")}: ${this.#whyLeftOut()}.`;
  }

  #showProblem(text) {
    showText(byId("upload-problem-text"), text);
    byId("upload-problem").hidden = text === "";
    byId("upload-resume").hidden = !this.#waiting.length || this.#sending !== null;
    byId("upload-resume").textContent = `Send the other ${grouped(this.#left())}`;
  }
}

function pause(seconds, signal) {
  return new Promise((done, fail) => {
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    setTimeout(done, seconds * 1000);
  });
}
