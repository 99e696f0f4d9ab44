/** The search view: the query, its results, and what can be done with them. */

import "../../parts/grid.js";
import { grouped, shownHits } from "./bands.js";
import { queryBar } from "./query_bar.js";
import { mosaic, resting } from "./resting.js";
import { Searching, hasQuery } from "./searching.js";
import { chip, inWords } from "../../parts/chip.js";
import { picture } from "../../parts/cell.js";
import { takeFrom, watchPage } from "./taking.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";

/** @param {import("../../app.js").App} app */
export function open(app) {
  const searching = new Searching(app);
  app.change({ search: searching.initial });
  watchPage(app, searching);
  return {
    follow: (route, isForced) => searching.follow(route, isForced),
    retry: () => searching.retry(),
    render: () => render(app, searching),
    list: () => (hasQuery(app.state.route) ? shownHits(app).map(({ image_id: id }) => id) : mosaic(app).shown.map(({ id }) => id)),
  };
}

function render(app, searching) {
  const { route, search } = app.state;
  const take = (files) => takeFrom(files, searching, app);
  if (!hasQuery(route)) return resting(app, searching, take);
  return [
    h("h1", { key: "title", class: "unseen", tabindex: -1 }, t("results.title")),
    queryBar(app, searching, take),
    search.problem && problem(app, searching, search.problem),
    h("p", { key: "said", class: "unseen", role: "status" }, search.isBusy ? t("searching") : said(app)),
    search.warnings.length > 0 && h("p", { key: "warning", class: "note" }, search.warnings.join(" ")),
    results(app, searching),
  ];
}

function said(app) {
  return app.state.search.isDone ? t("results", { n: shownHits(app).length }) : "";
}

function problem(app, searching, { message, mayPass }) {
  return h("div", { key: "problem", class: "problem block", role: "alert" },
    h("span", null, message),
    mayPass && h("button", { onclick: () => searching.retry() }, t("again")));
}

function results(app, searching) {
  const hits = shownHits(app);
  const { search } = app.state;
  if (search.isDone && !hits.length && !search.isBusy) {
    return h("p", { key: "none", class: "empty" }, search.hits.length ? t("results.none-above") : t("results.none"));
  }
  return h("la-grid", {
    key: "grid",
    class: search.isBusy ? "busy" : "",
    "aria-busy": search.isBusy && "true",
    ".model": {
      sections: grouped(hits),
      target: app.state.size,
      label: t("results.title"),
      cell: (item, focus, wide) => hitCell(app, item.hit, focus, wide),
      onopen: ({ hit }) => app.go({ image: hit.image_id }),
      onkey: (key, { hit }) => pressed(app, searching, key, hit),
      onend: () => searching.more(),
    },
  });
}

function hitCell(app, hit, focus, wide) {
  const floor = app.state.floors[app.state.route.c];
  const words = inWords(hit.verdict);
  const rank = hit.rank;
  return picture(app, {
    image: hit,
    id: hit.image_id,
    focus,
    wide,
    label: t("hit.label", { rank, name: hit.name, verdict: words, score: hit.score.toFixed(3) }),
    badge: h("span", { class: "badge", title: `${words} · ${hit.score.toFixed(3)}` },
      h("span", null, String(rank)), chip(hit.score, floor)),
    actions: [
      { icon: "more", label: t("hit.more", { name: hit.name }), act: (event) => more(app, hit, /** @type {Element} */ (event.target).closest(".cell")) },
    ],
  });
}

function more(app, hit, cell) {
  app.glide(cell?.querySelector("img"), () =>
    app.searchWith({ id: hit.image_id }));
}

function pressed(app, searching, key, hit) {
  if (key === "m" || key === "M") more(app, hit, document.activeElement?.closest(".cell"));
  else if (key === "Delete" && app.can("train")) app.removals.remove(app.state.route.c, [hit.image_id]);
  else return false;
  return true;
}
