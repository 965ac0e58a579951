// A client for the server: one JSON object a line, over the pipes of a child process. It knows nothing of VS Code.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import type { Readable } from "node:stream";

import type { ClientRequestMap, JSONRPCErrorError, ServerNotification } from "./wire/index.js";

/** Milliseconds that a server has to end once its input is closed. */
const STOP_TIMEOUT = 7_000;

/** Milliseconds for what an ended server has left in its pipes; a program that it started may hold them open for ever. */
const REST_TIMEOUT = 1_000;

/** Milliseconds that it has for an answer. */
const ANSWER_TIMEOUT = 60_000;

/** How much of the end of its log is kept. */
const LOG_LENGTH = 4_000;

type Waiting = {
  method: string;
  resolve: (result: never) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
};

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
    const { stdin, stdout, stderr } = this.#process;
    this.ended = new Promise((resolve) => {
      this.#process.on("error", (error) => resolve(`the server cannot be started: ${error.message}`));
      this.#process.on("close", (code, signal) => resolve(`the server ended with ${code ?? signal}`));
    });
    void this.ended.then((why) => {
      this.#gone = why;
      for (const id of [...this.#waiting.keys()]) this.#fail(id, why);
    });
    this.#process.on("exit", () => {
      setTimeout(() => [stdout, stderr].forEach((pipe) => pipe.destroy()), REST_TIMEOUT).unref();
    });
    stdin.on("error", () => {}); // who waits for an answer is told when the process has ended
    stderr.setEncoding("utf8").on("data", (text: string) => this.#note(text));
    onLines(stdout, (line) => this.#take(line));
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
      const timer = setTimeout(() => this.#fail(id, "no answer in time"), ANSWER_TIMEOUT);
      this.#waiting.set(id, { method, resolve, reject, timer });
      if (this.#gone !== undefined) return this.#fail(id, this.#gone);
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
    clearTimeout(waiting?.timer);
    return waiting;
  }

  #fail(id: number, why: string): void {
    const waiting = this.#settle(id);
    waiting?.reject(new Error(`${waiting.method}: ${why}`));
  }

  #note(text: string): void {
    this.#log = (this.#log + text).slice(-LOG_LENGTH);
  }

  #take(line: string): void {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      // told below
    }
    if (typeof message !== "object" || message === null) {
      this.#note("(A line that is no message was passed over.)\n");
    } else if (message.method === undefined) {
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

/** Hand over each line. Not with readline: since Node 24, U+2028 ends a line there, and JSON may hold one. */
function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = text.split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    lines.forEach(take);
  });
}
