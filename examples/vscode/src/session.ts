// What the extension does, without VS Code: it starts the server, follows who is logged in, and streams turns.
// `extension.ts` lends it a window; so does its test, under node.

import { Client } from "./client.js";
import type { ServerNotification, Turn } from "./wire/index.js";

/** What of the editor is needed. */
export interface Window {
  /** Show who is logged in. */
  showStatus(text: string, details: string): void;
  /** Open a page in the user's browser. */
  openUrl(url: string): Promise<void>;
}

/** Writes at the end of a document; never called again before it is done. */
export type Append = (text: string) => Promise<void>;

export class Session {
  readonly #client: Client;
  readonly #stream: (notification: ServerNotification) => void;
  #running: RunningTurn | undefined;
  #threadId: string | undefined;
  #closing = false;

  constructor(
    command: readonly string[],
    private readonly window: Window,
  ) {
    this.#stream = (notification) => this.#running?.take(notification);
    this.#client = new Client(command, (notification) => this.#notified(notification));
    void this.#client.ended.then((why) => {
      this.#running?.fail(new Error(why));
      if (!this.#closing) window.showStatus("$(error) app-server", `${why}\n${this.#client.log}`);
    });
  }

  /** Greet the server, and show who is logged in. */
  async start(version: string): Promise<void> {
    this.window.showStatus("$(sync~spin) app-server", "starting");
    await this.#client.request("initialize", { clientInfo: { name: "vscode-example", version } });
    await this.#showAccount();
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
    const running = (this.#running = new RunningTurn(append));
    try {
      this.#threadId ??= (await this.#client.request("thread/start", {})).thread.id;
      const threadId = this.#threadId;
      const { turn } = await this.#client.request("turn/start", { threadId, input: [{ type: "text", text }] });
      running.turnId = turn.id;
      const ended = await running.ended;
      await running.written();
      if (ended.status === "failed") throw new Error(ended.error?.message ?? "The turn failed.");
      return ended.status;
    } finally {
      this.#running = undefined;
    }
  }

  /** End the answer that is being written; what has been said stays. */
  async interrupt(): Promise<void> {
    const turnId = this.#running?.turnId;
    if (turnId === undefined || this.#threadId === undefined) return;
    await this.#client.request("turn/interrupt", { threadId: this.#threadId, turnId });
  }

  /** End the server. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#client.close();
  }

  #notified(notification: ServerNotification): void {
    switch (notification.method) {
      case "account/updated":
        this.#showAccount().catch((error: Error) => this.window.showStatus("$(error) app-server", error.message));
        break;
      case "account/login/completed":
        if (!notification.params.success) {
          this.window.showStatus("$(sign-in) Log in", notification.params.error ?? "The login failed.");
        }
        break;
      default:
        this.#stream(notification);
    }
  }

  async #showAccount(): Promise<void> {
    const { account } = await this.#client.request("account/read", {});
    switch (account?.type) {
      case undefined:
        return this.window.showStatus("$(sign-in) Log in", "Nobody is logged in.");
      case "chatgpt":
        return this.window.showStatus(`$(account) ${account.email ?? "ChatGPT"}`, `Plan: ${account.planType}`);
      default:
        return this.window.showStatus("$(key) API key", "Logged in with an API key.");
    }
  }
}

/** The turn that is being streamed: deltas become appends, several at once if the editor is slower than the model. */
class RunningTurn {
  readonly ended: Promise<Turn>;
  /** Not known before the server has said so. */
  turnId: string | undefined;

  #end!: (turn: Turn) => void;
  fail!: (error: Error) => void;
  #text = "";
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly append: Append) {
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.fail = reject;
    });
    this.ended.catch(() => {}); // whoever awaits it is told; before that it is no unhandled rejection
  }

  take({ method, params }: ServerNotification): void {
    if (method === "item/agentMessage/delta") this.#write(params.delta);
    else if (method === "turn/completed") this.#end(params.turn);
  }

  /** Everything that was said has been written. */
  written(): Promise<void> {
    return this.#writing;
  }

  #write(delta: string): void {
    const waits = this.#text !== "";
    this.#text += delta;
    if (waits) return; // an append is about to take it along
    this.#writing = this.#writing.then(() => {
      const text = this.#text;
      this.#text = "";
      return this.append(text);
    });
    this.#writing.catch((error: Error) => this.fail(error));
  }
}
