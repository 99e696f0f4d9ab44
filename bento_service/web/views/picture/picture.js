/** The dialog of one picture: next to the query, with the reasons for its verdict and its metadata. */

import * as api from "../../service/api.js";
import { inWords } from "../../parts/chip.js";
import { closeButton, modal, toasts } from "../../parts/dialogs.js";
import { icon } from "../../parts/icons.js";
import { h } from "../../view.js";
import { moment, percent, shortened, size, t } from "../../words/words.js";
import { subjectOf } from "../search/searching.js";
import { comparison, modes } from "./comparison.js";
import { metadataForm } from "./metadata.js";

const NONE = { id: undefined, image: null, found: null, mode: "side", problem: "" };
let asked = "";

/**
 * Show what the address names.
 * @param {import("../../app.js").App} app
 * @param {import("../../state/route.js").Route} route
 */
export function follow(app, { image: id, view }) {
  const key = `${view} ${id} ${queryKey(app)}`;
  if (key === asked) return;
  asked = key;
  if (id === undefined) return app.change({ picture: NONE });
  app.change(({ picture }) => {
    const image = picture?.id === id ? picture.image : null;
    return { picture: { ...NONE, mode: picture?.mode ?? "side", id, image } };
  });
  load(app, id, key);
}

function queryKey(app) {
  const { id, q } = app.state.route;
  return `${id} ${q} ${queryOf(app)?.src}`;
}

async function load(app, id, key) {
  const set = (parts) => asked === key && app.changeIn("picture", parts);
  try {
    const image = app.state.picture.image ?? (await api.image(id));
    set({ image });
    const query = queryOf(app);
    if (query && query.image_id !== id) set({ found: await api.compare(image.collection, query, id) });
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    set({ problem: problem.status === 404 ? t("picture.gone") : problem.message });
  }
}

/** The query that the picture is compared with, if the service can compare it. */
function queryOf(app) {
  const { route, search } = app.state;
  const isKnown = route.view === "search" && search.subject === subjectOf(route);
  return isKnown && search.query?.src ? search.query : null;
}

/** @param {import("../../app.js").App} app */
export function render(app) {
  const { route, picture } = app.state;
  if (!picture || picture.id !== route.image) return null;
  if (app.state.signIn && !picture.image) return null; // its dialog would cover the sign-in
  const leave = () => app.go({ image: undefined });
  const { image, problem } = picture;
  return modal({ label: t("picture", { name: image?.name ?? String(picture.id) }), class: "picture-dialog", onleave: leave, onkeydown: (event) => pressed(app, event) },
    head(app, image, leave),
    problem
      ? h("p", { key: "problem", class: "problem block", role: "alert" }, problem)
      : h("div", { key: "body", class: "picture-body" }, stage(app, picture), image && side(app, picture, image)),
    // What lies outside of a modal dialog cannot be reached.
    h("div", { key: "toast", class: "toasts", role: "status" }, toasts(app.state)));
}

function head(app, image, leave) {
  const step = (by, label, name) => {
    const id = neighbour(app, by);
    const isEnd = id === undefined;
    return h("button", {
      key: name, class: "plain", "aria-label": label, title: label, "aria-disabled": isEnd && "true", // keeps the focus
      onclick: () => isEnd || app.replace({ image: id }),
    }, icon(name));
  };
  return h("header", { key: "head", class: "picture-head" },
    step(-1, t("picture.previous"), "previous"),
    step(1, t("picture.next"), "next"),
    h("h2", { key: "title", title: image?.name }, image ? shortened(image.name, 48) : t("loading")),
    closeButton(leave));
}

/** The picture before or after in what is listed below the dialog. */
function neighbour(app, by) {
  const list = app.list();
  const place = list.indexOf(app.state.route.image);
  return place < 0 ? undefined : list[place + by];
}

