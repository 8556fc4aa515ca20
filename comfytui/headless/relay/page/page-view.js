// The elements of the page. Whatever a server says is set as text, and only what changed is touched.

import { CancelView } from "./page-cancel.js";
import { element, placeAt, setAttribute, update } from "./page-elements.js";
import { FilesView } from "./page-pictures.js";
import { countsText, phaseText, problemsOf, progressLine, timesText } from "./page-text.js";

const MAX_BATCHES = 20;
const MAX_PROBLEMS = 5;
const PROBLEM_COLOURS = { failed: "bad", lost: "warning" };
const LONG = 160;

const byId = (id) => document.getElementById(id);

/** A labelled bar with its value in words. */
class Bar {
  constructor(label) {
    this.bar = element("progress", { max: 1 });
    this.bar.setAttribute("aria-label", label);
    const name = element("span", { textContent: label });
    name.setAttribute("aria-hidden", "true");
    this.node = element("div", { className: "bar" }, name, this.bar);
  }

  show(fraction, text) {
    if (fraction === null || fraction === undefined) this.bar.removeAttribute("value");
    else setAttribute(this.bar, "value", String(fraction));
    setAttribute(this.bar, "aria-valuetext", text);
  }
}

/** One batch. */
export class BatchView {
  constructor(batch) {
    this.title = element("h3", { dir: "auto" });
    this.line = element("span");
    this.seen = element("span", { className: "seen", textContent: "as last seen" });
    this.phase = element("span");
    this.times = element("span");
    this.figures = element("p", { className: "figures" }, this.phase, this.times);
    this.bars = { image: new Bar("image"), batch: new Bar("batch") };
    this.problems = element("ul", { className: "problems" });
    this.files = new FilesView();
    this.cancel = new CancelView(batch);
    this.node = element(
      "article",
      { className: "batch" },
      element("details", { className: "title" }, element("summary", {}, this.title)),
      element("p", { className: "line" }, this.line, this.seen),
      this.bars.image.node,
      this.bars.batch.node,
      this.figures,
      this.problems,
      this.cancel.node,
      ...this.files.nodes,
    );
    this.node.dataset.id = batch.id;
  }

  /** Show a batch: its newest picture `large` or not, and, if it is `old`, that it is as last seen. */
  show(batch, { large, old, mayCancel }) {
    const title = batch.title || "(no title)";
    update(this.title, { textContent: title, title });
    setAttribute(this.node, "aria-label", title);
    this.showProgress(batch, old);
    this.cancel.show(batch, mayCancel);
    this.files.show(batch, { large, old });
    this.showProblems(batch);
  }

  showProgress(batch, old) {
    const { progress, end } = batch;
    const line = progressLine(batch);
    const running = !end && progress.status === "running";
    setAttribute(this.node, "data-status", end ?? progress.status);
    update(this.line, { textContent: line });
    update(this.seen, { hidden: Boolean(end) || !old });
    update(this.bars.image.node, { hidden: !running });
    update(this.bars.batch.node, { hidden: Boolean(end) });
    update(this.figures, { hidden: Boolean(end) });
    if (end) return;
    this.bars.image.show(progress.imageFraction, line);
    this.bars.batch.show(progress.batchFraction, countsText(batch));
    update(this.phase, { textContent: phaseText(progress) });
    this.showTimes(batch, old);
  }

  /** Count the times on; those of an `old` batch stand still. */
  showTimes({ progress, progressAt }, old) {
    if (old && this.times.textContent) return;
    const passed = old ? 0 : (performance.now() - progressAt) / 1000;
    update(this.times, { textContent: timesText(progress, passed) });
  }

  showProblems(batch) {
    const all = problemsOf(batch);
    const shown = all.slice(0, MAX_PROBLEMS);
    if (all.length > shown.length) shown.push({ text: `and ${all.length - shown.length} more` });
    const texts = shown.map(({ text }) => text).join("\n");
    if (this.problemTexts === texts) return;
    this.problemTexts = texts;
    this.problems.replaceChildren(
      ...shown.map(({ text, status }) => element("li", { dir: "auto", className: PROBLEM_COLOURS[status] ?? "" }, folded(text))),
    );
    update(this.problems, { hidden: !shown.length });
  }
}

