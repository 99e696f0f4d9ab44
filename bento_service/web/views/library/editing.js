/** Setting metadata of several pictures at once. */

import * as api from "../../service/api.js";
import { modal } from "../../parts/dialogs.js";
import { read } from "../picture/metadata.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";

const AT_ONCE = 4;
const NONE = { isBusy: false, problem: "" };

/**
 * @param {import("../../app.js").App} app
 * @param {import("./listing.js").Listing} listing
 */
export function bulkForm(app, listing) {
  const ids = [...app.state.library.chosen];
  const { isBusy, problem } = app.state.editing ?? NONE;
  const leave = () => {
    app.change({ editing: NONE });
    listing.edit(false);
  };
  const send = (event) => {
    event.preventDefault();
    const { key, value } = event.target.elements;
    if (!isBusy) change(app, listing, ids, { [key.value.trim()]: read(value.value) });
  };
  return h("div", { key: "edit", class: "layer" }, modal({ label: t("library.edit"), class: "small", onleave: leave },
    h("form", { onsubmit: send },
      h("h2", null, t("library.edit")),
      h("p", null, t("library.edit.text", { n: ids.length })),
      h("label", { for: "bulk-key" }, t("metadata.key")),
      h("input", { id: "bulk-key", name: "key", required: true, pattern: ".*\\S.*", autocomplete: "off", autofocus: true }),
      h("label", { for: "bulk-value" }, t("metadata.new-value")),
      h("input", { id: "bulk-value", name: "value", required: true, autocomplete: "off" }),
      problem && h("p", { key: "problem", class: "problem", role: "alert" }, problem),
      h("div", { key: "buttons", class: "buttons" },
        h("button", { type: "button", class: "plain", onclick: leave }, t("cancel")),
        h("button", { class: "primary" }, t("save"))))));
}

async function change(app, listing, ids, values) {
  app.change({ editing: { isBusy: true, problem: "" } });
  const waiting = [...ids];
  const changed = [];
  const work = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const { metadata } = await api.image(id);
      changed.push(await api.setMetadata(id, { ...metadata, ...values }));
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    app.change({ editing: NONE });
    app.say(t("library.edited", { n: changed.length }));
    listing.clear();
  } catch (problem) {
    if (!app.state.library.isEditing) app.tell(problem);
    app.change({ editing: { isBusy: false, problem: problem.message } });
  }
  listing.renew(changed);
}
