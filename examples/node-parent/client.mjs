// A client for the server: one JSON object a line, over the pipes of a child process. Without dependencies.
// The types are those that `npm run types` writes into wire/.

import { spawn } from "node:child_process";

/** @import { ClientRequestMap, JSONRPCErrorError, ServerNotification, ServerRequestMap } from "./wire/index.js" */

/**
 * What the server may ask, and what answers it.
 *
 * @typedef {{ [M in keyof ServerRequestMap]?:
 *   (params: ServerRequestMap[M]["params"]) => Promise<ServerRequestMap[M]["result"]> }} Handlers
 */

/** Seconds that a server has to end once its input is closed. */
const STOP_TIMEOUT = 7;

/** Seconds for what an ended server has left in its pipe; a program that it started may hold that open for ever. */
const REST_TIMEOUT = 1;

/** The server answered with an error. */
export class ServerError extends Error {
  /** @param {string} method @param {JSONRPCErrorError} error */
  constructor(method, error) {
    super(`${method}: ${error.message} (${error.code})`);
    this.code = error.code;
    this.data = error.data;
  }
}

export class Client {
  /**
   * @type {Map<number, { method: string, resolve: (result: any) => void, reject: (error: Error) => void,
   *   timer: NodeJS.Timeout }>}
   */
  #waiting = new Map();
  #lastId = 0;
  /** Why the server is not there any more. @type {string | undefined} */
  #gone;

  /**
   * Start a server.
   *
   * @param {string[]} command
   * @param {Handlers} handlers answer what the server asks; without one it is told that nobody does
   * @param {(notification: ServerNotification) => void} onNotification
   */
  constructor([program = "app-server", ...args], handlers, onNotification) {
    this.handlers = handlers;
    this.onNotification = onNotification;
    this.process = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    /** Settled when the server has ended, for whatever reason. @type {Promise<string>} */
    this.ended = new Promise((resolve) => {
      this.process.on("error", (error) => resolve(`the server cannot be started: ${error.message}`));
      this.process.on("close", (code, signal) => resolve(`the server ended with ${code ?? signal}`));
    });
    this.ended.then((why) => {
      this.#gone = why;
      for (const id of [...this.#waiting.keys()]) this.#fail(id, why);
    });
    this.process.on("exit", () => setTimeout(() => this.process.stdout.destroy(), REST_TIMEOUT * 1000).unref());
    this.process.stdin.on("error", () => {}); // who waits for an answer is told when the process has ended
    onLines(this.process.stdout, (line) => this.#take(line));
  }

  /**
   * Send a request; its result.
   *
   * @template {keyof ClientRequestMap} M
   * @param {M} method
   * @param {ClientRequestMap[M]["params"]} params
   * @param {number} timeout seconds
   * @returns {Promise<ClientRequestMap[M]["result"]>}
   */
  request(method, params, timeout = 60) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, `no answer within ${timeout} s`), timeout * 1000);
      this.#waiting.set(id, { method, resolve, reject, timer });
      if (this.#gone !== undefined) return this.#fail(id, this.#gone);
      this.#send({ id, method, params });
    });
  }

  /** End the server: in peace, or not. */
  async close() {
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), STOP_TIMEOUT * 1000);
    await this.ended;
    clearTimeout(timer);
  }

  /** @param {number} id */
  #settle(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  }

  /** @param {number} id @param {string} why */
  #fail(id, why) {
    const waiting = this.#settle(id);
    waiting?.reject(new Error(`${waiting.method}: ${why}`));
  }

  /** @param {object} message */
  #send(message) {
    this.process.stdin.write(JSON.stringify(message) + "\n");
  }

  /** @param {string} line */
  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      // told below
    }
    if (typeof message !== "object" || message === null) {
      console.error("The server wrote a line that is no message.");
      return;
    }
    if (message.method === undefined) {
      const waiting = this.#settle(message.id);
      if (message.error) waiting?.reject(new ServerError(waiting.method, message.error));
      else waiting?.resolve(message.result);
    } else if (message.id === undefined) {
      this.#notify(message);
    } else {
      void this.#answer(message);
    }
  }

  /** @param {ServerNotification} notification */
  #notify(notification) {
    try {
      this.onNotification(notification);
    } catch (error) {
      console.error(`${notification.method}:`, error); // the conversation goes on
    }
  }

  /** @param {{ id: string | number, method: keyof ServerRequestMap, params: any }} request */
  async #answer({ id, method, params }) {
    try {
      const handler = this.handlers[method];
      if (handler === undefined) throw new Error(`this client does not answer ${method}`);
      this.#send({ id, result: await handler(params) });
    } catch (error) {
      this.#send({ id, error: { code: -32603, message: error instanceof Error ? error.message : String(error) } });
    }
  }
}

/**
 * Hand over each line of a stream. Not with readline: since Node 24, U+2028 ends a line there, and JSON may hold one.
 *
 * @param {import("node:stream").Readable} stream
 * @param {(line: string) => void} take
 */
function onLines(stream, take) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    const lines = text.split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    lines.forEach(take);
  });
}
