/** The library: all pictures of a collection, to look at, filter, select, change and delete. */

import "../../parts/grid.js";
import * as api from "../../service/api.js";
import { follow, picture } from "../../parts/cell.js";
import { filterField } from "../../parts/filter_field.js";
import { icon } from "../../parts/icons.js";
import { sizeSlider } from "../search/query_bar.js";
import { nothing } from "../../state/route.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";
import { removeAll, removeChosen } from "./deleting.js";
import { bulkForm } from "./editing.js";
import { Listing } from "./listing.js";

const SORTS = ["-id", "id", "name"];

/** @param {import("../../app.js").App} app */
export function open(app) {
  const listing = new Listing(app);
  app.change({ library: listing.initial });
  return {
    follow: (route, isForced) => listing.follow(route, isForced),
    retry: () => listing.retry(),
    render: () => render(app, listing),
    list: () => listing.shown().map(({ id }) => id),
  };
}

function render(app, listing) {
  const { library, route } = app.state;
  return [
    h("section", { key: "bar", class: "view-bar" },
      h("h1", { tabindex: -1 }, library.count === null ? t("view.library") : t("library.title", { n: library.count - (library.images.length - listing.shown().length) })),
      h("label", { class: "sort" }, h("span", { class: "unseen" }, t("library.sort")),
        h("select", { ".value": route.sort ?? "-id", onchange: ({ target }) => app.go({ sort: target.value === "-id" ? undefined : target.value }) },
          SORTS.map((sort) => h("option", { key: sort, value: sort }, t(`library.sort.${sort}`))))),
      filterField({ value: route.f ?? "", keys: listing.keys(), onfilter: (f) => app.go({ f: f || undefined }) }),
      sizeSlider(app),
      h("div", { class: "space" }),
      app.can("train") && library.count > 0 && h("button", { key: "delete-all", class: "tool problem", onclick: () => removeAll(app, listing) },
        icon("trash"), h("span", null, t(route.f ? "library.delete-filtered" : "library.delete-all")))),
    library.chosen.size > 0 && chosenBar(app, listing),
    library.isEditing && bulkForm(app, listing),
    library.problem && h("div", { key: "problem", class: "problem block", role: "alert" },
      h("span", null, library.problem.message),
      library.problem.mayPass && h("button", { onclick: () => listing.retry() }, t("again"))),
    pictures(app, listing),
  ];
}

function pictures(app, listing) {
  const { library, route } = app.state;
  if (library.isDone && !listing.shown().length) {
    return h("p", { key: "empty", class: "empty" }, route.f ? t("library.empty") : t("start.empty"),
      !route.f && app.can("train") && [" ", h("a", { key: "add", href: app.href({ ...nothing, ...app.plain("add") }) }, t("view.add"))]);
  }
  return [
    library.first !== null && h("p", { key: "start", class: "go-on" }, h("button", { onclick: () => listing.follow(route, true) }, t("library.start"))),
    h("la-grid", {
      key: "grid",
      "aria-multiselectable": "true",
      ".model": {
        sections: listing.sections(),
        target: app.state.size,
        label: t("view.library"),
        cell: (item, focus, wide) => cell(app, listing, item, focus, wide),
        onopen: ({ key }) => app.go({ image: key }),
        onkey: (key, item) => pressed(app, listing, key, item),
        onend: () => listing.more(),
        onfull: () => listing.fill(),
      },
    }),
    library.isFull && h("p", { key: "go-on", class: "go-on" }, h("button", { onclick: () => listing.goOn() }, t("library.go-on"))),
  ];
}

function cell(app, listing, { key, image }, focus, wide) {
  const isChosen = app.state.library.chosen.has(key);
  return picture(app, {
    image, id: key, focus, wide, isChosen,
    label: isChosen ? `${image.name} (${t("library.selected", { n: 1 })})` : image.name,
    onclick: (event) => {
      if (event.shiftKey || app.state.library.chosen.size) {
        event.preventDefault();
        listing.choose(key, event.shiftKey);
      } else follow(event, () => app.go({ image: key }));
    },
    actions: [
      { icon: "check", label: `${t("library.select")}: ${image.name}`, act: (event) => listing.choose(key, event.shiftKey) },
      ...(app.can("search") ? [{ icon: "more", label: t("hit.more", { name: image.name }), act: () => app.searchWith({ id: key }) }] : []),
    ],
  });
}

function pressed(app, listing, key, item) {
  const { chosen } = app.state.library;
  if (key === " ") listing.choose(item.key, false);
  else if ((key === "m" || key === "M") && app.can("search")) app.searchWith({ id: item.key });
  else if (key === "Escape" && chosen.size) listing.clear();
  else if (key === "Delete" && app.can("train")) removeChosen(app, listing, chosen.size ? [...chosen] : [item.key]);
  else return false;
  return true;
}

function chosenBar(app, listing) {
  const { chosen } = app.state.library;
  return h("section", { key: "chosen", class: "chosen-bar", "aria-label": t("library.select") },
    h("p", { role: "status", class: "number" }, t("library.selected", { n: chosen.size })),
    h("button", { class: "tool", onclick: () => listing.chooseAll() }, t("library.select-all")),
    h("button", { class: "tool", onclick: () => listing.clear() }, t("library.clear")),
    h("div", { class: "space" }),
    app.can("train") && [
      h("button", { key: "edit", onclick: () => listing.edit(true) }, t("library.edit")),
      h("button", { key: "delete", class: "problem", onclick: () => removeChosen(app, listing, [...chosen]) }, icon("trash"), t("delete"))]);
}
