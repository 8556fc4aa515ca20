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

// Terminal colours, control characters, and marks that turn the direction of what follows.
const HIDDEN = /\x1b\[[0-9;]*[A-Za-z]|[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const MAX_REASON = 4_000;

/** Return a text of a server without what hides in it, or changes what is around it. */
export function plain(text) {
  return String(text ?? "").replace(HIDDEN, "");
}

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
      return `${image} - ${progress.imageFraction === null ? "step unknown" : (plain(progress.phase) || "running")}`;
    case "queued":
      return `${image} - queued, ${progress.ahead ? `${progress.ahead} ahead` : "next"}`;
    case "sending":
      return `${image} - sending`;
    default:
      return countsText(batch);
  }
}

/** Return `3 of 4 done, 1 failed`. */
export function countsText({ counts, total }) {
  const others = ["failed", "cancelled", "lost"].filter((status) => counts[status]);
  return [`${counts.done ?? 0} of ${total} done`, ...others.map((status) => `${counts[status]} ${status}`)].join(", ");
}

/** Return `KSampler · sampling · 5.9 it/s`: what the running image does. */
export function phaseText(progress) {
  if (progress.status !== "running") return "";
  const phase = progress.currentStep && progress.phase !== "working" ? progress.phase : "";
  const { rate } = progress;
  const speed = !rate ? "" : rate >= 1 ? `${rate.toFixed(1)} it/s` : `${(1 / rate).toFixed(1)} s/it`;
  return [plain(progress.node), plain(phase), speed].filter(Boolean).join(" · ");
}

/** Return `0:04 elapsed · 0:09 left`, `passed` seconds after that was so, or `about 1:02 to run` of a batch that waits. */
export function timesText({ status, elapsedSeconds: elapsed, leftSeconds: left }, passed) {
  if (status !== "running" && !elapsed) return left ? `about ${duration(left)} to run` : "";
  // Whole seconds, so that both times change in the same moment.
  const more = status === "running" ? Math.floor((elapsed % 1) + passed) : 0;
  const known = elapsed !== null && elapsed + more >= 1;
  const parts = [known && `${duration(elapsed + more)} elapsed`, left !== null && `${duration(left - more)} left`];
  return parts.filter(Boolean).join(" · ");
}

/** Return why images of a batch failed and which are lost, as `{text, status}`, once for all with the same reason. */
export function problemsOf({ images, total }) {
  const problems = new Map();
  for (const { index, status, error } of images.values()) {
    const reason = reasonOf(status, error);
    if (!reason) continue;
    if (!problems.has(reason)) problems.set(reason, { status, indexes: [] });
    problems.get(reason).indexes.push(index);
  }
  return [...problems].map(([reason, { status, indexes }]) => {
    if (total === 1) return { text: reason[0].toUpperCase() + reason.slice(1), status };
    const which = indexes.sort((one, other) => one - other).join(", ");
    return { text: `${indexes.length > 1 ? "Images" : "Image"} ${which} ${reason}`, status };
  });
}

function reasonOf(status, error) {
  if (status === "lost") return "lost: no longer on the server";
  if (status !== "failed") return "";
  const details = [error?.message || "no reason was given", ...(error?.inputs ?? [])].join("; ");
  const reason = plain(`failed: ${error?.node ? `${error.node}: ` : ""}${details}`).trim();
  return reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : reason;
}

/** Return what there is to say while no batch of mine is open; the queue may have jobs of other clients. */
export function idleText(queue, old) {
  return `${queue ? "None of your jobs" : "Nothing"} is running${old ? ", as last seen" : ""}`;
}
