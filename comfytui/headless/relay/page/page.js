// Connects the page to the relay: a snapshot of the queue, the events since, and the server now and then.

import { GenerateForm, LoginForm } from "./page-actions.js";
import { Model } from "./page-model.js";
import { reloadMissing } from "./page-pictures.js";
import { get, isLoggedIn, UNAUTHORISED } from "./page-requests.js";
import { idleText, isAway, linkText, plain } from "./page-text.js";
import { PageView } from "./page-view.js";

const EVENTS = ["progress", "image", "done", "failed", "cancelled", "lost"];
const SERVER_INTERVAL = 10_000;
const SERVER_DELAY = 500;
const HIDDEN_LONG = 30_000;
const HIDDEN_INTERVAL = 1_000;
const RETRY_AFTER = 3_000;
// The times change once a second, and this soon after their second is over.
const TIMES_INTERVAL = 200;

const model = new Model();
const view = new PageView();
const login = new LoginForm(connect);
const generateForm = new GenerateForm();

const server = { name: null, queue: null, link: null, reason: "" };
let source = null;
let connected = false;
let polling = false;
let read = false;
let reading = null;
let held = [];
let unlisted = new Set();
let changed = new Set();
let cancelFrame = null;
let serverTimer = undefined;

/** Paint in the next frame: the batch with an id, or all. */
function paint(id) {
  if (id === undefined) changed = null;
  else changed?.add(id);
  if (!cancelFrame) schedulePainting();
}

/** Paint in the next frame; a page in the background, of which the title is seen, has none. */
function schedulePainting() {
  cancelFrame?.();
  if (document.hidden) {
    const timer = setTimeout(paintNow, HIDDEN_INTERVAL);
    cancelFrame = () => clearTimeout(timer);
  } else {
    const frame = requestAnimationFrame(paintNow);
    cancelFrame = () => cancelAnimationFrame(frame);
  }
}

function paintNow() {
  cancelFrame = null;
  const reached = connected || polling;
  const old = read && (!reached || isAway(server.link));
  view.showServer({ ...server, queue: old ? null : server.queue, link: link(), old });
  view.showNotice(notice(reached), link()[0]);
  const idle = read ? idleText(server.queue, old) : "";
  // While the relay is not reached, what is typed stays, and what is asked for is answered by an error.
  const mayChange = read && isLoggedIn();
  generateForm.node.hidden = !mayChange;
  view.showBatches(model, { changed, old, idle, mayCancel: mayChange });
  changed = new Set();
}

/** Return the text and colour of the weakest link on the way to the server. */
function link() {
  if (login.open) return ["login needed", "warning"];
  if (polling) return ["no live events", "warning"];
  if (!connected) return read ? ["relay lost", "bad"] : ["connecting", "warning"];
  return linkText(server.link ?? "connecting");
}

/** Return why what is shown may be old. */
function notice(reached) {
  if (!read || login.open) return "";
  return reached ? server.reason : "Connection to the relay lost, trying again";
}

/** Read the queue; the events that come meanwhile are applied after it. Returns whether it could be read. */
function readQueue() {
  reading ??= get("/api/queue").then(
    (snapshot) => {
      reading = null;
      read = true;
      const open = new Set(model.open().map((batch) => batch.id));
      model.applySnapshot(snapshot);
      model.ended().filter((batch) => open.has(batch.id)).forEach((batch) => view.announce(batch));
      Object.assign(server, { queue: snapshot.length, link: snapshot.link });
      held.splice(0).forEach(apply);
      paint();
      return true;
    },
    () => {
      reading = null;
      // The next snapshot has them.
      held = [];
      setTimeout(() => connected && readQueue(), RETRY_AFTER);
      return false;
    },
  );
  return reading;
}

async function readServer() {
  serverTimer = clearTimeout(serverTimer);
  if (document.hidden) return;
  try {
    const { name, queueLength, link } = await get("/api/server");
    Object.assign(server, { name: plain(name), queue: queueLength, link: link.state, reason: plain(link.reason) });
    paint();
  } catch {
    // Whether the relay is there, the event stream tells.
  }
}

/** Apply an event to the model, or keep it until the queue is read. */
function apply(event) {
  if (reading) {
    held.push(event);
    return;
  }
  const { end: ended, progress: before } = model.batches.get(event.batchId) ?? {};
  const batch = model.applyEvent(event);
  // The length of the queue changes with what is sent and what ends.
  const moved = event.event !== "progress" || event.status !== before?.status;
  if (moved) serverTimer ??= setTimeout(readServer, SERVER_DELAY);
  if (event.link && event.link !== server.link) {
    if (isAway(server.link) && !isAway(event.link)) reloadMissing();
    Object.assign(server, { link: event.link, reason: "" });
    serverTimer ??= setTimeout(readServer, SERVER_DELAY);
    paint();
  }
  if (!batch) {
    // A batch that is still unknown after that is one of too many.
    if (event.batchId && !unlisted.has(event.batchId)) {
      unlisted.add(event.batchId);
      readQueue();
    }
    return;
  }
  if (Boolean(batch.end) !== Boolean(ended)) {
    if (batch.end) view.announce(batch);
    paint();
  }
  paint(batch.id);
}

/** Follow the events, and read the queue each time that the stream begins. */
function connect() {
  source?.close();
  source = new EventSource("/api/generate/progress");
  source.addEventListener("open", () => {
    connected = true;
    polling = false;
    unlisted = new Set();
    readQueue();
    readServer();
    reloadMissing();
    paint();
  });
  source.addEventListener("error", () => {
    connected = false;
    if (source.readyState === EventSource.CLOSED) pollUntilNextTry();
    else polling = false;
    paint();
  });
  for (const name of EVENTS) source.addEventListener(name, (message) => apply(JSON.parse(message.data)));
}

/** Read the queue since the stream was refused: for want of a login, as one too many, or by a proxy. */
async function pollUntilNextTry() {
  polling = await readQueue();
  paint();
  setTimeout(() => login.open || connect(), RETRY_AFTER);
}

let hiddenSince = 0;
document.addEventListener(UNAUTHORISED, () => {
  login.show();
  paint();
});
document.addEventListener("visibilitychange", () => {
  schedulePainting();
  if (document.hidden) {
    hiddenSince = Date.now();
    return;
  }
  // A device that slept may hold a connection that is dead.
  if (Date.now() - hiddenSince > HIDDEN_LONG && !login.open) connect();
  readServer();
});
window.addEventListener("pageshow", (event) => event.persisted && connect());
setInterval(readServer, SERVER_INTERVAL);
setInterval(() => {
  view.showTimes(model);
  generateForm.settle(model);
}, TIMES_INTERVAL);
paint();
connect();
