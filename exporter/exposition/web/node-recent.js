// The last minutes of the node: what the daemon remembers, and beside it what this page
// was told since it was opened, because the daemon keeps no past of single jobs and GPUs.

export const WINDOW_S = 600;

/** Moments of the node as the daemon tells them, oldest first. */
export let points = [];
/** Moments since the page was opened: power_w of the node, its jobs, its GPUs by name. */
export let moments = [];

export const newestUnixS = () => (points.length ? points.at(-1).unix_s : 0);

/** Take over new history and forget what is older than the window. */
export function remember(node, jobs) {
  const history = node.history;
  if (history.length) {
    // The wall clock may have been set back: then the past is not comparable.
    if (points.length && history[0].unix_s < points.at(-1).unix_s) {
      points = [];
      moments = [];
    }
    points = points.concat(history);
  }
  // Only of the same tick do the jobs and the rest add up.
  if (jobs.unix_s === node.unix_s && jobs.unix_s !== moments.at(-1)?.unix_s && node.power_w !== null) {
    moments.push({
      unix_s: node.unix_s,
      power_w: node.power_w,
      jobs: jobs.jobs.filter((job) => job.power_w !== null),
      gpus: new Map(node.devices.filter(({ gpu }) => gpu !== null).map((device) => [device.device, device.power_w])),
    });
  }
  const oldest = newestUnixS() - WINDOW_S;
  points = points.filter((point) => point.unix_s >= oldest);
  moments = moments.filter((moment) => moment.unix_s >= oldest);
}
