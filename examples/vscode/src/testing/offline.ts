// The offline upstream that the tests talk to: `app-server fake-openai --home DIR` prints the environment that leads there.

import assert from "node:assert/strict";

import { Client } from "../client.js";

export const COMMAND = ["app-server"];

const upstream = process.env["CODEX_APP_SERVER_LOGIN_ISSUER"] ?? "";
assert.match(upstream, /^http:\/\/127\.0\.0\.1/, "the environment that `app-server fake-openai --home DIR` prints is missing");

/** Program it. */
export async function tell(path: string, body: object): Promise<void> {
  const answer = await fetch(`${upstream}/__fake__${path}`, { method: "POST", body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.text());
}

/** Carry out something while no answer of the model comes to its end. */
export async function withoutEnd(work: () => Promise<void>): Promise<void> {
  await tell("/faults", { route: "responses", hang_after_events: 5 });
  try {
    await work();
  } finally {
    await fetch(`${upstream}/__fake__/faults`, { method: "DELETE" });
  }
}

/** A client of another server with the same login, as in another window; it is gone afterwards. */
export async function elsewhere(work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client(COMMAND, () => {});
  await client.request("initialize", { clientInfo: { name: "elsewhere", version: "1.0" } });
  await work(client);
  await client.close();
}

/** As if nothing had been. */
export async function reset(): Promise<void> {
  await elsewhere((client) => client.request("account/logout", undefined));
  await tell("/reset", {});
}
