// What the extension does, without VS Code: it starts the server, follows who is logged in, and streams turns.
// `extension.ts` lends it a window; so does its test, under node.

import { Client } from "./client.js";
import type { ServerNotification, Turn } from "./wire/index.js";

/** What a click on the status does. */
export type Click = "logIn" | "restart" | undefined;

/** What of the editor is needed. */
export interface Window {
  /** Show who is logged in. */
  showStatus(text: string, details: string, click: Click): void;
  /** Show what went wrong while nobody waited for it. */
  showError(text: string): void;
  /** Open a page in the user's browser. */
  openUrl(url: string): Promise<void>;
}

/** Writes at the end of a document; never called again before it is done. */
export type Append = (text: string) => Promise<void>;

/** One server, from its start to its end; a server that is gone takes another session. */
export class Session {
  readonly #client: Client;
  readonly #stream: (notification: ServerNotification) => void;
  #running: RunningTurn | undefined;
  #threadId: string | undefined;
  #over = false;

  constructor(
    command: readonly string[],
    private readonly window: Window,
  ) {
    this.#stream = (notification) => this.#running?.take(notification);
    this.#client = new Client(command, (notification) => this.#notified(notification));
    this.#show("$(sync~spin) app-server", "starting");
    void this.#client.ended.then((why) => {
      this.#running?.fail(new Error(why));
      this.#showFailure(why);
      this.#over = true;
    });
  }

  /** Greet the server, and show who is logged in. */
  async start(version: string): Promise<void> {
    try {
      await this.#client.request("initialize", { clientInfo: { name: "vscode-example", version } });
      await this.showAccount();
    } catch (error) {
      this.#showFailure((error as Error).message);
      throw error;
    }
  }

  /** Show who is logged in. It may have been changed in another window: their servers share the login. */
  async showAccount(): Promise<void> {
    const { account } = await this.#client.request("account/read", {});
    switch (account?.type) {
      case undefined:
        return this.#show("$(sign-in) Log in", "Nobody is logged in.", "logIn");
      case "chatgpt":
        return this.#show(`$(account) ${account.email ?? "ChatGPT"}`, `Plan: ${account.planType}`);
      default:
        return this.#show("$(key) API key", "Logged in with an API key.");
    }
  }

  /** Let the user log in; settled once the browser has been opened, and the status tells the rest. */
  async logIn(): Promise<void> {
    const started = await this.#client.request("account/login/start", { type: "chatgpt" });
    if (started.type === "chatgpt") await this.window.openUrl(started.authUrl);
  }

  /**
   * Ask the model, and write down what it says as it comes; one question at a time.
   *
   * @returns how the turn ended
   */
  async ask(text: string, append: Append): Promise<Turn["status"]> {
    if (this.#running) throw new Error("A question is being answered.");
    const running = (this.#running = new RunningTurn(append, () => this.interrupt()));
    try {
      const threadId = (this.#threadId ??= (await this.#client.request("thread/start", {})).thread.id);
      if (running.unwanted) return "interrupted";
      const { turn } = await this.#client.request("turn/start", { threadId, input: [{ type: "text", text }] });
      running.turnId = turn.id;
      if (running.unwanted) await this.interrupt();
      const ended = await running.ended; // also of one that cannot be written down: the next one would become part of it
      await running.written();
      if (ended.status === "failed") throw new Error(ended.error?.message ?? "The turn failed.");
      return ended.status;
    } finally {
      this.#running = undefined;
    }
  }

  /** End the answer that is being written, or about to be; what has been said stays. */
  async interrupt(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.unwanted = true;
    if (running.turnId === undefined || this.#threadId === undefined) return; // `ask` sees to it
    try {
      await this.#client.request("turn/interrupt", { threadId: this.#threadId, turnId: running.turnId });
    } catch (error) {
      if (!running.isOver) throw error; // it was faster
    }
  }

  /** End the server; nothing is shown any more. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#client.close();
  }

  #notified(notification: ServerNotification): void {
    switch (notification.method) {
      case "account/updated":
        this.showAccount().catch((error: Error) => this.#showFailure(error.message));
        break;
      case "account/login/completed": {
        const { success, error } = notification.params;
        if (!success && !this.#over) this.window.showError(error ?? "The login failed.");
        break;
      }
      default:
        this.#stream(notification);
    }
  }

  #show(text: string, details: string, click?: Click): void {
    if (!this.#over) this.window.showStatus(text, details, click);
  }

  #showFailure(why: string): void {
    this.#show("$(error) app-server", `${why}\n${this.#client.log}`, "restart");
  }
}

/** The turn that is being streamed: deltas become appends, several at once if the editor is slower than the model. */
class RunningTurn {
  readonly ended: Promise<Turn>;
  /** Not known before the server has said so. */
  turnId: string | undefined;
  /** Somebody has cancelled it. */
  unwanted = false;
  isOver = false;

  #end!: (turn: Turn) => void;
  fail!: (error: Error) => void;
  #text = "";
  #writing: Promise<void> = Promise.resolve();
  #broken = false;

  constructor(
    private readonly append: Append,
    private readonly stop: () => Promise<void>,
  ) {
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.fail = reject;
    });
    this.ended.catch(() => {}); // whoever awaits it is told; before that it is no unhandled rejection
  }

  take({ method, params }: ServerNotification): void {
    if (method === "item/agentMessage/delta") this.#write(params.delta);
    else if (method === "turn/completed") {
      this.isOver = true;
      this.#end(params.turn);
    }
  }

  /** Everything that was said has been written. */
  written(): Promise<void> {
    return this.#writing;
  }

  #write(delta: string): void {
    const waits = this.#text !== "";
    this.#text += delta;
    if (waits || this.#broken) return; // an append is about to take it along, or there is none
    this.#writing = this.#writing.then(() => {
      const text = this.#text;
      this.#text = "";
      return this.append(text);
    });
    this.#writing.catch(() => {
      if (this.#broken) return;
      this.#broken = true;
      this.stop().catch(this.fail); // of what cannot be written there shall be no more
    });
  }
}
