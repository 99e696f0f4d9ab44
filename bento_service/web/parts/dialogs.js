/** Dialogs over a view: sign-in, a question, the keys; and short messages. */

import * as api from "../service/api.js";
import { h } from "../view.js";
import { t } from "../words/words.js";
import { icon } from "./icons.js";

const KEYS = ["arrows", "enter", "m", "space", "delete", "paste", "escape", "help"];

/** Where a pointer was pressed last: whoever selects text in a dialog may release it outside. */
let pressed = null;

/**
 * A modal dialog.
 * @param {{label: string, class?: string, onleave: () => void, onkeydown?: (event: any) => void}} properties
 * @param {...any} children
 */
export function modal({ label, class: name = "", onleave, onkeydown }, ...children) {
  const close = (event) => {
    event.preventDefault();
    onleave();
  };
  return h("dialog", {
    class: `dialog ${name}`, "aria-label": label, onkeydown,
    ref: (dialog) => queueMicrotask(() => dialog.isConnected && !dialog.open && dialog.showModal()),
    gone: (dialog) => dialog.close(),
    oncancel: close,
    onpointerdown: (event) => (pressed = event.target),
    onclick: (event) => event.target === event.currentTarget && event.target === pressed && close(event),
  }, h("div", { class: "dialog-body" }, children));
}

/** @param {() => void} leave */
export function closeButton(leave) {
  return h("button", { class: "plain close", "aria-label": t("close"), onclick: leave }, icon("close"));
}

/** @param {import("../app.js").App} app */
export function signInDialog(app) {
  const { answer, problem } = app.state.signIn;
  const send = async (event) => {
    event.preventDefault();
    try {
      await api.signIn(event.target.elements.token.value.trim());
      app.change({ info: await signedIn() });
      answer(true);
    } catch (failure) {
      if (!(failure instanceof api.Problem)) throw failure;
      app.change({ signIn: { answer, problem: failure.message } });
    }
  };
  return modal({ label: t("sign-in"), class: "small", onleave: () => answer(false) },
    h("form", { onsubmit: send },
      h("h2", null, t("sign-in")),
      h("p", null, t("sign-in.text")),
      h("label", { for: "token" }, t("token")),
      h("input", { id: "token", name: "token", type: "password", autocomplete: "current-password", required: true, autofocus: true, "aria-describedby": problem && "token-problem" }),
      problem && h("p", { id: "token-problem", class: "problem", role: "alert" }, problem),
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "plain", onclick: () => answer(false) }, t("not-now")),
        h("button", { class: "primary" }, t("sign-in")))));
}

/** Return what the token may do. */
async function signedIn() {
  try {
    return await api.info(true);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    throw new api.Problem(t("sign-in.no-cookie"), problem.status);
  }
}

/** @param {{title: string, text: string, action: string, typed?: string, answer: (isSo: boolean) => void}} question */
export function questionDialog({ title, text, action, typed, answer }) {
  const send = (event) => {
    event.preventDefault();
    const given = event.target.elements.typed?.value.trim();
    if (typed === undefined || given === typed) answer(true);
    else event.target.elements.typed.setCustomValidity(t("question.wrong", { typed })), event.target.reportValidity();
  };
  return modal({ label: title, class: "small", onleave: () => answer(false) },
    h("form", { onsubmit: send, novalidate: true },
      h("h2", null, title),
      h("p", null, text),
      typed !== undefined && [
        h("label", { for: "typed" }, t("question.type", { typed })),
        h("input", { id: "typed", name: "typed", autocomplete: "off", autofocus: true, oninput: (event) => event.target.setCustomValidity("") })],
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "plain", autofocus: typed === undefined, onclick: () => answer(false) }, t("cancel")),
        h("button", { class: "danger" }, action))));
}

/** @param {() => void} leave */
export function helpDialog(leave) {
  return modal({ label: t("keys"), class: "small", onleave: leave },
    closeButton(leave),
    h("h2", null, t("keys")),
    h("dl", { class: "keys" }, KEYS.map((name) => [
      h("dt", { key: name }, h("kbd", null, t(`keys.${name}.key`))),
      h("dd", { key: `${name} does` }, t(`keys.${name}`))])));
}

/**
 * The short messages: the latest one, and a deletion that can still be undone.
 * @param {Record<string, any>} state
 */
export function toasts({ toast, undo }) {
  return [
    toast && h("div", { key: "toast", class: "toast" }, h("span", null, toast.text)),
    undo && h("div", { key: "undo", class: "toast" },
      h("span", null, undo.text),
      h("button", { onclick: undo.act }, undo.label)),
  ];
}
