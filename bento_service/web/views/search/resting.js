/** The search view without a query: ways to begin, and some of the collection's pictures. */

import { follow, picture } from "../../parts/cell.js";
import { icon } from "../../parts/icons.js";
import { memo } from "../../state/memo.js";
import { nothing } from "../../state/route.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";

const NONE = [];

/**
 * @param {import("../../app.js").App} app
 * @param {import("./searching.js").Searching} searching
 * @param {(files: File[]) => void} take
 */
export function resting(app, searching, take) {
  const { search, route } = app.state;
  const { shown, sections } = mosaic(app);
  const isEmpty = search.mosaic?.c === route.c && !shown.length && !app.count;
  return [
    h("section", { key: "start", class: "start" },
      h("h1", { tabindex: -1 }, isEmpty ? t("start.empty") : t("start")),
      isEmpty && app.can("train")
        ? h("a", { class: "button primary", href: app.href({ ...nothing, ...app.plain("add") }) }, icon("add"), t("view.add"))
        : h("div", { class: "ways" }, chooser(take, "button primary"), camera(take), byAddress(app, searching))),
    search.problem && h("div", { key: "problem", class: "problem block", role: "alert" }, search.problem.message),
    !isEmpty && h("la-grid", {
      key: "mosaic",
      ".model": {
        sections,
        target: app.state.size,
        label: t("start.mosaic"),
        cell: (item, focus, wide) => picture(app, {
          image: item.image, id: item.key, focus, wide, label: t("start.with", { name: item.image.name }),
          href: app.href({ id: item.key }),
          onclick: (event) => follow(event, () => start(app, item.key, event.currentTarget)),
        }),
        onopen: (item) => start(app, item.key, document.activeElement),
      },
    }),
  ];
}

function start(app, id, link) {
  app.glide(link?.querySelector("img"), () => app.go({ id }));
}

/**
 * The pictures to start with that are not deleted, also as sections of a grid.
 * @param {import("../../app.js").App} app
 */
export function mosaic(app) {
  const { search, route, removals } = app.state;
  return inOneSection(search.mosaic?.c === route.c ? search.mosaic.images : NONE, app.removals, removals);
}

const inOneSection = memo((images, removals, _number) => {
  const shown = images.filter(({ id }) => !removals.has(id));
  const items = shown.map((image) => ({ key: image.id, width: image.width, height: image.height, image }));
  return { shown, sections: [{ title: null, items }] };
});

/**
 * A button that chooses a picture of this computer.
 * @param {(files: File[]) => void} take
 * @param {string} look
 */
export function chooser(take, look) {
  return h("label", { key: "choose", class: look },
    h("input", { type: "file", accept: "image/*", class: "unseen", onchange: chosen(take) }),
    icon("image"), h("span", null, t("choose")));
}

function camera(take) {
  return h("label", { key: "camera", class: "button for-touch" },
    h("input", { type: "file", accept: "image/*", capture: "environment", class: "unseen", onchange: chosen(take) }),
    icon("camera"), h("span", null, t("camera")));
}

function chosen(take) {
  return ({ target }) => {
    take([...target.files]);
    target.value = ""; // so that the same file can be chosen again
  };
}

function byAddress(app, searching) {
  if (!app.state.info?.urls) return null;
  const send = (event) => {
    event.preventDefault();
    searching.takeUrl(event.target.elements.url.value.trim());
  };
  return h("form", { key: "address", class: "by-address", onsubmit: send },
    h("label", { class: "unseen", for: "url" }, t("address")),
    h("input", { id: "url", name: "url", type: "url", required: true, placeholder: "https://", pattern: "https?://.+" }),
    h("button", null, t("view.search")));
}
