/** The page: its state, its address, its views, and the parts that they share. */

import { Health } from "./service/health.js";
import * as api from "./service/api.js";
import { Watch } from "./service/watch.js";
import { Router, address, defined, isSameList, noQuery, nothing } from "./state/route.js";
import { Store } from "./state/store.js";
import { Removals } from "./state/removals.js";
import { keepSetting, setting } from "./state/settings.js";
import { reloadBroken } from "./parts/cell.js";
import { glide } from "./parts/gliding.js";
import { shell, watchDocument } from "./parts/shell.js";
import { patch } from "./view.js";
import { speak, t } from "./words/words.js";
import { Views } from "./views/views.js";

const TOAST_MS = 5_000;

export class App {
  /** @type {any} */
  #picture = null;
  #root = document.querySelector("#app");
  #focusTitle = false;
  #shownView = "";

  constructor() {
    this.router = new Router((route) => this.#follow(route));
    /** @type {Store<Record<string, any>>} */
    this.store = new Store({
      route: this.router.route,
      info: null,
      collections: null,
      runs: [],
      banner: null,
      signIn: null,
      question: null,
      toast: null,
      undo: null,
      isHelpOpen: false,
      theme: setting("theme"),
      language: setting("language"),
      size: Number(setting("size")) || 200,
      floors: {},
    });
    this.health = new Health((banner) => this.change({ banner }), () => this.reload());
    this.removals = new Removals(this);
    this.views = new Views(this);
    this.watch = new Watch((runs) => this.#followRuns(runs));
    this.store.subscribe(() => {
      this.#picture?.follow(this, this.state.route); // its query may be known only now
      this.#render();
    });
    watchDocument(this);
    api.wiring.signIn = () => this.#askForToken();
    api.wiring.onOutcome = (problem, path) => this.health.note(problem, path);
    api.wiring.onSlow = (isSlow) => this.health.noteSlow(isSlow);
  }

  get state() {
    return this.store.state;
  }

  /**
   * Change parts of the state.
   * @param {Record<string, any> | ((state: any) => Record<string, any> | undefined)} parts
   */
  change(parts) {
    this.store.change(parts instanceof Function ? parts : () => parts);
  }

  /**
   * Change parts of one value of the state.
   * @param {string} name
   * @param {Record<string, any>} parts
   */
  changeIn(name, parts) {
    this.change((state) => ({ [name]: { ...state[name], ...parts } }));
  }

  async start() {
    document.documentElement.dataset.theme = this.state.theme;
    await speak(this.state.language);
    this.#follow(this.router.route);
    this.#render();
    document.querySelector("#boot")?.remove();
    // A view that was opened before did not know the scopes of the token.
    if (await this.#load()) this.views.present?.follow(this.state.route);
  }

  /** Load what is missing, after the service was away or someone signed in; what is shown stays. */
  async reload() {
    if (!(await this.#load())) return;
    this.views.outdate();
    this.views.present?.retry();
    reloadBroken();
  }

  /** Load what all views share; return true if the service answered. */
  async #load() {
    try {
      const info = await api.info();
      this.change({ info });
      await Promise.all([this.refresh(), this.watch.resume()]);
      return true;
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      return false;
    }
  }

  /** Ask for the collections and their counts again. */
  async refresh() {
    this.change({ collections: await api.collections() });
  }

  /** The number of pictures of the collection in use; `undefined` if that is not known. */
  get count() {
    return this.state.collections?.find(({ name }) => name === this.state.route.c)?.count;
  }

  /** @param {"search" | "train"} scope */
  can(scope) {
    return this.state.info?.scopes.includes(scope) ?? false;
  }

  /**
   * The address with some parts changed; `undefined` removes a part.
   * @param {Record<string, any>} parts
   */
  to(parts) {
    return defined({ ...this.state.route, ...parts });
  }

  /** @param {Record<string, any>} parts */
  href(parts) {
    return address(this.to(parts));
  }

  /** @param {Record<string, any>} parts */
  go(parts) {
    this.router.go(this.to(parts));
  }

  /** @param {Record<string, any>} parts */
  replace(parts) {
    this.router.replace(this.to(parts));
  }

  /**
   * Search with a picture; the filter of another view stays there.
   * @param {{id?: number, q?: string, u?: string}} query
   */
  searchWith(query) {
    const former = this.state.route.view === "search" ? noQuery : nothing;
    this.go({ ...former, view: "search", ...query });
  }

  /** The address of a view with nothing but the collection. */
  plain(view) {
    return { view, c: this.state.route.c };
  }

  /** @param {string} text Show a message for a few seconds. */
  say(text) {
    const toast = { text };
    this.change({ toast });
    setTimeout(() => this.change((state) => (state.toast === toast ? { toast: null } : undefined)), TOAST_MS);
  }

  /** @param {unknown} problem Show why an action failed. */
  tell(problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    this.say(problem.message);
  }

  /**
   * Run an action; if it fails, show why and return `undefined`.
   * @template Result
   * @param {() => Promise<Result>} act
   * @returns {Promise<Result | undefined>}
   */
  async attempt(act) {
    try {
      return await act();
    } catch (problem) {
      this.tell(problem);
    }
  }

  /**
   * Ask before an action that cannot be undone.
   * @param {{title: string, text: string, action: string, typed?: string}} question `typed` is the
   *   text that people have to type.
   * @returns {Promise<boolean>}
   */
  confirm(question) {
    return new Promise((done) => {
      const answer = (isSo) => {
        this.change({ question: null });
        done(isSo);
      };
      this.change({ question: { ...question, answer } });
    });
  }

  /**
   * Remember a setting of this browser.
   * @param {"theme" | "language" | "size"} name
   * @param {string | number} value
   */
  async set(name, value) {
    keepSetting(name, value);
    if (name === "theme") document.documentElement.dataset.theme = String(value);
    if (name === "language") await speak(String(value));
    this.change({ [name]: value });
  }

  /** The ids of the pictures that the view lists, in its order. */
  list() {
    return this.views.present?.list() ?? [];
  }

  /** Show a change with a picture gliding from one place to another. */
  glide(from, change) {
    glide(from, () => {
      change();
      this.#render();
    });
  }

  /** Show the runs; load the counts again once one has ended. */
  #followRuns(runs) {
    const open = new Set(runs.filter(({ isOpen }) => isOpen).map(({ key }) => key));
    const hasEnded = this.state.runs.some(({ key, isOpen }) => isOpen && !open.has(key));
    this.change({ runs });
    if (!hasEnded) return;
    this.views.outdate();
    this.refresh().catch((problem) => this.tell(problem));
    const { route } = this.state;
    if (!this.list().length) this.views.present?.follow(route, true);
  }

  async #follow(route) {
    const isOther = !isSameList(route, this.state.route);
    this.state.question?.answer(false);
    if (route.view !== this.#shownView && this.#shownView) this.#focusTitle = route.image === undefined;
    this.change({ route });
    // Without waiting where it can be: a picture that is followed later would close its dialog.
    const part = this.views.present ?? (await this.views.open());
    if (route.image !== undefined && !this.#picture) {
      this.#picture = await this.views.load(() => import("./views/picture/picture.js"));
    }
    if (part && this.state.route === route) {
      this.views.follow(route, isOther);
      this.#picture?.follow(this, route);
      this.#render();
    }
  }

  #askForToken() {
    this.#asking ??= new Promise((done) => {
      const answer = (isSignedIn) => {
        this.#asking = null;
        this.change({ signIn: null });
        if (isSignedIn) this.watch.goOn();
        done(isSignedIn);
      };
      this.change({ signIn: { answer, problem: "" } });
    });
    return this.#asking;
  }

  /** @type {Promise<boolean> | null} */
  #asking = null;

  #render() {
    const { view } = this.state.route;
    const part = this.views.present;
    const isOpen = this.state.route.image !== undefined && this.#picture;
    const grid = document.activeElement?.closest("la-grid");
    patch(this.#root, shell(this, part?.render() ?? [], isOpen ? this.#picture.render(this) : null));
    // The pictures that take the place of the former ones take their focus too.
    if (grid && !grid.isConnected) /** @type {any} */ (document.querySelector("la-grid") ?? document.querySelector("main h1"))?.focus();
    document.title = `${t(`view.${view}`)} · Lookalike`;
    if (part) this.#shown(view);
  }

  #shown(view) {
    if (this.#focusTitle && this.#shownView !== view) {
      /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    this.#focusTitle = false;
    this.#shownView = view;
  }
}

new App().start();
