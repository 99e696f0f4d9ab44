/** The frame of every view: top bar, banner, tabs, and the dialogs over it. */

import { nothing } from "../state/route.js";
import { h } from "../view.js";
import { number, percent, t } from "../words/words.js";
import { icon } from "./icons.js";
import { collectionMenu, settingsMenu } from "./menus.js";
import { helpDialog, questionDialog, signInDialog, toasts } from "./dialogs.js";

const VIEWS = ["search", "library", "duplicates", "add"];

/**
 * @param {import("../app.js").App} app
 * @param {any[]} view The view's own parts.
 * @param {any} picture The dialog of a picture, or nothing.
 */
export function shell(app, view, picture) {
  const { state } = app;
  return [
    h("a", { key: "skip", class: "skip", href: "#main", onclick: skip }, t("skip")),
    h("header", { key: "top", class: "top" },
      h("a", { class: "mark", href: app.href({ ...nothing, ...app.plain("search") }), "aria-label": t("home") }, mark()),
      collectionMenu(app),
      h("nav", { class: "views", "aria-label": t("views") }, VIEWS.filter((name) => mayOpen(app, name)).map((name) => link(app, name))),
      h("div", { class: "space" }),
      work(app),
      settingsMenu(app)),
    h("div", { key: "banner", class: "banners", role: "status" }, banner(app)),
    h("main", { key: "main", id: "main", class: `view-${state.route.view}`, tabindex: -1 }, view),
    h("div", { key: "toast", class: "toasts", role: "status" }, !picture && toasts(state)),
    picture && h("div", { key: "picture", class: "layer" }, picture),
    state.question && h("div", { key: "question", class: "layer" }, questionDialog(state.question)),
    state.isHelpOpen && h("div", { key: "help", class: "layer" }, helpDialog(() => app.change({ isHelpOpen: false }))),
    state.signIn && h("div", { key: "sign-in", class: "layer" }, signInDialog(app)),
  ];
}

/**
 * Keep focused elements in view, and show the keys where somebody asks for them.
 * @param {import("../app.js").App} app
 */
export function watchDocument(app) {
  // Browsers leave a focused element as it is if a part of it is in view.
  document.addEventListener("focusin", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest(".strip, .modes")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.key !== "?" || target.closest("input, textarea, select, dialog")) return;
    app.change({ isHelpOpen: true });
  });
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function mark() {
  const square = { width: 14, height: 14, rx: 3 };
  return h("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" },
    h("rect", { class: "yours", x: 2, y: 2, ...square }),
    h("rect", { class: "match", x: 8, y: 8, ...square }));
}

function mayOpen(app, view) {
  if (view === "add") return app.can("train");
  return view !== "search" && view !== "duplicates" ? true : app.state.info === null || app.can("search");
}

function link(app, view) {
  const isHere = app.state.route.view === view;
  const target = { ...nothing, ...app.plain(view) };
  return h("a", { key: view, href: app.href(target), "aria-current": isHere && "page" },
    icon(view), h("span", null, t(`view.${view}`)));
}

function work(app) {
  const run = app.state.runs.find(({ isOpen }) => isOpen);
  if (!run || app.state.route.view === "add") return null;
  const share = run.total ? Math.min(1, run.done / run.total) : 0;
  return h("a", { class: "work", href: app.href({ ...nothing, ...app.plain("add") }) },
    h("progress", { max: 1, value: share, "aria-label": t("work.running") }),
    h("span", null, run.total ? percent(share) : t("work.starting")));
}

function banner(app) {
  const { banner } = app.state;
  if (!banner) return null;
  const { kind, seconds } = banner;
  const act = kind === "module"
    ? h("button", { onclick: () => location.reload() }, t("reload"))
    : ["away", "offline"].includes(kind) && h("button", { onclick: () => app.health.tryNow() }, t("banner.now"));
  return h("div", { key: kind, class: `banner ${kind}` },
    h("span", null, t(`banner.${kind}`)),
    // Read out once, and not every second.
    seconds !== undefined && h("span", { "aria-hidden": "true" }, t("banner.seconds", { seconds: number(seconds) })),
    act);
}
