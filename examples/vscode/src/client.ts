// A client for the server: one JSON object a line, over the pipes of a child process. It knows nothing of VS Code.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

import type { ClientRequestMap, JSONRPCErrorError, ServerNotification } from "./wire/index.js";

/** Milliseconds that a server has to end once its input is closed. */
const STOP_TIMEOUT = 7_000;

/** Milliseconds that it has for an answer. */
const ANSWER_TIMEOUT = 60_000;

/** How much of the end of its log is kept. */
const LOG_LENGTH = 4_000;

type Waiting = { method: string; resolve: (result: never) => void; reject: (error: Error) => void };

/** The server answered with an error. */
export class ServerError extends Error {
  constructor(
    method: string,
    readonly error: JSONRPCErrorError,
  ) {
    super(`${method}: ${error.message}`);
  }
}

export class Client {
  /** Settled when the server has ended, for whatever reason. */
  readonly ended: Promise<string>;

  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #gone: string | undefined;
  #log = "";

  constructor(
    [program = "app-server", ...args]: readonly string[],
    private readonly onNotification: (notification: ServerNotification) => void,
  ) {
    this.#process = spawn(program, args);
    this.ended = new Promise((resolve) => {
      this.#process.on("error", (error) => resolve(`the server cannot be started: ${error.message}`));
      this.#process.on("close", (code, signal) => resolve(`the server ended with ${code ?? signal}`));
    });
    void this.ended.then((why) => {
      this.#gone = why;
      for (const id of [...this.#waiting.keys()]) this.#fail(id, why);
    });
    this.#process.stdin.on("error", () => {}); // who waits for an answer is told when the process has ended
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_LENGTH);
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#take(line));
  }

  /** What the server has written to its log, as far as it is kept. */
  get log(): string {
    return this.#log;
  }

  /** Send a request; its result. */
  request<M extends keyof ClientRequestMap>(
    method: M,
    params: ClientRequestMap[M]["params"],
  ): Promise<ClientRequestMap[M]["result"]> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { method, resolve, reject });
      if (this.#gone !== undefined) return this.#fail(id, this.#gone);
      setTimeout(() => this.#fail(id, "no answer in time"), ANSWER_TIMEOUT).unref();
      this.#process.stdin.write(JSON.stringify({ id, method, params }) + "\n");
    });
  }

  /** End the server: in peace, or not. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT);
    await this.ended;
    clearTimeout(timer);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #fail(id: number, why: string): void {
    const waiting = this.#settle(id);
    waiting?.reject(new Error(`${waiting.method}: ${why}`));
  }

  #take(line: string): void {
    const message = JSON.parse(line);
    if (message.method === undefined) {
      const waiting = this.#settle(message.id);
      if (message.error) waiting?.reject(new ServerError(waiting.method, message.error));
      else waiting?.resolve(message.result as never);
    } else if (message.id === undefined) {
      this.onNotification(message);
    } else {
      // The server owns the tokens, and the model has no tools: there is nothing that it could ask for.
      const error = { code: -32603, message: `this client does not answer ${message.method}` };
      this.#process.stdin.write(JSON.stringify({ id: message.id, error }) + "\n");
    }
  }
}
