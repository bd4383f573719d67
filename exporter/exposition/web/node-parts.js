// What the node is made of, where its energy went, and who reads it.

import { $, add, fillBars, fillSources, fillStack, keyed, setAside, setFacts, setFigure, setMeter, setText, showNotice } from "./page.js";
import { makeSparkline, showSparkline } from "./charts.js";
import { moments } from "./node-recent.js";
import { NAMES, UNKNOWN, bytes, celsius, count, duration, energy, energyParts, gramParts, grams, notMeasured, percent, plain, watts } from "./words.js";

const NOT_A_FAULT = new Set(["", "absent"]);

// --- GPUs ------------------------------------------------------------------------

function noGpus(node) {
  const sources = node.sources.filter((source) => source.component === "gpu");
  const down = sources.find((source) => !source.up);
  if (down) return `No GPU found: ${down.message || down.reason}`;
  return sources.length ? "No GPU found in this node." : "No GPU found: no source of GPUs is switched on.";
}

function memory({ memory_used_bytes: used, memory_total_bytes: total }) {
  if (used === null) return UNKNOWN;
  return total === null ? bytes(used) : `${plain.format(used / 2 ** 30)}/${bytes(total)}`;
}

/** By what the energy of a GPU is divided that several share. */
const DIVIDED = { activity: "divided by activity", share: "divided by shares" };

/** Who holds each GPU, by its name. */
function holders(jobs) {
  const found = new Map();
  for (const job of jobs.jobs) {
    for (const { device, share } of job.gpus_held ?? []) {
      const part = share < 1 ? ` (${percent(share)})` : "";
      found.set(device, [...(found.get(device) ?? []), `${job.job_id} ${job.user || job.namespace}${part}`.trim()]);
    }
  }
  return found;
}

function makeTile() {
  const tile = document.createElement("li");
  tile.className = "tile";
  const row = add(tile, "div", "row");
  add(row, "h3");
  add(row, "p", "value");
  add(tile, "div", "meter");
  tile.append(makeSparkline());
  add(tile, "dl");
  add(tile, "p", "more");
  return tile;
}

export function drawGpus(node, jobs) {
  const gpus = node.devices.filter((device) => device.gpu !== null);
  const models = [...new Set(gpus.map(({ gpu }) => gpu.model))];
  const drivers = [...new Set(gpus.map(({ gpu }) => gpu.driver))];
  const held = holders(jobs);
  keyed($("gpus"), gpus, (device) => device.device, makeTile, (tile, { device, power_w, energy_j, gpu, division }) => {
    const [row, meter, line, list, more] = tile.children;
    setText(row.children[0], `GPU ${gpu.index}`);
    setText(row.children[1], watts(power_w));
    setMeter(meter, gpu.power_limit_w === null ? null : power_w / gpu.power_limit_w);
    meter.hidden = gpu.power_limit_w === null;
    showSparkline(line, moments.map((moment) => moment.gpus.get(device) ?? null));
    setFacts(list, [
      ["Limit", watts(gpu.power_limit_w)],
      ["Used", percent(gpu.utilization_ratio)],
      ["Memory", memory(gpu)],
      ["Temperature", celsius(gpu.temperature_celsius)],
      ["Energy", energy(energy_j)],
    ]);
    const words = held.get(device);
    more.classList.toggle("holder", words !== undefined);
    const who = words ? words.join(", ") : "held by no job";
    setText(more, [who, DIVIDED[division], models.length > 1 ? gpu.model : ""].filter(Boolean).join(" · "));
  });
  const kind = models.length === 1 ? `${gpus.length} × ${models[0]}` : `${gpus.length}`;
  setAside($("gpus-title"), gpus.length ? `${kind}, driver ${drivers.join(", ")}` : "");
  showNotice("gpus-empty", gpus.length ? "" : noGpus(node));
}

export function drawDevices(node) {
  const tags = Object.fromEntries(node.components.map((part) => [part.component, notMeasured(part.quality)]));
  const others = node.devices.filter((device) => device.gpu === null);
  const most = Math.max(...others.map((device) => device.power_w ?? 0), 1);
  fillBars($("devices"), others.map((device) => ({
    key: `${device.component} ${device.device}`,
    part: device.component,
    name: device.device,
    side: NAMES[device.component],
    value: watts(device.power_w),
    ratio: (device.power_w ?? 0) / most,
    more: `${energy(device.energy_j)} so far`,
    tag: tags[device.component] ?? "",
  })));
  showNotice("devices-empty", others.length ? "" : "No other device can be read.");
}

// --- where it went -----------------------------------------------------------------

