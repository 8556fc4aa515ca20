// What a user does on the page: log in, and cancel what is left of a batch.

import { cancelBatch, logIn } from "./page-requests.js";

const SURE_WITHIN = 5_000;

/** The form that asks for the relay's token. */
export class LoginForm {
  constructor(onLogin) {
    this.form = document.getElementById("login");
    this.error = document.getElementById("login-error");
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
      onLogin();
    });
  }

  get open() {
    return !this.form.hidden;
  }

  show() {
    this.form.hidden = false;
  }
}

/** A button that cancels a batch when it is pressed a second time. */
export class CancelButton {
  constructor(batchId) {
    this.button = Object.assign(document.createElement("button"), { type: "button" });
    this.error = Object.assign(document.createElement("span"), { role: "alert" });
    this.node = Object.assign(document.createElement("p"), { className: "actions", hidden: true });
    this.node.append(this.button, this.error);
    this.reset();
    this.button.addEventListener("click", () => (this.sure ? this.cancel(batchId) : this.ask()));
    this.button.addEventListener("blur", () => this.reset());
  }

  reset() {
    clearTimeout(this.sure);
    this.sure = undefined;
    this.button.textContent = "Cancel";
  }

  ask() {
    this.sure = setTimeout(() => this.reset(), SURE_WITHIN);
    this.button.textContent = "Cancel all that is left?";
  }

  async cancel(batchId) {
    this.reset();
    this.error.textContent = "";
    this.button.disabled = true;
    try {
      await cancelBatch(batchId);
    } catch (error) {
      this.error.textContent = error.message;
    }
    this.button.disabled = false;
  }
}
