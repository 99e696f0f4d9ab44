/** The metadata of a picture as a form. */

import * as api from "../../service/api.js";
import { icon } from "../../parts/icons.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";

/**
 * Images by id, each as the saves under way will leave it: the next one changes that.
 * @type {Map<number, Promise<api.Image>>}
 */
const saving = new Map();

/**
 * A typed text as a value: a number, true, false or JSON where it is one, else text.
 * @param {string} text
 */
export function read(text) {
  const trimmed = text.trim();
  if (!/^(-?\d|true$|false$|null$|[[{"])/.test(trimmed)) return text;
  try {
    return JSON.parse(trimmed);
  } catch {
    return text;
  }
}

/**
 * A value as it is typed; `read` reads the same value again.
 * @param {any} value
 */
export function written(value) {
  return typeof value === "string" && read(value) === value ? value : JSON.stringify(value);
}

/**
 * @param {import("../../app.js").App} app
 * @param {api.Image} image
 * @param {(image: api.Image) => void} onchange
 */
export function metadataForm(app, image, onchange) {
  const entries = Object.entries(image.metadata);
  const mayEdit = app.can("train");
  const save = async (change) => {
    const before = saving.get(image.id) ?? Promise.resolve(image);
    const changing = before.then(({ metadata }) => app.attempt(() => api.setMetadata(image.id, change(metadata))));
    const after = changing.then((changed) => changed ?? before, () => before);
    saving.set(image.id, after);
    const changed = await changing;
    if (saving.get(image.id) === after) saving.delete(image.id);
    if (!changed) return false;
    onchange(changed);
    app.say(t("metadata.saved"));
    return true;
  };
  return h("section", { key: `metadata ${image.id}` },
    h("h3", null, t("metadata")),
    !entries.length && h("p", { key: "none", class: "hint" }, t("metadata.none")),
    h("ul", { key: "list", class: "metadata" }, entries.map(([key, value]) => entry(key, value, mayEdit, save))),
    mayEdit && added(save));
}

/** @param {Record<string, any>} own */
function withOwn(own) {
  return (metadata) => ({ ...metadata, ...own });
}

function entry(key, value, mayEdit, save) {
  if (!mayEdit) return h("li", { key }, h("span", null, key), h("span", null, written(value)));
  const without = ({ [key]: _, ...others }) => others;
  return h("li", { key },
    h("label", { for: `value-${key}` }, key),
    h("input", {
      id: `value-${key}`, ".value": written(value), "aria-label": t("metadata.value", { key }),
      onchange: ({ target }) => save(withOwn({ [key]: read(target.value) })),
    }),
    h("button", { class: "plain", "aria-label": t("metadata.remove", { key }), onclick: () => save(without) }, icon("close")));
}

function added(save) {
  const send = async (event) => {
    event.preventDefault();
    const form = event.target;
    const { key, value } = form.elements;
    if (await save(withOwn({ [key.value.trim()]: read(value.value) }))) form.reset();
  };
  return h("form", { key: "new", class: "new-entry", onsubmit: send },
    h("input", { name: "key", required: true, pattern: ".*\\S.*", "aria-label": t("metadata.new"), placeholder: t("metadata.new"), autocomplete: "off" }),
    h("input", { name: "value", required: true, "aria-label": t("metadata.new-value"), placeholder: t("metadata.new-value"), autocomplete: "off" }),
    h("button", null, t("save")));
}