/** Return a text, of which only the beginning is shown until it is opened if it is long. */
function folded(text) {
  const isLong = text.length > LONG || text.includes("\n");
  return isLong ? element("details", {}, element("summary", { textContent: text, dir: "auto" })) : text;
}

/** Return what gives the focus back that an element loses as it moves, or passes it on to its batch if it is gone. */
function focusKeeper() {
  const focused = document.activeElement;
  const batch = focused?.closest("article");
  return () => {
    const isGone = batch && !focused.getClientRects().length;
    if (!batch || (!isGone && document.activeElement === focused)) return;
    const next = isGone ? batch.querySelector("summary") : focused;
    next.focus({ preventScroll: true });
  };
}

/** Say at the end of a section how many batches of a kind are not shown. */
function showOmitted(id, count, kind) {
  update(byId(id).querySelector(":scope > .more"), { textContent: count > 0 ? `and ${count} ${kind}` : "" });
}

/** The whole page. */
export class PageView {
  views = new Map();
  empty = byId("empty");
  old = false;

  /** Show the batches of a model; `changed` has the ids of those that may differ, or is null for all. */
  showBatches(model, { changed, old, idle, mayCancel }) {
    this.old = old;
    const keepFocus = focusKeeper();
    const open = model.open();
    const ended = model.ended();
    // With none open, the newest is in their place.
    const front = (open.length ? open : ended.splice(0, 1)).slice(0, MAX_BATCHES);
    const past = ended.slice(0, MAX_BATCHES);
    this.removeOthers(new Set([...front, ...past].map((batch) => batch.id)));
    update(this.empty, { textContent: idle, hidden: open.length > 0 });
    const large = new Set(front);
    for (const [id, batches] of Object.entries({ front, ended: past })) {
      const list = byId(id).querySelector(".batches");
      batches.forEach((batch, place) => {
        let view = this.views.get(batch.id);
        const isNew = !view;
        if (isNew) this.views.set(batch.id, (view = new BatchView(batch)));
        placeAt(list, view.node, place);
        if (isNew || !changed || changed.has(batch.id)) view.show(batch, { large: large.has(batch), old, mayCancel });
      });
    }
    showOmitted("front", open.length - front.length, "waiting");
    showOmitted("ended", ended.length - past.length, "older");
    update(byId("ended"), { hidden: !ended.length });
    keepFocus();
    const running = open.find((batch) => batch.progress.status === "running");
    update(document, { title: running && !old ? `${progressLine(running)} · comfytui` : "comfytui" });
  }

  /** Count the times of the running batches on. */
  showTimes(model) {
    for (const batch of model.open()) {
      if (batch.progress.status === "running") this.views.get(batch.id)?.showTimes(batch, this.old);
    }
  }

  removeOthers(ids) {
    for (const [id, view] of this.views) {
      if (ids.has(id)) continue;
      view.node.remove();
      this.views.delete(id);
    }
  }

  /** Show the server, and its link as text and colour. */
  showServer({ name, queue, link, old }) {
    const [text, colour] = link;
    update(byId("server"), { textContent: name ?? "", title: name ?? "" });
    update(byId("link"), { textContent: text, className: colour });
    update(byId("queue"), { textContent: queue === null ? "" : `queue ${queue}` });
    document.body.classList.toggle("old", old);
  }

  /** Show why what is shown may be old; a screen reader says so too, and then that the reason is gone. */
  showNotice(text, link) {
    const notice = byId("notice");
    if (notice.textContent === text) return;
    update(notice, { textContent: text, hidden: !text });
    this.say(text || `Connection: ${link}`);
  }

  /** Have a screen reader say that a batch has ended. */
  announce(batch) {
    this.say(`${batch.title}: ${batch.end}, ${countsText(batch)}`);
  }

  say(text) {
    byId("announcement").textContent = text;
  }
}
