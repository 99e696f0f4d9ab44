/**
 * The state of the service and of the connection, for the banner, and retries after a failure.
 *
 * @typedef {{kind: "offline" | "away" | "index" | "slow" | "module", seconds?: number}} Banner
 */

import * as api from "./api.js";
import { LATE } from "./call.js";

const WAITS = [2, 4, 8, 15, 30];

export class Health {
  #tries = 0;
  #timer = 0;

  /**
   * @param {(banner: Banner | null) => void} onBanner
   * @param {() => void} onBack The service answers again.
   */
  constructor(onBanner, onBack) {
    this.onBanner = onBanner;
    this.onBack = onBack;
    /** @type {Banner | null} */
    this.banner = null;
    addEventListener("offline", () => this.#set({ kind: "offline" }));
    addEventListener("online", () => this.tryNow());
  }

  /**
   * Only information about the service is always answered soon: other calls may be late without
   * the service being away.
   * @param {api.Problem | null} problem The outcome of a call.
   * @param {string} path What was called.
   */
  note(problem, path) {
    if (problem === null || problem.status >= 400) this.#isAnswered(problem, path);
    else if (problem.status === 0 && !this.#timer && (problem.code !== LATE || path === "info")) this.#wait();
  }

  /** @param {boolean} isSlow */
  noteSlow(isSlow) {
    if (isSlow && !this.banner) this.#set({ kind: "slow" });
    else if (!isSlow && this.banner?.kind === "slow") this.#set(null);
  }

  /** Show that a part of the page did not load. */
  noteModule() {
    this.#set({ kind: "module" });
  }

  /** Ask the service now. */
  tryNow() {
    clearInterval(this.#timer);
    this.#timer = 0;
    api.info().catch(() => {});
  }

  #isAnswered(problem, path) {
    const isGateway = [502, 504].includes(problem?.status);
    const isIndex = problem?.code === "index_unavailable";
    if (isGateway || problem?.code === "not_ready") {
      if (!this.#timer) this.#wait();
      return;
    }
    const wasAway = ["away", "offline"].includes(this.banner?.kind);
    clearInterval(this.#timer);
    this.#timer = this.#tries = 0;
    if (isIndex) this.#set({ kind: "index" });
    else if (wasAway) this.#set(null);
    else if (this.banner?.kind === "index" && problem === null && path === "search") this.#set(null);
    if (wasAway) this.onBack();
  }

  #wait() {
    let seconds = WAITS[Math.min(this.#tries, WAITS.length - 1)];
    this.#tries += 1;
    const tell = () => this.#set({ kind: navigator.onLine ? "away" : "offline", seconds });
    tell();
    this.#timer = setInterval(() => {
      seconds -= 1;
      if (seconds <= 0) this.tryNow();
      else tell();
    }, 1000);
  }

  #set(banner) {
    if (banner === this.banner) return;
    this.banner = banner;
    this.onBanner(banner);
  }
}
