// The newest preview of an image that runs, within a budget of bytes for the whole page.

import { element, setAttribute, update } from "./page-elements.js";
import { getPreview } from "./page-requests.js";

const BYTES_PER_SECOND = 32_000;
const SHORTEST_PAUSE = 1_000;
const PAUSE_WITHOUT = 2_000;
const MAX_EDGE = 1024;

let paused = false;

/** A picture of how far an image is; `onChange` is called when there is another one. */
export class Preview {
  constructor(onChange) {
    this.onChange = onChange;
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.caption = element("figcaption");
    this.node = element("figure", { className: "preview", hidden: true }, this.canvas, this.caption);
    this.promptId = null;
    this.isShown = false;
    this.tag = "";
  }

  /** Show the preview of an image that runs, null for none; `moves` tells whether there may be a newer one. */
  show(image, moves) {
    if (this.promptId !== (image?.promptId ?? null)) {
      this.promptId = image?.promptId ?? null;
      this.isShown = false;
      this.tag = "";
    }
    if (!image) return;
    const text = `Preview of image ${image.index}`;
    setAttribute(this.canvas, "aria-label", text);
    update(this.caption, { textContent: text });
    if (moves && !paused && isWanted(this.node.parentElement)) this.load(image.promptId);
  }

  /** Load the newest preview, and pause as long as its bytes take of the budget. */
  async load(promptId) {
    paused = true;
    let pause = PAUSE_WITHOUT;
    try {
      const preview = await getPreview(promptId, this.tag);
      pause = Math.max(SHORTEST_PAUSE, ((preview?.image.size ?? 0) / BYTES_PER_SECOND) * 1000);
      if (preview) await this.draw(promptId, preview);
    } catch {
      // There is none yet, or it is no image: the next one is tried.
    }
    setTimeout(() => (paused = false), pause);
  }

  async draw(promptId, { image, tag }) {
    const bitmap = await createImageBitmap(image);
    if (promptId === this.promptId) {
      const scale = Math.min(1, MAX_EDGE / Math.max(bitmap.width, bitmap.height));
      this.canvas.width = Math.max(1, bitmap.width * scale);
      this.canvas.height = Math.max(1, bitmap.height * scale);
      this.canvas.getContext("2d").drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
      this.isShown = true;
      this.tag = tag;
      this.onChange();
    }
    bitmap.close();
  }
}

/** Return whether somebody looks at an element, and has not asked to save data. */
function isWanted(node) {
  if (!node || document.hidden || navigator.connection?.saveData) return false;
  const { top, bottom } = node.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
