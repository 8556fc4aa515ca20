// Requests to the relay: documents, the login, and the cancellation of a batch.

const TIME_LIMIT = 20_000;
const LOGGED_IN = "comfytui-logged-in";

/** The relay's answer to a request that it did not carry out; the message is its sentence about why. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Return a JSON document of the relay. */
export async function get(path) {
  return (await request(path, {})).json();
}

/** Log this browser in; from then on it may change something. */
export async function logIn(form) {
  await request("/login", { method: "POST", body: new URLSearchParams(new FormData(form)) });
  localStorage.setItem(LOGGED_IN, "1");
}

/** Return whether this browser has logged in, and the relay has not refused it since. */
export function isLoggedIn() {
  return localStorage.getItem(LOGGED_IN) !== null;
}

/** Cancel what is left of a batch: the image that runs last of all, so that no other one starts. */
export async function cancelBatch(id) {
  const { running, pending } = await get("/api/queue");
  const jobs = [...running, ...pending].filter((job) => job.batchId === id).reverse();
  for (const job of jobs) {
    try {
      await request(`/api/jobs/${encodeURIComponent(job.promptId)}/cancel`, { method: "POST" });
    } catch (error) {
      // It may have ended meanwhile.
      if (error.status !== 404 && error.status !== 409) throw error;
    }
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT), ...options });
  } catch {
    throw new Refused(0, "The relay is not reached");
  }
  if (response.ok) return response;
  if (response.status === 401) localStorage.removeItem(LOGGED_IN);
  const body = await response.json().catch(() => null);
  throw new Refused(response.status, String(body?.error ?? `The relay answers ${response.status}`));
}
