/** Asking for a token, where the service wants one. */

import * as api from "./api.js";
import { byId, showText } from "./dom.js";

/**
 * Show the form instead of the page until a token is accepted.
 * @param {() => void} onDone
 */
export function askForToken(onDone) {
  const form = byId("sign-in");
  const input = byId("sign-in-token");
  show(true);
  input.focus();
  form.onsubmit = async (event) => {
    event.preventDefault();
    showText(byId("sign-in-problem"), "");
    try {
      await api.signIn(input.value.trim());
    } catch (problem) {
      showText(byId("sign-in-problem"), problem.message);
      input.select();
      return;
    }
    input.value = "";
    show(false);
    onDone();
  };
}

function show(isAsking) {
  byId("sign-in").hidden = !isAsking;
  document.body.classList.toggle("signing-in", isAsking);
}
