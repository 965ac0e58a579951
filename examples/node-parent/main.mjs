// A parent application that owns the tokens, lends the model a tool, and prints what the model says as it comes.
//
//     app-server fake-openai --home "$(mktemp -d)"    # in one terminal; paste what it exports into another one
//     node examples/node-parent/main.mjs              # the server's command can follow; `app-server` if none does

import { Client } from "./client.mjs";

/** @import { DynamicToolSpec, ServerNotification, Turn } from "./wire/index.js" */

// The offline upstream stands in for this application's own token service, and for the model.
const upstream = process.env["CODEX_APP_SERVER_LOGIN_ISSUER"] ?? "";
if (!upstream.startsWith("http://127.0.0.1")) {
  console.error("This example needs the environment that `app-server fake-openai --home DIR` prints.");
  process.exit(1);
}

/** @param {string} path @param {object} body @returns {Promise<any>} */
async function tellUpstream(path, body = {}) {
  const answer = await fetch(`${upstream}/__fake__${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** An access token and its account, from wherever this application gets them. */
async function freshTokens() {
  const { access_token, account_id } = await tellUpstream("/tokens");
  return { accessToken: String(access_token), chatgptAccountId: String(account_id) };
}

/** @type {DynamicToolSpec} */
const weather = {
  type: "function",
  name: "weather",
  description: "Tells the weather of a city.",
  inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

/** Who waits for the end of the login, and is told what went wrong. @type {(error: string | null) => void} */
let loggedIn = () => {};

/** By thread: who waits for the end of its turn. @type {Map<string, (turn: Turn) => void>} */
const turns = new Map();

/** @param {ServerNotification} notification */
function onNotification({ method, params }) {
  switch (method) {
    case "account/login/completed":
      loggedIn(params.success ? null : (params.error ?? "no reason was given"));
      break;
    case "item/agentMessage/delta":
      process.stdout.write(params.delta);
      break;
    case "error":
      if (params.willRetry) console.error(`(${params.error.message})`); // else the turn's end tells it
      break;
    case "turn/completed":
      turns.get(params.threadId)?.(params.turn);
      break;
  }
}

const command = process.argv.slice(2);
const client = new Client(
  command.length ? command : ["app-server"],
  {
    async "account/chatgptAuthTokens/refresh"({ reason }) {
      console.log(`(fresh tokens, because: ${reason})`);
      return freshTokens();
    },
    async "item/tool/call"({ tool, arguments: given }) {
      const city = typeof given === "object" && given !== null && "city" in given ? given.city : "nowhere";
      console.log(`(the model calls ${tool} for ${city})`);
      return { contentItems: [{ type: "inputText", text: `It rains in ${city}.` }], success: true };
    },
  },
  onNotification,
);

/** What never comes if the server ends. @template T @param {Promise<T>} awaited @returns {Promise<T>} */
function unlessGone(awaited) {
  return Promise.race([awaited, client.ended.then((why) => Promise.reject(new Error(why)))]);
}

async function logIn() {
  // Before it is asked for, here and below: what is awaited can come in the same breath as the answer.
  const completed = /** @type {Promise<string | null>} */ (new Promise((resolve) => (loggedIn = resolve)));
  await client.request("account/login/start", { type: "chatgptAuthTokens", ...(await freshTokens()) });
  const error = await unlessGone(completed);
  if (error !== null) throw new Error(`The login failed: ${error}`);
  console.log("Logged in");
}

/** @param {string} threadId @param {string} text */
async function ask(threadId, text) {
  const completed = /** @type {Promise<Turn>} */ (new Promise((resolve) => turns.set(threadId, resolve)));
  await client.request("turn/start", { threadId, input: [{ type: "text", text }] });
  const turn = await unlessGone(completed);
  console.log(` [${turn.status}]`);
  if (turn.error) throw new Error([turn.error.message, turn.error.additionalDetails].filter(Boolean).join(": "));
}

try {
  await client.request("initialize", {
    clientInfo: { name: "node-parent", version: "1.0" },
    capabilities: { experimentalApi: true }, // own tokens and tools are experimental
  });
  await logIn();
  const { thread } = await client.request("thread/start", { dynamicTools: [weather] });
  await ask(thread.id, "Hello, model");

  await tellUpstream("/accounts/expire"); // what time does to tokens
  await tellUpstream("/script", { tool_calls: [{ name: "weather", arguments: { city: "Lisbon" } }] });
  await ask(thread.id, "What is the weather in Lisbon?");
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await client.close();
}
