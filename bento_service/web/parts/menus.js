/** The menus of the top bar: collections and settings. */

import * as api from "../service/api.js";
import { h } from "../view.js";
import { LANGUAGES, number, t } from "../words/words.js";
import { nothing } from "../state/route.js";
import { icon } from "./icons.js";

const THEMES = ["", "light", "dark"];

/** Close a menu. */
export function close(id) {
  /** @type {any} */ (document.querySelector(`#${id}`))?.hidePopover();
}

/** @param {import("../app.js").App} app */
export function collectionMenu(app) {
  const { collections, route } = app.state;
  const count = app.count;
  return [
    h("button", { key: "collection", class: "menu-button collection", popovertarget: "collections" },
      h("span", { class: "unseen" }, t("collection")),
      h("span", { class: "name" }, route.c),
      count !== undefined && h("span", { class: "count" }, number(count)),
      icon("down")),
    h("div", { key: "collections", id: "collections", class: "menu", popover: "auto" },
      h("ul", { "aria-label": t("collections") }, (collections ?? []).map((one) => entry(app, one))),
      app.can("train") && create(app)),
  ];
}

function entry(app, { name, count }) {
  const isHere = name === app.state.route.c;
  const target = { view: app.state.route.view, c: name };
  return h("li", { key: name },
    h("a", { href: app.href({ ...nothing, ...target }), "aria-current": isHere && "true", onclick: () => close("collections") },
      h("span", { class: "name" }, name), h("span", { class: "count" }, number(count))),
    name !== "default" && app.can("train") && h("button", {
      class: "plain", "aria-label": t("collection.delete", { name }), onclick: () => remove(app, name, count),
    }, icon("trash")));
}


function create(app) {
  return h("form", { class: "create", onsubmit: (event) => send(app, event) },
    h("label", { class: "unseen", for: "new-collection" }, t("collection.name")),
    h("input", { id: "new-collection", name: "name", required: true, maxlength: 128, autocomplete: "off", placeholder: t("collection.name") }),
    h("button", null, t("collection.create")));
}

async function send(app, event) {
  event.preventDefault();
  const form = event.target;
  const name = form.elements.name.value.trim();
  await app.attempt(async () => {
    await api.createCollection(name);
    await app.refresh();
    form.reset();
    close("collections");
    app.go({ ...nothing, view: "add", c: name });
  });
}

async function remove(app, name, count) {
  close("collections");
  const isSure = await app.confirm({
    title: t("collection.delete", { name }),
    text: t("collection.delete.text", { n: count }),
    action: t("delete"),
    typed: count ? name : undefined,
  });
  if (!isSure) return;
  await app.attempt(async () => {
    await api.deleteCollection(name);
    app.views.outdate();
    if (app.state.route.c === name) app.go({ ...nothing, view: "search", c: "default" });
    await app.refresh();
  });
}

/** @param {import("../app.js").App} app */
export function settingsMenu(app) {
  const { theme, language } = app.state;
  return [
    h("button", { key: "settings", class: "menu-button", popovertarget: "settings", "aria-label": t("settings") }, icon("settings")),
    h("div", { key: "settings-menu", id: "settings", class: "menu right", popover: "auto" },
      h("fieldset", null,
        h("legend", null, t("theme")),
        h("div", { class: "choice" }, THEMES.map((value) => radio("theme", value, t(`theme.${value || "system"}`), value === theme, app)))),
      h("fieldset", null,
        h("legend", null, t("language")),
        h("div", { class: "choice" }, Object.entries(LANGUAGES).map(([value, text]) =>
          radio("language", value, text, value === (language || document.documentElement.lang), app, value)))),
      h("button", { class: "wide", onclick: () => (close("settings"), app.change({ isHelpOpen: true })) }, t("keys")),
      h("button", { class: "wide", onclick: () => signIn(app) }, t("token.change")),
      h("p", { class: "hint" }, `Lookalike ${app.state.info?.version ?? ""}`)),
  ];
}

function radio(name, value, text, isChosen, app, lang) {
  return h("label", { key: value || "system", lang },
    h("input", { type: "radio", name, value, ".checked": isChosen, onchange: () => app.set(name, value) }),
    h("span", null, text));
}

async function signIn(app) {
  close("settings");
  if (await api.wiring.signIn()) await app.reload();
}
