/** The page's two views. The address says which one is shown, so that Back works. */

import { byId } from "./dom.js";

const TITLES = { search: "Lookalike", add: "Add pictures – Lookalike" };

/** @returns {"search" | "add"} */
export function currentView() {
  return location.hash === "#add" ? "add" : "search";
}

/** @param {"search" | "add"} name */
export function goTo(name) {
  if (currentView() !== name) location.hash = name;
  show();
}

/** Follow the address from now on. */
export function installViews() {
  addEventListener("hashchange", () => {
    show();
    scrollTo({ top: 0 });
    // Who came by the bar stays there; what else had the focus has gone with its view.
    if (!document.activeElement?.closest(".top")) byId(`${currentView()}-title`).focus();
  });
  show();
}

function show() {
  const shown = currentView();
  for (const name of Object.keys(TITLES)) byId(`view-${name}`).hidden = name !== shown;
  document.title = TITLES[shown];
  for (const link of document.querySelectorAll(".views a")) {
    if (link.getAttribute("href") === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
