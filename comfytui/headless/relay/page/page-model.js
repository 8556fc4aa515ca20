// What the page knows: my batches, from the snapshot of the queue and the events since.

const MAX_BATCHES = 40;
const ENDS = new Set(["done", "failed", "cancelled", "lost"]);

/** My batches by id, in the order in which they were queued. */
export class Model {
  batches = new Map();

  /** Replace what is known by a snapshot of the queue. */
  applySnapshot(snapshot) {
    const batches = (snapshot.batches ?? []).slice(-MAX_BATCHES);
    this.batches = new Map(batches.map((batch) => [batch.batchId, batchOf(batch)]));
  }

  /** Apply an event; return the batch that it is about, or null if that is not known. */
  applyEvent(event) {
    const batch = this.batches.get(event.batchId);
    if (!batch) return null;
    if (event.event === "progress") {
      batch.progress = event;
      batch.end = null;
    } else if (event.event === "image") {
      batch.images.set(event.imageIndex, imageOf(event));
    } else if (!event.promptId && ENDS.has(event.event)) {
      batch.end = { status: event.event, counts: event.counts };
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

/** Return the files of a batch that are images, as `{url, index, total, seed}`, in order. */
export function pictures(batch) {
  const images = [...batch.images.values()].sort((one, other) => one.index - other.index);
  return images.flatMap((image) =>
    image.outputs
      .filter((file) => file.media === "image" && file.url?.startsWith("/api/view/"))
      .map((file) => ({ url: file.url, name: file.filename, index: image.index, seed: image.seed })),
  );
}

function batchOf(document) {
  const images = (document.jobs ?? []).filter((job) => ENDS.has(job.status)).map(imageOf);
  return {
    id: document.batchId,
    title: document.title,
    total: document.totalImages,
    progress: document.progress ?? null,
    images: new Map(images.map((image) => [image.index, image])),
    end: ENDS.has(document.status) ? { status: document.status, counts: document.counts } : null,
  };
}

function imageOf(document) {
  const { promptId, imageIndex: index, status, outputs, error, seed } = document;
  return { promptId, index, status, outputs: outputs ?? [], error, seed };
}
