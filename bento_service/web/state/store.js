/** The state of the page: plain values, changed only by reducers, with subscriptions. */

/**
 * @template State
 */
export class Store {
  /** @type {State} */
  #state;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #isAnnounced = false;

  /** @param {State} state */
  constructor(state) {
    this.#state = state;
  }

  /** The present state; nobody changes it in place. */
  get state() {
    return this.#state;
  }

  /**
   * Replace some parts of the state.
   * @param {(state: State) => Partial<State> | undefined} reducer Returns the parts that change.
   */
  change(reducer) {
    const parts = reducer(this.#state);
    if (!parts || Object.entries(parts).every(([name, value]) => this.#state[name] === value)) return;
    this.#state = { ...this.#state, ...parts };
    this.#announce();
  }

  /**
   * Call a listener after changes, many changes of one moment once.
   * @param {() => void} listener
   * @returns {() => void} Ends that.
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #announce() {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    queueMicrotask(() => {
      this.#isAnnounced = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
