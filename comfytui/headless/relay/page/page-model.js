// What the page knows: my batches, from the snapshot of the queue and the events since.

import { plain } from "./page-text.js";

const ENDS = new Set(["done", "failed", "cancelled", "lost"]);

/** My batches by id, in the order in which they were queued. */
export class Model {
  batches = new Map();

  /** Replace what is known by a snapshot of the queue. */
  applySnapshot(snapshot) {
    const jobs = new Map(snapshot.batches.map((batch) => [batch.batchId, []]));
    for (const job of [...snapshot.running, ...snapshot.pending, ...snapshot.ended]) jobs.get(job.batchId)?.push(job);
    this.batches = new Map(snapshot.batches.map((batch) => [batch.batchId, batchOf(batch, jobs.get(batch.batchId))]));
  }

  /** Apply an event; return the batch that it is about, or null if that is not known. */
  applyEvent(event) {
    const batch = this.batches.get(event.batchId);
    if (!batch) return null;
    if (event.event === "progress") {
      batch.progress = event;
      batch.progressAt = performance.now();
      batch.end = null;
      const { promptId, imageIndex: index, status } = event;
      // The image of an event may have ended already: then it tells how far the batch is.
      if (batch.openJobs.has(index)) batch.openJobs.set(index, { promptId, index, status });
    } else if (event.event === "image") {
      addImage(batch, imageOf(event));
    } else if (!event.promptId && ENDS.has(event.event)) {
      batch.end = event.event;
      batch.counts = { ...event.counts };
    }
    return batch;
  }

  /** Return the batches that have not ended, the one that runs first. */
  open() {
    return [...this.batches.values()].filter((batch) => !batch.end);
  }

  /** Return the batches that have ended, the newest first. */
  ended() {
    return [...this.batches.values()].filter((batch) => batch.end).reverse();
  }
}

/** Return the files of a batch, as `{url, name, media, index, seed}`, in order. */
export function filesOf(batch) {
  const images = [...batch.images.values()].sort((one, other) => one.index - other.index);
  return images.flatMap(({ outputs, index, seed }) =>
    outputs
      .filter((file) => file.url?.startsWith("/api/view/"))
      .map(({ url, filename, media }) => ({ url, name: plain(filename), media, index, seed })),
  );
}

function batchOf(document, jobs) {
  return {
    id: document.batchId,
    title: plain(document.title),
    total: document.totalImages,
    progress: document.progress,
    progressAt: performance.now(),
    end: document.progress ? null : document.status,
    counts: { ...document.counts },
    images: new Map(jobs.filter((job) => ENDS.has(job.status)).map((job) => [job.imageIndex, imageOf(job)])),
    openJobs: openJobs(jobs),
  };
}

/** Return the jobs that have not ended, as `{promptId, index, status}` by their index, in this order. */
function openJobs(jobs) {
  const open = jobs.filter((job) => !ENDS.has(job.status)).sort((one, other) => one.imageIndex - other.imageIndex);
  return new Map(open.map(({ promptId, imageIndex: index, status }) => [index, { promptId, index, status }]));
}

function imageOf({ promptId, imageIndex: index, status, outputs, error, seed }) {
  return { promptId, index, status, outputs, error, seed };
}

function addImage(batch, image) {
  const before = batch.images.get(image.index);
  if (before) batch.counts[before.status] -= 1;
  batch.counts[image.status] = (batch.counts[image.status] ?? 0) + 1;
  batch.images.set(image.index, image);
  batch.openJobs.delete(image.index);
}
