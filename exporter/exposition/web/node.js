// Draws the page of a node from the JSON API every few seconds.

import { ask, follow } from "./feed.js";
import { $, setTag, setText } from "./page.js";
import { moment, watts } from "./words.js";
import { drawJobs } from "./node-jobs.js";
import { drawAbout, drawDevices, drawGpus, drawSources, drawSplit } from "./node-parts.js";
import { drawCarbon, drawHistory, drawPower } from "./node-power.js";
import { newestUnixS, remember } from "./node-recent.js";

const EVERY_MS = 3000;

let last = null;
let lastTickMs = 0;

function show([node, jobs, intensity]) {
  remember(node, jobs);
  // By our own clock: the reader's and the node's may differ by hours.
  if (!last || last.unix_s !== node.unix_s) lastTickMs = performance.now();
  last = node;
  setText($("node"), node.node);
  document.title = `${watts(node.power_w)} · ${node.node} · jouled`;
  $("simulated").hidden = node.quality !== "simulated";
  setTag($("node").parentElement, node.quality === "simulated" ? "simulated" : "");
  drawPower(node, intensity);
  drawHistory(node);
  drawCarbon(intensity, node);
  drawJobs(jobs, node);
  drawGpus(node, jobs);
  drawSplit(node);
  drawDevices(node);
  drawSources(node);
  drawAbout(node);
  const ageS = (performance.now() - lastTickMs) / 1000;
  if (ageS <= Math.max(10, 5 * node.interval_s)) return null;
  return ["lost", `no new sample since ${moment(node.unix_s)}`,
    `The daemon answers, but it has not sampled since ${moment(node.unix_s)}: something hangs. Look at its log and restart it.`];
}

follow({
  everyMs: EVERY_MS,
  who: "daemon",
  ask: () => Promise.all([
    ask(`api/v1/node?history_after_unix_s=${newestUnixS()}`), ask("api/v1/jobs"), ask("api/v1/intensity")]),
  show,
  sinceUnixS: () => last?.unix_s ?? null,
});
