/** Shows how far a run has come. */

import { byId, showText, textElement } from "./dom.js";
import { counted, duration, grouped, moment, sentence, speed } from "./wording.js";

const SHOWN_ERRORS = 20;

/** @param {import("./run.js").Run} run */
export function showRun(run) {
  const isShown = run.isOpen || run.total > 0;
  byId("run").hidden = !isShown;
  // A live region: it is read out when its words change, so no numbers that move stand in it.
  setText(byId("run-state"), stateOf(run));
  if (isShown) showNumbers(run);
  showText(byId("run-problem"), run.problems.map(sentence).join(" "));
  showErrors(run);
  showText(byId("add-badge"), run.isOpen ? percentOf(run) : "");
}

/**
 * Say that the service does not answer, until the next run is shown.
 * @param {string} text
 */
export function showTrouble(text) {
  setText(byId("run-state"), text);
}

function stateOf(run) {
  const where = `“${run.collections.join("”, “")}”`;
  const deed = `${run.isReindex ? "Reindexing" : "Indexing into"} ${where}`;
  if (run.isOpen) return `${deed}…`;
  if (!run.finishedAt) return "Nothing is being indexed.";
  const when = moment(new Date(run.finishedAt));
  if (run.problems.length) return `${deed} broke off ${when}.`;
  if (run.isCanceled) return `${deed} was canceled ${when}.`;
  const note = run.total ? "" : " There was nothing to index.";
  return `${deed} finished ${when}.${note}`;
}

function showNumbers(run) {
  showBar(byId("run-bar"), run);
  byId("run-done").textContent = run.isOpen || run.isCanceled
    ? `${grouped(run.done)} of ${grouped(run.total)}`
    : counted(run.done, "file");
  byId("run-speed").textContent = paceOf(run);
  for (const field of ["indexed", "duplicates", "failed"]) {
    byId(`run-${field}`).textContent = grouped(run[field]);
  }
  byId("run-failed").parentElement.classList.toggle("bad", run.failed > 0);
}

function showBar(bar, run) {
  if (run.isOpen && run.total === 0) {
    bar.removeAttribute("value");
    return;
  }
  bar.max = Math.max(1, run.total);
  bar.value = run.done;
}

function paceOf(run) {
  if (!run.isOpen) return "";
  if (!run.perSecond) return run.done ? "" : "· starting…";
  const left = run.etaSeconds === null ? "" : ` · ${duration(run.etaSeconds)} left`;
  return `· ${speed(run.perSecond)}${left}`;
}

function percentOf(run) {
  return run.total ? `${Math.floor((100 * run.done) / run.total)}%` : "…";
}

function showErrors(run) {
  const list = byId("run-errors-list");
  byId("run-errors").hidden = run.failed === 0;
  byId("run-errors-summary").textContent = `${counted(run.failed, "file")} could not be indexed`;
  const shown = run.errors.slice(0, SHOWN_ERRORS);
  if (list.childElementCount !== shown.length) list.replaceChildren(...shown.map(errorItem));
  const more = run.failed - shown.length;
  showText(byId("run-errors-more"), more > 0 ? `and ${grouped(more)} more` : "");
}

function errorItem({ source, detail }) {
  const item = document.createElement("li");
  item.append(textElement("strong", source), textElement("span", sentence(detail)));
  return item;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
