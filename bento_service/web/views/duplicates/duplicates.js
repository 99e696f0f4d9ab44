/** Groups of pictures that are the same or nearly so, with the best of each kept. */

import * as api from "../../service/api.js";
import { inWords } from "../../parts/chip.js";
import { h } from "../../view.js";
import { shortened, size, t } from "../../words/words.js";
import { flipDialog } from "./flip.js";
import { Groups, dropped } from "./groups.js";

/** @param {import("../../app.js").App} app */
export function open(app) {
  const groups = new Groups(app);
  app.change({ duplicates: groups.initial });
  return {
    follow: (route, isForced) => groups.follow(route, isForced),
    retry: () => app.state.duplicates.problem && groups.more(),
    render: () => render(app, groups),
    list: () => groups.shown().flatMap(({ images }) => images.map(({ id }) => id)),
  };
}

function render(app, groups) {
  const { duplicates } = app.state;
  const shown = groups.shown();
  const isNone = !shown.length && duplicates.isWhole && !duplicates.problem;
  return [
    h("section", { key: "bar", class: "view-bar" },
      h("h1", { tabindex: -1 }, t("view.duplicates")),
      h("p", { class: "hint wide" }, isNone ? "" : t("duplicates.hint")),
      h("div", { class: "space" }),
      app.can("train") && shown.length > 0 && h("button", { key: "apply", class: "primary", onclick: () => apply(app, groups) },
        t("duplicates.apply", { n: shown.length }))),
    duplicates.problem && h("div", { key: "problem", class: "problem block", role: "alert" }, h("span", null, duplicates.problem.message),
      h("button", { onclick: () => groups.more() }, t("again"))),
    isNone && h("p", { key: "none", class: "empty" }, t("duplicates.none")),
    h("ol", { key: "groups", class: "groups" }, shown.map((group) => groupOf(app, groups, group))),
    h("p", { key: "state", class: "go-on", role: "status" }, duplicates.isBusy ? t("duplicates.searching", { n: duplicates.examined }) : ""),
    !duplicates.isBusy && !duplicates.isWhole && h("p", { key: "more", class: "go-on" }, h("button", { onclick: () => groups.more() }, t("duplicates.more"))),
    duplicates.flipped && h("div", { key: "flip", class: "layer" }, flipDialog(app, groups)),
  ];
}

function groupOf(app, groups, group) {
  const { kept } = app.state.duplicates;
  return h("li", { key: group.key, class: "group" },
    h("h2", null, t("duplicates.group", { verdict: inWords(group.verdict), n: group.images.length })),
    !group.is_whole && h("p", { class: "hint" }, t("duplicates.incomplete")),
    h("ul", { class: "members", onkeydown: (event) => pressed(groups, group, event) }, group.images.map((image) => member(app, groups, group, image, kept.has(image.id)))),
    h("div", { class: "buttons left" },
      h("button", { onclick: () => groups.flip(group.key) }, t("duplicates.flip")),
      app.can("train") && h("button", { onclick: () => groups.skip(group) }, t("duplicates.skip"))));
}

function member(app, groups, group, image, isKept) {
  return h("li", { key: image.id, class: isKept ? "member kept" : "member" },
    h("a", { href: app.href({ image: image.id }), class: "member-picture", "data-id": image.id, "aria-label": image.name },
      h("img", { src: api.thumbnail(image, 240), alt: "", width: image.width, height: image.height })),
    h("p", { title: image.source }, shortened(image.name, 24)),
    h("p", { class: "hint" }, `${image.width} × ${image.height} · ${size(image.bytes)}`),
    app.can("train") && h("label", { class: "keep" },
      h("input", { type: "checkbox", ".checked": isKept, "aria-label": t("duplicates.keep", { name: image.name }), onchange: () => groups.keep(group, image.id) }),
      h("span", null, t("duplicates.kept"))));
}

function pressed(groups, group, event) {
  if (event.key !== " " || !event.target.matches("a")) return;
  event.preventDefault();
  groups.flip(group.key);
}

async function apply(app, groups) {
  const shown = groups.shown();
  const ids = shown.flatMap((group) => dropped(group, app.state.duplicates.kept));
  const isSure = ids.length && (await app.confirm({
    title: t("duplicates.apply", { n: shown.length }),
    text: t("duplicates.apply.text", { n: ids.length }),
    action: t("delete"),
    typed: String(ids.length),
  }));
  if (!isSure) return;
  groups.settle(shown);
  app.removals.remove(app.state.route.c, ids);
}