function pressed(app, event) {
  if (event.target.matches("input, textarea, select, [data-handle]")) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const id = by && neighbour(app, by);
  if (id !== undefined && by) app.replace({ image: id });
  else if (event.key === "m" || event.key === "M") more(app, app.state.route.image);
  else if (event.key === "Delete" && app.can("train") && app.state.picture.image) remove(app, app.state.picture.image);
}

function stage(app, { image, mode, id }) {
  const query = queryOf(app);
  const isAlone = !query || query.image_id === id;
  return h("div", { key: "stage", class: "stage" },
    image && comparison(isAlone ? "match" : mode, query, image),
    !isAlone && modes(mode, (chosen) => app.changeIn("picture", { mode: chosen })));
}

function side(app, { found }, image) {
  const source = image.sources[0];
  const path = source ? (source.kind === "file" ? `${source.root}/${source.path}` : source.path) : image.source;
  return h("div", { key: "side", class: "details" },
    found && evidence(found),
    h("div", { class: "buttons left" },
      app.can("search") && h("button", { key: "more", class: "primary", onclick: () => more(app, image.id) }, icon("more"), t("picture.more")),
      h("a", { key: "original", class: "button", href: api.relative(image.content_url), target: "_blank", rel: "noopener" }, icon("open"), t("picture.original"))),
    h("section", null,
      h("h3", null, t("picture.from")),
      h("ul", { class: "sources" }, image.sources.map(({ kind, root, path: at }, number) =>
        h("li", { key: number }, kind === "file" ? `${root}/${at}` : t("picture.upload", { path: at })))),
      h("p", { class: "hint" }, t("picture.size", { width: image.width, height: image.height, bytes: size(image.bytes), format: image.format })),
      h("p", { class: "hint" }, t("picture.added", { date: moment(image.created_at) })),
      h("div", { class: "buttons left" }, [["id", String(image.id)], ["path", path], ["link", location.href]].map(([what, text]) =>
        h("button", { key: what, class: "tool", "aria-label": t(`picture.copy.${what}`), onclick: () => copy(app, text) }, icon("copy"), t(`picture.copy.${what}`))))),
    metadataForm(app, image, (changed) => app.changeIn("picture", { image: changed })),
    app.can("train") && h("section", { key: "delete" },
      h("button", { class: "tool problem", onclick: () => remove(app, image) }, icon("trash"), t("delete")),
      h("p", { class: "hint" }, t(source?.kind === "file" ? "picture.delete.file" : "picture.delete.upload"))));
}

/** The reasons for a verdict, the deciding one first. */
function evidence({ score, verdict, evidence: { same_bytes, hash_distance, hash_bits, agreement, orientation, lines } }) {
  const degrees = orientation?.match(/\d+/)?.[0];
  const byScore = t("evidence.score", { score: score.toFixed(3), near: lines.near_duplicate.toFixed(3) });
  const reasons = [
    same_bytes && t("evidence.bytes"),
    verdict === "near_duplicate" && byScore,
    agreement !== null && t("evidence.detail", { share: percent(agreement) }),
    hash_distance !== null && t("evidence.hash", { distance: hash_distance, bits: hash_bits }),
    orientation?.startsWith("mirrored") && t("evidence.mirrored"),
    degrees && t("evidence.turned", { degrees }),
    verdict !== "near_duplicate" && byScore,
  ];
  return h("section", { key: "evidence" },
    h("p", { class: `verdict ${verdict}` }, inWords(verdict)),
    h("ul", { class: "reasons", "aria-label": t("evidence") }, reasons.filter(Boolean).map((reason) => h("li", { key: reason }, reason))));
}

function more(app, id) {
  app.glide(document.querySelector(".stage .match-picture"), () => app.searchWith({ id }));
}

async function copy(app, text) {
  try {
    await navigator.clipboard.writeText(text);
    app.say(t("picture.copied"));
  } catch {
    app.say(t("picture.not-copied"));
  }
}

function remove(app, image) {
  const next = neighbour(app, 1) ?? neighbour(app, -1);
  app.replace({ image: next });
  app.removals.remove(image.collection, [image.id]);
}
