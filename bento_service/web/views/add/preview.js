/** The preview of an upload, and the progress of sending it. */

import { h } from "../../view.js";
import { t } from "../../words/words.js";

/**
 * @param {import("../../app.js").App} app
 * @param {import("./sending.js").Sending} sending
 */
export function preview(app, sending) {
  const { preview: shown, sending: progress } = app.state.add;
  return [
    progress && h("div", { key: "sending", class: "preview", role: "group", "aria-label": t("run.sending", progress) },
      h("progress", { max: progress.n, value: progress.done, "aria-hidden": "true" }),
      h("p", null, t("run.sending", progress)),
      progress.isRunning
        ? h("button", { key: "stop", onclick: () => sending.stop() }, t("run.stop"))
        : h("div", { key: "stopped", class: "buttons left" },
          h("button", { class: "primary", onclick: () => sending.resume() }, t("run.resume", { n: progress.n - progress.done })),
          h("button", { onclick: () => sending.drop() }, t("cancel")))),
    shown && files(app, shown, sending),
  ];
}

function files(app, { n, done, fresh, known, none, large, unreadable }, sending) {
  const cancel = h("button", { key: "cancel", onclick: () => sending.forget() }, t("cancel"));
  if (done < n) {
    return h("div", { key: "checking", class: "preview" },
      h("p", null, t("preview.checking", { done, n })),
      h("div", { class: "buttons left" }, cancel));
  }
  const counts = [
    t("preview.new", { n: fresh.length }),
    known > 0 && t("preview.known", { n: known }),
    none > 0 && t("preview.none", { n: none }),
    large > 0 && t("preview.large", { n: large }),
    unreadable > 0 && t("preview.unreadable", { n: unreadable }),
  ];
  return h("div", { key: "preview", class: "preview" },
    h("p", { role: "status" }, h("strong", null, `${t("preview")}: `), counts.filter(Boolean).join(", ")),
    h("div", { class: "buttons left" },
      fresh.length > 0 && h("button", { key: "add", class: "primary", onclick: () => sending.begin() }, t("preview.add", { n: fresh.length })),
      cancel));
}
