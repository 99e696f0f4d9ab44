/** The bar of a search: its picture, the number of results, and how they are narrowed. */

import "../../parts/cropper.js";
import { filterField } from "../../parts/filter_field.js";
import { histogram } from "../../parts/histogram.js";
import { icon } from "../../parts/icons.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";
import { shownHits } from "./bands.js";
import { exported } from "./exporting.js";
import { chooser } from "./resting.js";

/**
 * @param {import("../../app.js").App} app
 * @param {import("./searching.js").Searching} searching
 * @param {(files: File[]) => void} take
 */
export function queryBar(app, searching, take) {
  const { search } = app.state;
  const { query, isCropping } = search;
  return [
    h("section", { key: "bar", class: "query-bar", "aria-label": t("query") },
      h("div", { class: "query-picture" },
        query?.src
          ? h("img", { key: query.src, src: query.src, alt: t("query.alt", { name: query.name }) })
          : h("span", { class: "blank" })),
      canCrop(query) && h("button", { key: "crop", class: "tool", "aria-expanded": String(isCropping), "aria-pressed": String(Boolean(app.state.route.r)), onclick: () => toggleCrop(app) },
        icon("crop"), h("span", null, t("crop"))),
      chooser(take, "tool button"),
      h("p", { key: "number", class: "number" }, counted(app)),
      h("div", { class: "space" }),
      h("button", { key: "refine-button", class: "tool refine-button", popovertarget: "refine" }, icon("filter"), h("span", null, t("refine"))),
      h("div", { key: "refine", id: "refine", class: "refine menu right", popover: "auto" }, refine(app, searching))),
    isCropping && canCrop(query) && cropPanel(app, query),
  ];
}

function canCrop(query) {
  return query?.src && query.width > 0;
}

function counted(app) {
  const { search } = app.state;
  if (!search.isDone) return search.isBusy ? t("searching") : "";
  const n = shownHits(app).length;
  const isOpen = !search.isWhole && n === search.hits.length;
  return t(isOpen ? "results.more" : "results", { n });
}

function refine(app, searching) {
  const { route, search } = app.state;
  return [
    histogram({
      scores: search.hits.map(({ score }) => score),
      least: route.min,
      onleast: (min) => app.replace({ min }),
    }),
    sizeSlider(app),
    filterField({
      value: route.f ?? "",
      keys: [...new Set(search.hits.flatMap(({ metadata }) => Object.keys(metadata)))],
      onfilter: (f) => app.go({ f: f || undefined }),
    }),
    h("div", { key: "export", class: "export" },
      h("span", { class: "unseen" }, t("export")),
      EXPORTS.map((kind) => h("button", {
        key: kind, class: "tool", title: t("export.as", { kind: kind.toUpperCase() }), onclick: () => exported(kind, shownHits(app), app.state.route.c),
      }, icon("export"), h("span", null, kind.toUpperCase())))),
  ];
}

/** @type {("json" | "csv")[]} */
const EXPORTS = ["json", "csv"];

/** @param {import("../../app.js").App} app */
export function sizeSlider(app) {
  return h("label", { key: "size", class: "size" },
    h("span", { class: "unseen" }, t("size")),
    h("svg", { class: "icon small", viewBox: "0 0 24 24", "aria-hidden": "true" }, h("rect", { x: 8, y: 8, width: 8, height: 8 })),
    h("input", { type: "range", min: 100, max: 400, step: 20, ".value": String(app.state.size), oninput: ({ target }) => app.set("size", Number(target.value)) }),
    h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, h("rect", { x: 4, y: 4, width: 16, height: 16 })));
}

function toggleCrop(app) {
  app.changeIn("search", { isCropping: !app.state.search.isCropping });
}

function cropPanel(app, query) {
  const { r } = app.state.route;
  return h("section", { key: "crop", class: "crop", "aria-label": t("crop") },
    h("la-cropper", {
      ".model": {
        src: query.src, width: query.width, height: query.height, region: r,
        onregion: (region) => (r ? app.replace({ r: region }) : app.go({ r: region })),
      },
    }),
    h("div", { class: "buttons" },
      h("p", { class: "hint" }, t("crop.hint")),
      r && h("button", { key: "whole", onclick: () => app.go({ r: undefined }) }, t("crop.whole")),
      h("button", { key: "done", class: "primary", onclick: () => toggleCrop(app) }, t("done"))));
}
