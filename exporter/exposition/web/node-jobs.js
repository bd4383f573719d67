// The jobs of the node: who uses how much of it.

import { $, setAside } from "./page.js";
import { makeTable } from "./table.js";
import { UNKNOWN, count, duration, energy, grams, jobName, notMeasured, percent, plain, watts } from "./words.js";

let nowUnixS = 0;
let tags = {};

const since = (job) => job.start_unix_s ?? job.created_unix_s;
const ranS = (job) => (job.running ? nowUnixS : job.end_unix_s) - since(job);
const tagOf = (job) => Object.keys(job.components_w).map((part) => tags[part]).find(Boolean) ?? "";
const expected = (value, words) => (value === null ? "" : `of ${words(value)}`);

const COLUMNS = [
  {
    label: "Job", sort: (job) => job.job_id,
    cell: (job) => [job.job_id, jobName(job)],
  },
  {
    label: "Whose", sort: (job) => job.user || job.namespace || null,
    cell: (job) => [job.user || job.namespace || UNKNOWN, job.user ? job.account : job.pod === jobName(job) ? "" : job.pod],
  },
  {
    label: "Scheduler", sort: (job) => job.scheduler,
    cell: (job) => [job.scheduler, job.partition],
  },
  {
    label: "Time", className: "short", sort: ranS, first: "down",
    cell: (job) => [duration(ranS(job)), job.running ? "running" : `ended ${duration(nowUnixS - job.end_unix_s)} ago`],
  },
  {
    label: "GPUs", className: "number", sort: (job) => job.gpus, first: "down",
    when: (jobs) => jobs.some((job) => job.gpus),
    cell: (job) => (job.gpus === null ? UNKNOWN
      : [plain.format(job.gpus), job.gpu_utilization_ratio === null ? "" : `${percent(job.gpu_utilization_ratio)} used`]),
  },
  {
    label: "Power", className: "number", sort: (job) => job.power_w, first: "down",
    cell: (job) => [watts(job.power_w), "", tagOf(job)],
  },
  {
    label: "Energy", className: "number", sort: (job) => job.energy_j, first: "down",
    cell: (job) => [energy(job.energy_j), expected(job.projected_energy_j, energy)],
  },
  {
    label: "CO₂e", className: "number", sort: (job) => job.emissions_g, first: "down",
    cell: (job) => [grams(job.emissions_g), expected(job.projected_emissions_g, grams)],
  },
  {
    label: "Done", className: "number", sort: (job) => job.progress_ratio, first: "down",
    when: (jobs) => jobs.some((job) => job.progress_ratio !== null),
    cell: (job) => ({ text: percent(job.progress_ratio), meter: job.progress_ratio }),
  },
];

const table = makeTable("jobs", COLUMNS, {
  keyOf: (job) => `${job.scheduler} ${job.job_id} ${job.pod} ${job.created_unix_s}`,
  sortedBy: COLUMNS.findIndex(({ label }) => label === "Power"),
  mark: (row, job) => { row.dataset.ended = String(!job.running); },
});

function noJobs(node) {
  const schedulers = node.sources.filter((source) => source.component === "workloads");
  const down = schedulers.find((source) => !source.up && source.reason !== "absent");
  if (down) return `Jobs are not known (${down.source}): ${down.message || down.reason}`;
  if (schedulers.some((source) => source.up)) return "No jobs are running on this node.";
  const looked = schedulers.map((source) => source.message).filter(Boolean);
  return ["No jobs: no scheduler is read on this node, so all energy is unattributed.", looked.length
    ? `This was looked for: ${looked.join("; ")}.`
    : "Set slurm.enabled or kubernetes.enabled to have jobs told apart."].join(" ");
}

export function drawJobs(answer, node) {
  nowUnixS = answer.unix_s;
  tags = Object.fromEntries(node.components.map((part) => [part.component, notMeasured(part.quality)]));
  table.show(answer.jobs, noJobs(node));
  $("jobs-note").hidden = answer.jobs.every((job) => job.projected_energy_j === null);
  const running = answer.jobs.filter((job) => job.running).length;
  const ended = answer.jobs.length - running;
  const parts = [];
  if (answer.jobs.length) parts.push(`${running} running`);
  if (ended) parts.push(`${ended} ended`);
  if (answer.jobs_waiting) parts.push(`${count(answer.jobs_waiting, "job", "jobs")} not shown, over the cap`);
  setAside($("jobs-title"), parts.join(", "));
}
