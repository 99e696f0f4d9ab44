/** A picture that glides from one place to another, by a view transition. */

/** Name the picture of the query for a transition; an empty name takes the former one away. */
function nameQuery(name) {
  /** @type {HTMLElement | null} */
  const picture = document.querySelector(".query-picture img");
  picture?.style.setProperty("view-transition-name", name);
}

/**
 * Show a change with a picture gliding into the bar of the query, where people want motion.
 * @param {HTMLElement | null | undefined} from
 * @param {() => void} change
 */
export function glide(from, change) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const page = /** @type {any} */ (document); // the types of older compilers lack transitions
  if (isCalm || !page.startViewTransition || !from) return change();
  /** @type {any} */ (from.style).viewTransitionName = "chosen";
  const transition = page.startViewTransition(() => {
    /** @type {any} */ (from.style).viewTransitionName = "";
    change();
    nameQuery("chosen");
  });
  transition.finished.finally(() => nameQuery(""));
}
