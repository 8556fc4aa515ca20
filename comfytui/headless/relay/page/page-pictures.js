// The files of a batch: the newest picture large, the preview of the one that runs, thumbnails, and links to the others.

import { element, placeAt, setAttribute, update } from "./page-elements.js";
import { filesOf } from "./page-model.js";
import { Preview } from "./page-preview.js";

const MAX_THUMBNAILS = 24;
const MAX_LINKS = 24;
const THUMBNAIL_WIDTH = 192;
const PICTURE_WIDTH = 1024;

/** A link to a picture, which shows it at a width; a text instead if it cannot be had. */
class Picture {
  constructor(className, width, loading) {
    this.width = width;
    this.image = element("img", { decoding: "async", loading });
    this.missing = element("span");
    this.image.addEventListener("error", () => this.node.classList.add("missing"));
    this.image.addEventListener("load", () => this.node.classList.remove("missing"));
    this.node = element("a", { className, target: "_blank", rel: "noopener" }, this.image, this.missing);
  }

  show(picture, total) {
    const seed = picture.seed === null || picture.seed === undefined ? "" : `, seed ${picture.seed}`;
    const source = `${picture.url}?width=${this.width}`;
    if (this.image.getAttribute("src") !== source) {
      this.image.src = source;
      this.node.classList.remove("missing");
    }
    setAttribute(this.node, "href", picture.url);
    update(this.image, { alt: `Image ${picture.index} of ${total}${seed}` });
    update(this.missing, { textContent: `Image ${picture.index} not available` });
    update(this.node, { title: `${this.image.alt}, ${picture.name}` });
  }
}

/** All files of one batch. */
export class FilesView {
  constructor() {
    this.picture = new Picture("picture", PICTURE_WIDTH, "eager");
    for (const name of ["load", "error"]) this.picture.image.addEventListener(name, () => this.refresh());
    this.preview = new Preview(() => this.refresh());
    this.thumbnails = element("div", { className: "thumbnails" });
    this.more = element("span", { className: "more" });
    this.shown = new Map();
    this.files = element("ul", { className: "files" });
    this.nodes = [this.preview.node, this.picture.node, this.thumbnails, this.files];
  }

  /** Show the files of a batch: the newest `large` or not, and the preview of what runs unless it is `old`. */
  show(batch, { large, old }) {
    this.last = [batch, { large, old }];
    const files = filesOf(batch);
    this.showLinks(files.filter((file) => file.media !== "image").slice(-MAX_LINKS));
    const found = files.filter((file) => file.media === "image");
    const newest = large ? found.at(-1) : undefined;
    if (newest) this.picture.show(newest, batch.total);
    // The preview stays until the finished picture is there.
    if (!newest || this.picture.image.complete) {
      this.preview.show(large ? runningImage(batch) : null, !old && Boolean(batch.progress?.currentStep));
    }
    const previewed = large && this.preview.isShown;
    update(this.preview.node, { hidden: !previewed });
    update(this.picture.node, { hidden: !newest || previewed });
    // The only picture is not shown twice.
    this.showThumbnails(newest && found.length < 2 && !previewed ? [] : found, batch.total);
  }

  refresh() {
    if (this.last) this.show(...this.last);
  }

  /** Name the files that are no pictures. */
  showLinks(files) {
    const shown = files.map((file) => file.url).join(" ");
    if (this.links === shown) return;
    this.links = shown;
    this.files.replaceChildren(...files.map(linkTo));
  }

  showThumbnails(found, total) {
    const newest = found.slice(-MAX_THUMBNAILS);
    const hidden = found.length - newest.length;
    const wanted = new Set(newest.map((picture) => picture.url));
    for (const [url, view] of this.shown) {
      if (wanted.has(url)) continue;
      view.node.remove();
      this.shown.delete(url);
    }
    newest.forEach((picture, place) => {
      let view = this.shown.get(picture.url);
      if (!view) this.shown.set(picture.url, (view = new Picture("thumbnail", THUMBNAIL_WIDTH, "lazy")));
      view.show(picture, total);
      placeAt(this.thumbnails, view.node, place);
    });
    update(this.more, { textContent: hidden ? `and ${hidden} more` : "" });
    placeAt(this.thumbnails, this.more, newest.length);
    update(this.thumbnails, { hidden: !newest.length });
  }
}

function linkTo({ url, name, media, index }) {
  const link = element("a", { href: url, textContent: name, dir: "auto", download: "" });
  return element("li", {}, `Image ${index}, ${media}: `, link);
}

/** Return the image of a batch that runs, as `{promptId, index}`; null if none does. */
function runningImage({ end, progress, images }) {
  if (end || progress.status !== "running" || images.has(progress.imageIndex)) return null;
  return { promptId: progress.promptId, index: progress.imageIndex };
}

/** Ask again for the pictures that could not be had. */
export function reloadMissing() {
  for (const image of document.querySelectorAll(".missing img")) image.src = image.getAttribute("src");
}
