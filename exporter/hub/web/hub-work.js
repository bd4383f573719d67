// Who uses it: tenants over the last day, and the jobs that draw the most now.

import { $, setAside } from "./page.js";
import { makeTable } from "./table.js";
import { UNKNOWN, count, energy, grams, percent, plain, watts, whole } from "./words.js";
import { remedyOf } from "./hub-power.js";

let several = false;
let largest = 0;

const withCluster = (text, { cluster }) => [text, several ? cluster : ""].filter(Boolean).join(" · ");

const TENANTS = [
  {
    label: "Tenant", sort: (one) => one.tenant,
    cell: (one) => [one.tenant || "(none)", withCluster(one.scheduler, one)],
  },
  { label: "Power", className: "number", sort: (one) => one.power_w, first: "down", cell: (one) => watts(one.power_w) },
  {
    label: "24 hours", className: "number", sort: (one) => one.energy_j, first: "down",
    cell: (one) => ({ text: energy(one.energy_j), meter: largest > 0 ? one.energy_j / largest : null }),
  },
  { label: "CO₂e", className: "number", sort: (one) => one.emissions_g, first: "down", cell: (one) => grams(one.emissions_g) },
];

const tenants = makeTable("tenants", TENANTS, {
  keyOf: (one) => `${one.cluster} ${one.scheduler} ${one.tenant}`,
  sortedBy: 2,
});

export function drawTenants(overview) {
  several = overview.clusters.length > 1;
  const found = overview.day?.tenants ?? [];
  largest = Math.max(0, ...found.map((one) => one.energy_j));
  setAside($("tenants-title"), found.length ? "most energy in 24 hours" : "");
  tenants.show(found, remedyOf(overview, "tenants")
    || "No tenant used energy in the last 24 hours. If jobs ran, the nodes need metrics.level tenant or job, and Prometheus the rules of record-tenants.yml.");
}

const JOBS = [
  { label: "Job", sort: (job) => job.job_id, cell: (job) => (job.pod ? [job.pod, job.job_id] : [job.job_id, job.name]) },
  {
    label: "Whose", sort: (job) => job.user || job.namespace || null,
    cell: (job) => [job.user || job.namespace || UNKNOWN, withCluster(job.account || job.partition, job)],
  },
  {
    label: "Nodes", className: "number", sort: (job) => job.nodes, first: "down",
    cell: (job) => (job.nodes === null ? UNKNOWN : whole.format(job.nodes)),
  },
  {
    label: "GPUs", className: "number", sort: (job) => job.gpus, first: "down",
    cell: (job) => (job.gpus === null ? UNKNOWN
      : [plain.format(job.gpus), job.gpu_utilization_ratio === null ? "" : `${percent(job.gpu_utilization_ratio)} used`]),
  },
  { label: "Power", className: "number", sort: (job) => job.power_w, first: "down", cell: (job) => watts(job.power_w) },
  { label: "Energy", className: "number", sort: (job) => job.energy_j, first: "down", cell: (job) => energy(job.energy_j) },
  { label: "CO₂e", className: "number", sort: (job) => job.emissions_g, first: "down", cell: (job) => grams(job.emissions_g) },
];

const jobs = makeTable("jobs", JOBS, {
  keyOf: (job) => `${job.cluster} ${job.scheduler} ${job.job_id} ${job.pod} ${job.user}`,
  sortedBy: JOBS.findIndex(({ label }) => label === "Power"),
  rows: 10,
});

export function drawJobs(overview) {
  several = overview.clusters.length > 1;
  const found = overview.jobs.largest ?? [];
  const { running } = overview.jobs;
  setAside($("jobs-title"), running === null ? "" : `of ${count(running, "job", "jobs")} that run${running === 1 ? "s" : ""}`);
  jobs.show(found, remedyOf(overview, "jobs")
    || "No jobs run now. If they do, the nodes need metrics.level job, and Prometheus the rules of record-jobs.yml.");
}
