/** Two pictures in one place: a key flips between them. */

import * as api from "../../service/api.js";
import { closeButton, modal } from "../../parts/dialogs.js";
import { h } from "../../view.js";
import { size, t } from "../../words/words.js";

/**
 * @param {import("../../app.js").App} app
 * @param {import("./groups.js").Groups} groups
 */
export function flipDialog(app, groups) {
  const { duplicates } = app.state;
  const group = groups.shown().find(({ key }) => key === duplicates.flipped);
  if (!group) return null;
  const place = duplicates.place % group.images.length;
  const image = group.images[place];
  const show = (number) => app.changeIn("duplicates", { place: (number + group.images.length) % group.images.length });
  const leave = () => groups.flip(null);
  const isKept = duplicates.kept.has(image.id);
  const pressed = (event) => {
    if (event.target.matches("input")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1, " ": 1 }[event.key];
    if (by && !(event.key === " " && event.target.matches("button"))) {
      event.preventDefault();
      show(place + by);
    } else if (event.key === "k" || event.key === "K") groups.keep(group, image.id);
  };
  return modal({ label: t("duplicates.flipping"), class: "picture-dialog", onleave: leave, onkeydown: pressed },
    h("header", { key: "head", class: "picture-head" },
      h("h2", { "aria-live": "polite" }, `${place + 1}/${group.images.length} · ${image.name}`), closeButton(leave)),
    h("div", { key: "stage", class: "stage" },
      h("div", { class: "flip" }, group.images.map((one) => h("img", {
        key: one.id, src: api.thumbnail(one, 1024), alt: one.id === image.id ? one.name : "", class: one.id === image.id ? "" : "unseen-picture",
      }))),
      h("div", { class: "buttons" },
        h("p", { class: "hint" }, `${image.width} × ${image.height} · ${size(image.bytes)} · ${image.source}`),
        h("button", { class: "primary", autofocus: true, onclick: () => show(place + 1) }, t("duplicates.flip")),
        app.can("train") && h("label", { class: "keep" },
          h("input", { type: "checkbox", ".checked": isKept, onchange: () => groups.keep(group, image.id) }), h("span", null, t("duplicates.kept"))))));
}
