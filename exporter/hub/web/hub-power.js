// What the cluster draws: now, in the last hours and the last day, and for whom.

import { clockMarks, fillLegend, makeChart } from "./charts.js";
import { $, add, fillStack, setFacts, setFigure, setTag, setText, showNotice } from "./page.js";
import {
  NAMES, count, duration, energyParts, gramParts, grams, missingDevices, percent, wattMark, wattParts, watts, whole,
} from "./words.js";

const PARTS = ["cpu", "dram", "gpu", "platform"];
const DAY_S = 86400;
// A day is as good as whole if no more than that is missing of it.
const SLACK_S = 900;
const LEAST_S = 600;

/** What to do about a part of the overview that is not known; "" if it is. */
export const remedyOf = (overview, part) => overview.missing.find((one) => one.part === part)?.remedy ?? "";

function estimatedNote({ estimated, known }) {
  const parts = Object.entries(estimated ?? {}).filter(([, nodes]) => nodes > 0);
  return parts.map(([part, nodes]) => `${NAMES[part] ?? part} on ${whole.format(nodes)} of ${count(known, "node", "nodes")}`).join(", ");
}

/** What the sum lacks; "" if nothing. */
function missingNote(missing) {
  const lacking = missingDevices(Object.entries(missing ?? {}));
  return lacking && `less than is drawn: the power of ${lacking} is not known`;
}

function qualityOf({ estimated, simulated }) {
  if (estimated === null) return "";
  if (simulated) return "simulated";
  return Object.values(estimated).some((nodes) => nodes > 0) ? "estimated" : "measured";
}

export function drawPower(overview) {
  const { power, nodes, day, jobs } = overview;
  setFigure($("power"), wattParts(power.total_w));
  setTag($("power"), overview.prometheus.error && power.total_w !== null ? "stale" : "");
  const note = $("power-note");
  if (!note.firstChild) add(note, "span");
  const whose = estimatedNote(nodes) || `of ${count(nodes.up, "node", "nodes")}`;
  setText(note.firstChild, power.total_w === null ? remedyOf(overview, "power")
    : [whose, missingNote(power.devices_missing)].filter(Boolean).join("; "));
  setTag(note, power.total_w === null ? "" : qualityOf(nodes));
  showNotice("simulated", !nodes.simulated ? ""
    : `${nodes.simulated === nodes.known ? "All nodes are" : `${whole.format(nodes.simulated)} of ${count(nodes.known, "node is", "nodes are")}`} simulated`);

  setFigure($("energy"), day?.energy_j ? energyParts(day.energy_j.amount) : null);
  setFigure($("grams"), day?.emissions_g ? gramParts(day.emissions_g.amount) : null);
  const unit = $("grams").children[1];
  if (unit.textContent) setText(unit, `${unit.textContent} CO₂e`);
  const knownS = day?.energy_j?.known_s ?? null;
  const unknown = remedyOf(overview, "day");
  setText($("day-note"), knownS === null ? (unknown === remedyOf(overview, "power") ? "" : unknown)
    : knownS < DAY_S - SLACK_S ? `Known for ${duration(knownS)} of them; the rest is not in it.` : "");
  $("day-note").hidden = !$("day-note").textContent;

  const perHour = overview.emissions_g_per_s === null ? "–" : `${grams(overview.emissions_g_per_s * 3600)} per hour`;
  const fallback = overview.emissions_fallback_ratio;
  const held = jobs.gpus_held;
  const idle = jobs.gpus_hardly_used;
  setFacts($("facts"), [
    ["CO₂e now", perHour, fallback > 0.005 ? `fallback, ${percent(fallback)}` : ""],
    ["Nodes", `${whole.format(nodes.up)} of ${whole.format(nodes.known)}`],
    ["Jobs", jobs.running === null ? "–" : whole.format(jobs.running)],
    ["GPUs held", held ? `${whole.format(held)}${idle ? `, ${whole.format(idle)} hardly used` : ""}` : null],
  ]);
}

const chart = makeChart($("chart"));

export function drawHistory(overview) {
  const { course } = overview;
  const empty = remedyOf(overview, "course") || "The chart begins with the second value.";
  const length = course === null ? 0 : Math.max(0, ...Object.values(course.components_w).map((values) => values.length));
  const times = Array.from({ length }, (_, index) => course.begin_unix_s + index * course.step_s);
  const names = course === null ? [] : Object.keys(course.components_w);
  const order = [...PARTS.filter((part) => names.includes(part)), ...names.filter((name) => !PARTS.includes(name))];
  const series = order.map((part) => ({ key: part, part, name: NAMES[part] ?? part, values: course.components_w[part] }));
  const totals = times
    .filter((_, index) => series.some(({ values }) => values[index] !== null))
    .map((time) => series.reduce((sum, { values }) => sum + (values[times.indexOf(time)] ?? 0), 0));
  const first = times.find((_, index) => series.some(({ values }) => values[index] !== null));
  const to = times.at(-1) ?? 1;
  // Of a cluster that began lately, what there is.
  const from = Math.max(times[0] ?? 0, Math.min(first ?? 0, to - LEAST_S));
  setText($("history-title"), `The last ${to - from > 5.5 * 3600 ? "6 hours" : duration(to - from)}`);
  const range = totals.length ? `between ${watts(Math.min(...totals))} and ${watts(Math.max(...totals))}` : "";
  chart.show({
    times, series, from, to, empty,
    gapS: (course?.step_s ?? 60) * 1.5,
    marks: clockMarks(from, to),
    format: watts,
    axis: wattMark,
    label: `Power of the last ${duration(to - from)}, stacked by component: ${range}, now ${watts(totals.at(-1) ?? null)}`,
    caption: `Stacked by component, ${range}.`,
  });
  fillLegend($("chart-legend"), series.map(({ key, part, name }) => ({
    key, part, name, value: watts(overview.power.components_w?.[part] ?? null),
  })));
}

const SCHEDULERS = { slurm: ["Jobs of Slurm", "jobs"], kubernetes: ["Pods", "hue-1"] };
const REASONS = {
  idle: "Idle", unallocated: "GPUs nobody holds", system: "System", unknown: "Unknown",
};

export function drawSplit(overview) {
  const { schedulers_w: schedulers, unattributed_w: unattributed } = overview.power;
  const jobs = Object.entries(schedulers ?? {}).sort(([, a], [, b]) => b - a).map(([scheduler, w]) => {
    const [name, part] = SCHEDULERS[scheduler] ?? [scheduler, "hue-3"];
    return { key: `of ${scheduler}`, part, name, w };
  });
  const rest = Object.keys(REASONS).map((reason) => ({
    key: reason, part: reason, name: REASONS[reason], w: unattributed?.[reason] ?? 0,
  }));
  const found = [...jobs, ...rest].filter(({ w }) => w > 0);
  const total = found.reduce((sum, { w }) => sum + w, 0);
  // Of a part of it alone each share would be too large.
  const isWhole = Boolean(schedulers && unattributed);
  const parts = !isWhole ? [] : found.map((one) => ({ ...one, share: one.w / total, value: percent(one.w / total) }));
  const words = parts.map(({ name, value }) => `${name} ${value}`).join(", ");
  fillStack($("split-bar"), $("split"), parts, `Power of the last minutes: ${words}`);
  $("split-bar").parentElement.hidden = !parts.length && overview.course === null;
  showNotice("split-empty", parts.length ? ""
    : remedyOf(overview, "unattributed") || remedyOf(overview, "schedulers") || "Not known yet.");
}
