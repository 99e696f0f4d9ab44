/** The Add view: pictures of this computer or of the service's folders, and how adding them goes. */

import { filesOf, thingsIn } from "../../service/dropped.js";
import { chosen } from "../../service/parcels.js";
import { icon } from "../../parts/icons.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";
import { Folders } from "./folders.js";
import { preview } from "./preview.js";
import { runs } from "./runs.js";
import { RunDetails } from "./run_details.js";
import { Sending } from "./sending.js";

/** @param {import("../../app.js").App} app */
export function open(app) {
  const sending = new Sending(app);
  const folders = new Folders(app);
  const details = new RunDetails(app);
  app.change({ add: { source: "computer", preview: null, sending: null, problem: "" }, folders: folders.initial, details: {} });
  document.addEventListener("drop", async (event) => {
    if (app.state.route.view !== "add" || app.state.signIn || app.state.question) return;
    event.preventDefault();
    const { files, unreadable } = await filesOf(thingsIn(event.dataTransfer));
    sending.look(files, unreadable.length);
  });
  app.store.subscribe(() => details.follow());
  return {
    follow: (route) => {
      sending.follow(route);
      folders.begin();
      details.follow();
    },
    retry: () => folders.begin(),
    render: () => render(app, sending, folders, details),
    list: () => details.pictures().map(({ id }) => id),
  };
}

function render(app, sending, folders, details) {
  if (!app.can("train")) return h("p", { class: "empty" }, app.state.info ? t("add.no-train") : "");
  const { add, route } = app.state;
  return [
    h("section", { key: "sources", class: "add-panel" },
      h("h1", { tabindex: -1 }, t("add.title")),
      h("p", { class: "hint" }, t("add.to", { name: route.c })),
      h("fieldset", { class: "source" },
        h("legend", { class: "unseen" }, t("add.title")),
        h("div", { class: "choice" }, ["computer", "folders"].map((source) => h("label", { key: source },
          h("input", { type: "radio", name: "source", value: source, ".checked": add.source === source, onchange: () => change(app, { source }) }),
          h("span", null, t(`add.${source}`)))))),
      add.source === "computer" ? computer(sending) : folders.render(),
      add.problem && h("p", { key: "problem", class: "problem", role: "alert" }, add.problem),
      preview(app, sending)),
    runs(app, details),
  ];
}

function change(app, parts) {
  app.change(({ add }) => ({ add: { ...add, ...parts } }));
}

function computer(sending) {
  const take = ({ target }) => {
    sending.look([...target.files].map(chosen));
    target.value = ""; // so that the same files can be chosen again
  };
  return h("div", { key: "computer", class: "drop-area" },
    h("label", { class: "button primary" }, h("input", { type: "file", multiple: true, class: "unseen", onchange: take }), icon("image"), t("add.files")),
    h("label", { class: "button" }, h("input", { type: "file", webkitdirectory: true, class: "unseen", onchange: take }), icon("folder"), t("add.folder")),
    h("p", { class: "hint for-mice" }, t("add.drop")));
}
