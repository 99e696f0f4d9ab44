/** The ways to give a search its picture: choose, drop, paste or photograph it, or its address. */

import { filesOf, thingsIn } from "../../service/dropped.js";
import { isPicture } from "../../service/parcels.js";
import { t } from "../../words/words.js";

/**
 * Search with the first of some files.
 * @param {File[]} files
 * @param {import("./searching.js").Searching} searching
 * @param {import("../../app.js").App} app
 */
export function takeFrom(files, searching, app) {
  const picture = files.find(isPicture);
  if (picture) searching.take(picture, picture.name);
  else if (files.length) app.say(t("take.none", { name: files[0].name }));
}

/**
 * Take what is dropped on the page or pasted into it. In the Add view, files are added instead.
 * @param {import("../../app.js").App} app
 * @param {import("./searching.js").Searching} searching
 */
export function watchPage(app, searching) {
  const isOff = () => app.state.signIn || app.state.question || !mayTake(app);
  const over = (isOver) => document.documentElement.classList.toggle("dropping", isOver);
  document.addEventListener("dragover", (event) => {
    if (isOff() || !event.dataTransfer.types.some((type) => type === "Files" || type === "text/uri-list")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", async (event) => {
    over(false);
    if (isOff() || app.state.route.view === "add") return;
    event.preventDefault();
    const things = thingsIn(event.dataTransfer);
    const url = event.dataTransfer.getData("text/uri-list").split("\n")[0];
    if (things.length) takeDropped(await filesOf(things), searching, app);
    else if (url) takeUrl(url, searching, app);
  });
  document.addEventListener("paste", (event) => {
    if (isOff() || event.target instanceof Element && event.target.matches("input, textarea")) return;
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain").trim();
    if (files.length) takeFrom(files, searching, app);
    else if (/^https?:\/\/\S+$/.test(text)) takeUrl(text, searching, app);
  });
}

function mayTake(app) {
  const { info, route } = app.state;
  return info === null || app.can("search") || route.view === "add";
}

function takeDropped({ files, unreadable }, searching, app) {
  if (files.length) takeFrom(files.map(({ file }) => file), searching, app);
  else if (unreadable.length) app.say(t("take.unreadable", { name: unreadable[0] }));
}

function takeUrl(url, searching, app) {
  if (app.state.info?.urls) searching.takeUrl(url);
  else app.say(t("take.no-urls"));
}
