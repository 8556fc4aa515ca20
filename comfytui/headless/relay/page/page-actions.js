// What a user does on the page: log in and make images; page-cancel.js has the rest.

import { generate, logIn } from "./page-requests.js";

const SAID_FOR = 3_000;

/** The form that asks for the relay's token. */
export class LoginForm {
  constructor(onLogin) {
    this.form = document.getElementById("login");
    this.error = document.getElementById("login-error");
    this.token = document.getElementById("token");
    this.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await logIn(this.form);
      } catch (error) {
        this.error.textContent = error.message;
        return;
      }
      this.error.textContent = "";
      this.form.reset();
      this.form.hidden = true;
      document.querySelector("main").focus();
      onLogin();
    });
  }

  get open() {
    return !this.form.hidden;
  }

  show() {
    this.form.hidden = false;
    if (document.activeElement === document.body) this.token.focus();
  }
}

/** The form that makes images by text, with what the server has for the rest. */
export class GenerateForm {
  constructor() {
    this.node = document.getElementById("new");
    this.form = document.getElementById("generate");
    this.said = document.getElementById("generate-said");
    this.button = this.form.querySelector("button");
    this.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.button.disabled = true;
      await this.submit();
      this.button.disabled = false;
    });
    this.form.addEventListener("input", () => this.say(""));
  }

  /** Say what became of a request; of images that wait, until they do not. */
  say(text, { className = "", batchId = null } = {}) {
    Object.assign(this.said, { textContent: text, className });
    this.batchId = batchId;
    this.saidAt = performance.now();
  }

  /** Take back what was said once the images do not wait any more. */
  settle(model) {
    if (!this.batchId || performance.now() - this.saidAt < SAID_FOR) return;
    const batch = model.batches.get(this.batchId);
    if (!batch || batch.end || batch.progress.status === "running") this.say("");
  }

  async submit() {
    const { prompt, images } = this.form.elements;
    const body = JSON.stringify({ values: { prompt: prompt.value }, images: Number(images.value) });
    // The same request again, after an answer that was lost, has the same key.
    if (body !== this.body) [this.body, this.key] = [body, randomKey()];
    try {
      const { text, batchId } = await generate(body, this.key);
      this.say(text, { batchId });
      this.body = null;
    } catch (error) {
      this.say(error.message, { className: "bad" });
    }
  }
}

/** Return a random text; `crypto.randomUUID` is missing where a page came by plain HTTP from another machine. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
