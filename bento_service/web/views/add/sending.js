/** One upload: its preview, and its sending as one run of several requests. */

import * as api from "../../service/api.js";
import { isPicture, parcels } from "../../service/parcels.js";
import { digest } from "../../service/queries.js";
import { t } from "../../words/words.js";

const TRIES = 5;
const ASKED = 1000; // digests in one call

/**
 * The preview of an upload to a collection; `done` files of `n` were examined.
 * @typedef {{collection: string, again: () => void, n: number, done: number, fresh: import("../../service/parcels.js").Picture[],
 *   known: number, none: number, large: number, unreadable: number}} Preview
 */

export class Sending {
  /** @type {{pictures: import("../../service/parcels.js").Picture[], collection: string, batch: string}[]} */
  #waiting = [];
  /** @type {AbortController | null} */
  #sending = null;
  #looking = 0;

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
    addEventListener("beforeunload", (event) => this.#sending && event.preventDefault());
  }

  /**
   * Examine files before they are sent: which are pictures, and which the collection has.
   * @param {import("../../service/parcels.js").Picture[]} files
   * @param {number} [unreadable] The number of files that could not even be opened.
   */
  async look(files, unreadable = 0) {
    if (!files.length && !unreadable) return;
    const turn = (this.#looking += 1);
    const { c: collection } = this.app.state.route;
    const limit = this.app.state.info.limits.max_upload_bytes;
    const pictures = files.filter(({ file }) => isPicture(file));
    const fit = pictures.filter(({ file }) => file.size <= limit);
    const again = () => this.look(files, unreadable);
    const counts = { collection, again, n: fit.length, known: 0, none: files.length - pictures.length, large: pictures.length - fit.length, unreadable };
    const show = (parts) => turn === this.#looking && this.#change({ preview: { ...counts, fresh: [], ...parts } });
    show({ done: 0 });
    try {
      const found = crypto.subtle
        ? await this.#unknown(fit, collection, (done) => show({ done }))
        : { fresh: fit, known: 0, unreadable: 0 };
      show({ ...found, done: fit.length, unreadable: unreadable + found.unreadable });
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      show({ done: fit.length, fresh: fit });
    }
  }

  /**
   * Examine the files of the preview again where another collection is shown.
   * @param {import("../../state/route.js").Route} route
   */
  follow({ c }) {
    const { preview } = this.app.state.add;
    if (preview && preview.collection !== c) preview.again();
  }

  /** Drop the preview. */
  forget() {
    this.#looking += 1;
    this.#change({ preview: null });
  }

  /** Send the pictures of the preview that are new, after those that wait already. */
  begin() {
    const { preview, sending } = this.app.state.add;
    const limit = this.app.state.info.limits.max_request_bytes;
    const batch = `page-${[...crypto.getRandomValues(new Uint32Array(4))].join("-")}`;
    const { collection } = preview;
    const added = parcels(preview.fresh, limit).map((pictures) => ({ pictures, collection, batch }));
    this.#waiting.push(...added);
    this.forget();
    this.#change({ sending: { done: 0, isRunning: true, ...sending, n: (sending?.n ?? 0) + preview.fresh.length } });
    this.resume();
  }

  /** Stop sending; what was sent is added. */
  stop() {
    this.#sending?.abort();
  }

  /** Drop what was not sent. */
  drop() {
    this.#waiting = [];
    this.#change({ sending: null, problem: "" });
  }

  /** Send what is left, unless that is being done. */
  async resume() {
    if (this.#sending) return;
    this.#sending = new AbortController();
    this.#change({ problem: "" });
    try {
      while (this.#waiting.length) {
        const [parcel] = this.#waiting;
        this.#progress({ isRunning: true });
        this.app.watch.add(await this.#sent(parcel, this.#sending.signal));
        this.#waiting.shift();
        this.#progress({ done: this.app.state.add.sending.done + parcel.pictures.length });
      }
      this.#change({ sending: null });
    } catch (problem) {
      const isStopped = this.#sending.signal.aborted;
      if (!isStopped && !(problem instanceof api.Problem)) throw problem;
      this.#progress({ isRunning: false });
      this.#change({ problem: isStopped ? t("run.stopped") : problem.message });
    } finally {
      this.#sending = null;
    }
  }

  /** Divide files into new, known and unreadable ones; stop early when `onDone` returns false. */
  async #unknown(files, collection, onDone) {
    const found = { fresh: [], known: 0, unreadable: 0 };
    for (let start = 0; start < files.length; start += ASKED) {
      const some = [];
      for (const [place, picture] of files.slice(start, start + ASKED).entries()) {
        const sha256 = await digest(picture.file).catch(() => null);
        if (sha256 === null) found.unreadable += 1;
        else some.push({ picture, sha256 });
        if (onDone(start + place + 1) === false) return found;
      }
      const { known } = await api.known(collection, some.map(({ sha256 }) => sha256));
      const fresh = some.filter(({ sha256 }) => !known.includes(sha256));
      found.fresh.push(...fresh.map(({ picture }) => picture));
      found.known += some.length - fresh.length;
    }
    return found;
  }

  async #sent({ pictures, collection, batch }, signal) {
    const options = { collection, batch };
    for (let tries = 1; ; tries += 1) {
      try {
        return await api.trainPictures(pictures, options, signal);
      } catch (problem) {
        if (!problem.mayPass || problem.status === 0 || tries === TRIES) throw problem;
        await new Promise((done) => setTimeout(done, problem.retryAfter * 2 ** (tries - 1) * 1000));
      }
    }
  }

  #progress(parts) {
    this.#change({ sending: { ...this.app.state.add.sending, ...parts } });
  }

  #change(parts) {
    this.app.change(({ add }) => ({ add: { ...add, ...parts } }));
  }
}
