/** Puts the page together and starts it. */

import * as api from "./api.js";
import { byId, showText } from "./dom.js";
import { installDrop } from "./drop.js";
import { filesOf } from "./dropped.js";
import { installFolder } from "./folder.js";
import { Holdings } from "./holdings.js";
import { JobList } from "./jobs.js";
import { showRun, showTrouble } from "./progress.js";
import { askForToken } from "./sign_in.js";
import { Search } from "./search.js";
import { Upload } from "./upload.js";
import { currentView, goTo, installViews } from "./views.js";
import { Watch } from "./watch.js";

const RETRY_MS = 2000;

const holdings = new Holdings({
  onChoice: () => {
    search.followCollection();
    nameTarget();
  },
  onCount: () => search.followCount(),
});
const search = new Search({ holdings, onPaste: () => goTo("search") });
const jobs = new JobList({
  onChanged: (job) => watch.update(job),
  onStarted: (job) => watch.add(job),
});
const watch = new Watch({
  onRun: followRun,
  onJobs: (listed) => jobs.show(listed),
  onTrouble: showTrouble,
});
const upload = new Upload({
  collection: () => holdings.collection,
  onJob: (job, isFirst, moreFollow) => {
    if (isFirst) watch.add(job);
    else watch.join(job);
    watch.keepOpen(moreFollow);
  },
  onEnd: () => watch.keepOpen(false),
});

let indexed = 0;

/** @param {import("./run.js").Run} run */
function followRun(run) {
  showRun(run);
  if (run.indexed === indexed) return;
  indexed = run.indexed;
  recount();
}

function recount() {
  // A count that cannot be had now comes with the next change.
  holdings.refresh().catch(() => {});
}

function nameTarget() {
  byId("add-target").textContent = holdings.hasChoice ? ` to “${holdings.collection}”` : "";
}

function searchWithDropped(things) {
  goTo("search");
  if (things[0].entry?.isDirectory || !things[0].file) {
    search.refuse("That is a folder; search takes one picture. Folders go under Add pictures.");
  } else {
    search.withFiles([things[0].file]);
  }
}

async function addDropped(things) {
  try {
    upload.add(await filesOf(things));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    upload.refuse("What was dropped cannot be read. Choose it with the buttons instead.");
  }
}

/** @param {import("./api.js").Info} info */
function introduce(info) {
  byId("about").textContent =
    `Lookalike ${info.version} · ${info.model} · ${info.descriptor}, ${info.dimension} dimensions`;
  upload.limits = info.limits;
  installFolder({
    roots: info.image_roots,
    collection: () => holdings.collection,
    onJob: (job) => watch.add(job),
  });
}

/** Ask for everything that the page shows, again and again until the service answers. */
async function start() {
  try {
    const info = await api.info();
    await holdings.load();
    await watch.resume();
    nameTarget();
    introduce(info);
    showText(byId("service-notice"), "");
    document.addEventListener("visibilitychange", () => {
      // Others may have added pictures meanwhile. What cannot be had now comes later.
      if (!document.hidden) Promise.all([holdings.load(), watch.resume()]).catch(() => {});
    });
  } catch (problem) {
    if (problem.status === 401) {
      showText(byId("service-notice"), "");
      askForToken(start);
      return;
    }
    showText(byId("service-notice"), `${problem.message} Trying again…`);
    setTimeout(start, RETRY_MS);
  }
}

installViews();
installDrop({
  offersAdding: () => currentView() === "add",
  onSearch: searchWithDropped,
  onAdd: addDropped,
});
start();
