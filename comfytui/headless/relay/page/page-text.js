// Texts for what the relay tells, in the words of the terminal.

const LINKS = {
  live: ["live", "good"],
  polling: ["polling", "warning"],
  orphaned: ["live, no frames arrive", "warning"],
  busy: ["not answering", "warning"],
  connecting: ["connecting", "warning"],
  offline: ["offline", "bad"],
  unauthorised: ["login rejected", "bad"],
  not_comfyui: ["not a ComfyUI", "bad"],
  other_server: ["different server", "bad"],
};
const OBSERVING = new Set(["live", "polling", "orphaned"]);

/** Return the text and the colour of the relay's connection to ComfyUI. */
export function linkText(link) {
  return LINKS[link] ?? [String(link), "warning"];
}

/** Return whether nothing observes the server, so that what is known of jobs is old. */
export function isAway(link) {
  return Boolean(link) && !OBSERVING.has(link);
}

/** Return `0:41`, `12:40` or `2h51`. */
export function duration(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}h${pad(minutes)}` : `${minutes}:${pad(total % 60)}`;
}

/** Return how far a batch is in one line, such as `Image 2 of 4 - Step 12/20 (60%)`. */
export function progressLine(batch) {
  const progress = batch.progress;
  if (batch.end || !progress) return countsText(batch);
  const image = `Image ${progress.imageIndex} of ${progress.totalImages}`;
  switch (progress.status) {
    case "running":
      if (progress.currentStep) {
        return `${image} - Step ${progress.currentStep}/${progress.totalSteps} (${progress.percentage}%)`;
      }
      return `${image} - ${progress.imageFraction === null ? "step unknown" : (progress.phase ?? "running")}`;
    case "queued":
      return `${image} - queued, ${progress.ahead ? `${progress.ahead} ahead` : "next"}`;
    case "sending":
      return `${image} - sending`;
    default:
      return countsText(batch);
  }
}

/** Return `3 of 4 done, 1 failed`. */
export function countsText(batch) {
  const counts = { done: 0 };
  for (const image of batch.images.values()) counts[image.status] = (counts[image.status] ?? 0) + 1;
  Object.assign(counts, batch.end?.counts);
  const others = ["failed", "cancelled", "lost"].filter((status) => counts[status]);
  return [`${counts.done} of ${batch.total} done`, ...others.map((status) => `${counts[status]} ${status}`)].join(", ");
}

/** Return `KSampler · sampling · 5.9 it/s`: what the running image does. */
export function phaseText(progress) {
  if (progress?.status !== "running") return "";
  const phase = progress.currentStep && progress.phase !== "working" ? progress.phase : "";
  const { rate } = progress;
  const speed = !rate ? "" : rate >= 1 ? `${rate.toFixed(1)} it/s` : `${(1 / rate).toFixed(1)} s/it`;
  return [progress.node, phase, speed].filter(Boolean).join(" · ");
}

/** Return `0:04 elapsed · 0:09 left`. */
export function timesText(progress) {
  const { elapsedSeconds: elapsed, leftSeconds: left } = progress ?? {};
  const parts = [elapsed >= 1 && `${duration(elapsed)} elapsed`, left != null && `${duration(left)} left`];
  return parts.filter(Boolean).join(" · ");
}

/** Return why an image has failed, or that it is lost; empty if neither. */
export function problemText(image, total) {
  const name = total > 1 ? `Image ${image.index} ${image.status}` : image.status[0].toUpperCase() + image.status.slice(1);
  if (image.status === "lost") return `${name}: the server no longer knows it`;
  if (image.status !== "failed") return "";
  const error = image.error;
  const node = error?.node ? `${error.node}: ` : "";
  const details = [error?.message ?? "no reason was given", ...(error?.inputs ?? [])].join("; ");
  return `${name}: ${node}${details}`;
}
