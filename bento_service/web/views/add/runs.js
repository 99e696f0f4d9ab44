/** The runs: the newest one large, earlier ones as lines. */

import * as api from "../../service/api.js";
import { NO_PICTURE } from "../../service/run.js";
import { nothing } from "../../state/route.js";
import { h } from "../../view.js";
import { duration, moment, number, percent, sentence, shortened, t } from "../../words/words.js";

const EARLIER = 8;

/**
 * @param {import("../../app.js").App} app
 * @param {import("./run_details.js").RunDetails} details
 */
export function runs(app, details) {
  const [newest, ...earlier] = app.state.runs;
  if (!newest) return null;
  const open = earlier.filter(({ isOpen }) => isOpen);
  const ended = earlier.filter(({ isOpen }) => !isOpen).slice(0, EARLIER);
  return [
    [newest, ...open].map((run) => whole(app, details, run)),
    ended.length > 0 && h("section", { key: "earlier", class: "earlier" },
      h("h2", null, t("run.earlier")),
      ended.map((run) => h("details", { key: run.key }, h("summary", null,
        h("span", null, title(run)), h("span", { class: "hint" }, `${counts(app, run).join(", ")} · ${moment(run.startedAt)}`)),
      body(app, details, run)))),
  ];
}

function title(run) {
  const state = run.isDry ? (run.isOpen ? "checking" : "checked")
    : run.kind === "reindex" ? (run.isOpen ? "reindexing" : "reindexed")
    : run.isOpen ? "adding" : "completed";
  const key = run.state === "failed" || run.state === "canceled" ? run.state : state;
  const source = run.kind === "upload" ? t("run.upload") : run.source;
  return t(`run.${key}`, { name: run.collection, source });
}

function whole(app, details, run) {
  return h("section", { key: run.key, class: "run", "aria-label": title(run) },
    h("h2", { "aria-live": "polite" }, title(run)),
    run.isOpen && h("progress", { key: "bar", max: Math.max(1, run.total), value: run.total ? run.done : undefined, "aria-label": title(run) }),
    h("p", { key: "pace", class: "pace" }, pace(run, isAway(app))),
    body(app, details, run));
}

/** Numbers that change every second are wrong while the service does not answer. */
function isAway(app) {
  return ["away", "offline"].includes(app.state.banner?.kind);
}

function pace(run, isUnknown) {
  const progress = t("run.progress", { done: run.done, total: run.total });
  if (!run.isOpen) return moment(run.finishedAt);
  const parts = [
    run.total ? `${progress} (${percent(run.done / run.total)})` : t("work.starting"),
    !isUnknown && run.perSecond > 0 && t("run.speed", { speed: number(Math.round(run.perSecond * 10) / 10) }),
    !isUnknown && run.etaSeconds !== null && t("run.left", { time: duration(run.etaSeconds) }),
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Files that are no pictures are no failures; only errors that are known yet tell them apart. */
function divided(app, run) {
  const errors = app.state.details[run.key]?.errors ?? run.jobs.flatMap((job) => job.errors);
  const none = Math.min(run.failed, errors.filter(({ code }) => code === NO_PICTURE).length);
  return { none, failed: run.failed - none };
}

function counts(app, run) {
  const { none, failed } = divided(app, run);
  return [
    t(run.isDry ? "preview.new" : "run.added", { n: run.indexed }),
    run.duplicates > 0 && t("preview.known", { n: run.duplicates }),
    none > 0 && t("preview.none", { n: none }),
    failed > 0 && t("run.failures", { n: failed }),
    run.skipped.length > 0 && t("run.skipped", { n: run.skipped.reduce((n, { count }) => n + count, 0) }),
  ].filter(Boolean);
}

function body(app, details, run) {
  const { pictures = [] } = app.state.details[run.key] ?? {};
  return [
    h("p", { key: "counts", class: "counts" }, counts(app, run).join(", ")),
    run.details.map((detail) => h("p", { key: detail, class: run.state === "failed" ? "problem" : "hint" }, sentence(detail))),
    pictures.length > 0 && h("ul", { key: "strip", class: "strip" }, pictures.map((image) =>
      h("li", { key: image.id }, h("a", { href: app.href({ ...nothing, view: "add", image: image.id }) },
        h("img", { src: api.thumbnail(image, 96), alt: image.name, width: 96, height: 96 }))))),
    h("div", { key: "buttons", class: "buttons left" }, actions(app, run, pictures)),
    run.skipped.map(({ code, count, source, detail }) => h("p", { key: `skipped ${code}`, class: "hint" }, t("run.skip", { n: count, detail, source: shortened(source, 60) }))),
    run.failed > 0 && errors(app, details, run),
  ];
}

function actions(app, run, pictures) {
  const filter = `$created_at >= ${JSON.stringify(run.startedAt)}${run.finishedAt ? ` and $created_at <= ${JSON.stringify(run.finishedAt)}` : ""}`;
  const has = run.indexed > 0 && !run.isDry && run.kind !== "reindex";
  const change = (jobs, action) => app.attempt(async () => {
    for (const job of jobs) app.watch.add(await api.changeJob(job.id, action));
  });
  return [
    has && h("a", { key: "see", class: "button primary", href: app.href({ ...nothing, view: "library", c: run.collection, f: filter }) }, t("run.see")),
    has && pictures.length > 0 && app.can("search") && h("a", { key: "search", class: "button", href: app.href({ ...nothing, view: "search", c: run.collection, id: pictures[0].id }) }, t("run.search")),
    run.isOpen && h("button", { key: "cancel", onclick: () => change(run.jobs.filter(({ state }) => ["pending", "in_progress"].includes(state)), "cancel") }, t("cancel")),
    run.retriable.length > 0 && h("button", { key: "retry", onclick: () => change(run.retriable, "retry") }, t("run.retry")),
  ];
}

function errors(app, details, run) {
  const known = app.state.details[run.key];
  const shown = known?.errors ?? run.jobs.flatMap((job) => job.errors);
  return h("details", { key: "errors", class: "errors", ontoggle: ({ target }) => target.open && !known?.errors && details.moreErrors(run) },
    h("summary", null, t("run.errors")),
    h("ul", null, shown.map(({ source, detail }, place) => h("li", { key: place },
      h("strong", { title: source }, shortened(source, 60)), " ", h("span", { class: "hint" }, sentence(detail))))),
    !known?.isWhole && h("button", { onclick: () => details.moreErrors(run) }, t("run.more-errors")));
}
