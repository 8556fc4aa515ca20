// What cancels: all that is left of a batch, or one image of it.

import { element, placeAt, update } from "./page-elements.js";
import { cancelBatch, cancelJob } from "./page-requests.js";

const SURE_WITHIN = 5_000;
const MAX_LISTED = 24;

/** A button that cancels something when it is pressed a second time; `name` is for who does not see what is beside it. */
class CancelButton {
  constructor({ question, name = "", cancel }) {
    this.question = question;
    this.text = element("span");
    this.button = element("button", { type: "button" }, this.text, element("span", { className: "unseen", textContent: name }));
    this.error = element("span", { className: "bad" });
    this.error.setAttribute("role", "alert");
    this.reset();
    this.button.addEventListener("click", () => this.press(cancel));
    this.button.addEventListener("blur", () => this.sure && this.reset());
  }

  reset() {
    clearTimeout(this.sure);
    this.sure = undefined;
    this.text.textContent = "Cancel";
  }

  async press(cancel) {
    if (this.busy) return;
    this.error.textContent = "";
    if (!this.sure) {
      this.sure = setTimeout(() => this.reset(), SURE_WITHIN);
      this.text.textContent = this.question;
      return;
    }
    this.reset();
    this.busy = true;
    // It stays enabled: a disabled one would lose the focus.
    this.text.textContent = "Cancelling";
    let shownFor = SURE_WITHIN;
    try {
      await cancel();
    } catch (error) {
      this.error.textContent = error.message;
      shownFor = 0;
    }
    setTimeout(() => {
      this.busy = false;
      this.reset();
    }, shownFor);
  }
}

/** What cancels the rest of a batch, and single images of it. */
export class CancelView {
  constructor({ id, total }) {
    const question = total > 1 ? "Cancel all that is left?" : "Sure?";
    const all = new CancelButton({ question, cancel: () => cancelBatch(id) });
    this.summary = element("summary");
    this.list = element("ul");
    this.more = element("p");
    this.details = element("details", { className: "left" }, this.summary, this.list, this.more);
    this.details.addEventListener("toggle", () => this.showImages());
    this.rows = new Map();
    this.node = element("div", { className: "actions", hidden: true }, all.button, all.error, this.details);
  }

  /** Show it for a batch that has not ended, if `mayCancel`; the images singly if there are several. */
  show({ end, openJobs }, mayCancel) {
    this.jobs = openJobs;
    update(this.node, { hidden: Boolean(end) || !mayCancel });
    update(this.details, { hidden: openJobs.size < 2 });
    update(this.summary, { textContent: `${openJobs.size} images left` });
    this.showImages();
  }

  showImages() {
    const listed = this.details.open ? [...this.jobs.values()].slice(0, MAX_LISTED) : [];
    const wanted = new Set(listed.map((job) => job.index));
    for (const [index, row] of this.rows) {
      if (wanted.has(index)) continue;
      row.node.remove();
      this.rows.delete(index);
    }
    listed.forEach((job, place) => {
      let row = this.rows.get(job.index);
      if (!row) this.rows.set(job.index, (row = new ImageRow(job.index)));
      row.show(job);
      placeAt(this.list, row.node, place);
    });
    const others = this.jobs.size - listed.length;
    update(this.more, { textContent: others ? `and ${others} more` : "" });
  }
}

/** One image that has not ended. */
class ImageRow {
  constructor(index) {
    this.text = element("span");
    const cancel = () => cancelJob(this.promptId);
    const button = new CancelButton({ question: "Sure?", name: ` image ${index}`, cancel });
    this.node = element("li", {}, this.text, button.error, button.button);
  }

  show({ promptId, index, status }) {
    this.promptId = promptId;
    update(this.text, { textContent: `Image ${index}, ${status}` });
  }
}