const REASONS = {
  jobs: ["Jobs", "charged to who ran them"],
  idle: ["Idle", "drawn with nothing to do, and reserved by no job"],
  system: ["System", "the operating system and daemons"],
  unallocated: ["Unallocated", "GPUs, or parts of them, that nobody holds"],
  unknown: ["Unknown", "nobody could tell who was running"],
};

export function drawSplit(node) {
  const split = { jobs: 0, idle: 0, system: 0, unallocated: 0, unknown: 0 };
  let unattributed = 0;
  for (const { reason, energy_j } of node.unattributed) {
    split[reason] += energy_j;
    unattributed += energy_j;
  }
  split.jobs = Math.max(0, (node.energy_j ?? 0) - unattributed);
  const total = Object.values(split).reduce((sum, part) => sum + part, 0);
  // What rounding leaves over is nobody's energy.
  const parts = Object.entries(split).filter(([, part]) => part > 1e-9 * total).map(([reason, part]) => ({
    key: reason, part: reason, name: REASONS[reason][0], share: part / total,
    value: `${percent(part / total)} · ${energy(part)}`, more: REASONS[reason][1],
  }));
  fillStack($("split-bar"), $("split"), parts,
    `Energy so far: ${parts.map(({ name, share }) => `${name} ${percent(share)}`).join(", ")}`);
  $("split-empty").hidden = parts.length > 0;
  setFigure($("energy").parentElement, energyParts(node.energy_j));
  const weight = gramParts(node.emissions_g);
  setFigure($("grams").parentElement, weight && [weight[0], `${weight[1]} CO₂e`]);
  const fallback = node.fallback_emissions_g;
  setFacts($("split-facts"), [
    ["On fallback intensity", fallback ? `${grams(fallback)}, ${percent(fallback / node.emissions_g)}` : null],
    ["By contracts", node.market_emissions_g === null ? null : grams(node.market_emissions_g)],
    ["Making the node", node.embodied_g === null ? null : grams(node.embodied_g)],
  ]);
  setAside($("split-title"), parts.length ? "since jouled first ran after boot" : "");
}

// --- who reads it --------------------------------------------------------------------

const isFault = (source) => !source.up && !NOT_A_FAULT.has(source.reason);
const isAbsent = (source) => !source.up && !isFault(source);
// "nvml/GPU-…" is one device of "nvml": only one at fault has a line of its own.
const isMember = (source) => source.source.includes("/");

function sourceItem(source, members) {
  const more = [NAMES[source.component] ?? source.component, source.quality === "none" ? "" : `${source.quality} (${source.method})`];
  const own = members.filter(({ source: name }) => name.startsWith(`${source.source}/`));
  if (own.length) more.push(`${own.filter((member) => member.up).length} of ${count(own.length, "device", "devices")} up`);
  if (source.up && source.read_duration_s) more.push(`read in ${plain.format(source.read_duration_s * 1000)} ms`);
  for (const { reason, ticks } of source.errors) {
    if (reason !== "absent") more.push(`${reason} ${count(ticks, "time", "times")}`);
  }
  return {
    key: source.source, name: source.source, up: source.up, fault: isFault(source),
    state: source.up ? "up" : isAbsent(source) ? "not on this machine" : source.reason,
    tag: notMeasured(source.quality), more: more.filter(Boolean).join(" · "), message: source.up ? "" : source.message,
  };
}

export function drawSources(node) {
  const members = node.sources.filter(isMember);
  const faults = node.sources.filter(isFault);
  const up = node.sources.filter((source) => source.up && !isMember(source));
  const absent = node.sources.filter(isAbsent);
  fillSources($("sources"), [...faults, ...up].map((source) => sourceItem(source, members)));
  fillSources($("absent"), absent.map((source) => sourceItem(source, members)));
  $("absent-part").hidden = absent.length === 0;
  setText($("absent-which"), `Not on this machine: ${absent.map((source) => source.source).join(", ")}`);
  $("faults").hidden = faults.length === 0;
  setText($("faults-which"), `${count(faults.length, "source", "sources")} at fault: ${faults.map((source) => source.source).join(", ")}`);
  setAside($("sources-title"), node.sources.length ? `${up.length} up${faults.length ? `, ${faults.length} at fault` : ""}` : "");
  showNotice("sources-empty", node.sources.length ? "" : "Nothing is read on this machine.");
}

export function drawAbout(node) {
  const parts = [`jouled ${node.version}`];
  if (node.uptime_s !== undefined) parts.push(`up for ${duration(node.uptime_s)}`);
  parts.push(`sampled every ${plain.format(node.interval_s)} s`,
    `the last sample took ${plain.format(node.sample_duration_s * 1000)} ms`);
  if (node.missed_ticks) parts.push(`${count(node.missed_ticks, "tick", "ticks")} missed`);
  setText($("about"), parts.join(" · "));
}
