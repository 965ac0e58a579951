// Run by `npm test` in the environment that `app-server fake-openai --home DIR` prints.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Session, type Append } from "../session.js";

const upstream = process.env["CODEX_APP_SERVER_LOGIN_ISSUER"] ?? "";
const COMMAND = ["app-server"];

/** A window that remembers what was shown, whose browser logs in at once. */
class FakeWindow {
  readonly statuses: string[] = [];
  #changed: () => void = () => {};

  showStatus(text: string): void {
    this.statuses.push(text);
    this.#changed();
  }

  async openUrl(url: string): Promise<void> {
    assert.equal((await fetch(url)).status, 200);
  }

  /** Wait until this is shown. */
  async until(text: string): Promise<void> {
    while (this.statuses.at(-1) !== text) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

async function tell(path: string, body: object): Promise<void> {
  assert.equal((await fetch(`${upstream}/__fake__${path}`, { method: "POST", body: JSON.stringify(body) })).status, 200);
}

/** A document, and how often it was written to. */
function document(): { text: string; edits: number; append: Append } {
  const opened = {
    text: "",
    edits: 0,
    append: async (text: string) => {
      opened.edits += 1;
      opened.text += text;
    },
  };
  return opened;
}

const window = new FakeWindow();
let session: Session;

before(async () => {
  session = new Session(COMMAND, window);
  await session.start("1.0");
});

after(() => session.close());

const deadline = { timeout: 20_000 };

test("the status asks for a login, and then shows who is logged in", deadline, async () => {
  assert.deepEqual(window.statuses, ["$(sync~spin) app-server", "$(sign-in) Log in"]);
  await session.logIn();
  await window.until("$(account) user@example.com");
});

test("an answer is streamed into the document", deadline, async () => {
  await tell("/script", { text: "One two three four", deltas: 4, delay: 0.05 });
  const target = document();
  assert.equal(await session.ask("Count", target.append), "completed");
  assert.equal(target.text, "One two three four");
  assert.ok(target.edits > 1, "it came at once");
});

test("an answer can be interrupted, and what was said stays", deadline, async () => {
  await tell("/faults", { route: "responses", hang_after_events: 5 });
  await tell("/script", { text: "Never to be finished", deltas: 4 });
  const target = document();
  const append = async (text: string) => {
    await target.append(text);
    await session.interrupt();
  };
  assert.equal(await session.ask("Count", append), "interrupted");
  assert.ok(target.text !== "" && "Never to be finished".startsWith(target.text), target.text);
  await fetch(`${upstream}/__fake__/faults`, { method: "DELETE" });
});

test("what goes wrong is an error with the server's words", deadline, async () => {
  await tell("/faults", { route: "responses", status: 400, json: { error: { message: "No.", code: "bad" } } });
  await assert.rejects(session.ask("Anything", document().append), /No\./);
});

test("a server that cannot be started is shown, and nothing waits for it", deadline, async () => {
  const other = new FakeWindow();
  const broken = new Session(["no-such-program"], other);
  await assert.rejects(broken.start("1.0"), /cannot be started/);
  await other.until("$(error) app-server");
  await assert.rejects(broken.ask("Hello", document().append), /cannot be started/);
});
