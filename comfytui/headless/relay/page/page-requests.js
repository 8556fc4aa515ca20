// Requests to the relay: documents, the login, and what changes something.

const TIME_LIMIT = 20_000;
const LOGGED_IN = "comfytui-logged-in";

/** The event of the document when a request was refused for want of the token. */
export const UNAUTHORISED = "unauthorised";

/** A request that the relay did not carry out; the message is its sentence about why. */
export class Refused extends Error {
  constructor(status, answer) {
    super(String(answer?.error ?? answer?.message ?? `The relay answers ${status}`));
    this.status = status;
    this.answer = answer;
  }
}

/** Return a JSON document of the relay. */
export async function get(path) {
  return (await request(path, {})).json();
}

/** Return the newest preview of a job as `{image, tag}`; null if it is still that with a tag. */
export async function getPreview(promptId, tag) {
  const headers = tag ? { "If-None-Match": tag } : {};
  const response = await request(`/api/preview/${encodeURIComponent(promptId)}`, { headers });
  if (response.status === 304) return null;
  return { image: await response.blob(), tag: response.headers.get("ETag") };
}

/** Log this browser in; from then on it may change something. */
export async function logIn(form) {
  await request("/login", { method: "POST", body: new URLSearchParams(new FormData(form)) });
  storage()?.setItem(LOGGED_IN, "1");
}

/** Return the storage of this browser; null where its user does not allow any. */
function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** Return whether this browser has logged in, and the relay has not refused it since. */
export function isLoggedIn() {
  return storage()?.getItem(LOGGED_IN) === "1";
}

/** Cancel what is left of a batch, also what another comfytui is to send. */
export async function cancelBatch(id) {
  await request(`/api/batches/${encodeURIComponent(id)}/cancel`, { method: "POST" });
}

/** Cancel a job, which may have ended meanwhile. */
export async function cancelJob(promptId) {
  try {
    await request(`/api/jobs/${encodeURIComponent(promptId)}/cancel`, { method: "POST" });
  } catch (error) {
    if (!["already_ended", "too_late"].includes(error.answer?.outcome)) throw error;
  }
}

/** Make images; a request that is repeated with the same key makes them once. Returns what there is to say of which batch. */
export async function generate(body, key) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  try {
    const response = await request("/api/generate", { method: "POST", headers, body });
    return { text: "Queued", batchId: (await response.json()).batchId };
  } catch (error) {
    if (!error.answer?.batchId) throw error;
    return { text: error.message, batchId: error.answer.batchId };
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT), ...options });
  } catch {
    throw new Refused(0, { error: "The relay is not reached" });
  }
  if (response.ok || response.status === 304) return response;
  if (response.status === 401) {
    storage()?.removeItem(LOGGED_IN);
    document.dispatchEvent(new Event(UNAUTHORISED));
  }
  throw new Refused(response.status, await response.json().catch(() => null));
}
