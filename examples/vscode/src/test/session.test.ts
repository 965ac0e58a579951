// Run by `npm test` in the environment that `app-server fake-openai --home DIR` prints.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Session, type Append, type Click, type Window } from "../session.js";
import { COMMAND, elsewhere, reset, tell, withoutEnd } from "../testing/offline.js";

/** A window that remembers what was shown, whose browser logs in at once. */
class FakeWindow implements Window {
  readonly statuses: string[] = [];
  readonly errors: string[] = [];
  click: Click;
  #changed: () => void = () => {};

  showStatus(text: string, _: string, click: Click): void {
    this.statuses.push(text);
    this.click = click;
    this.#changed();
  }

  showError(text: string): void {
    this.errors.push(text);
    this.#changed();
  }

  async openUrl(url: string): Promise<void> {
    assert.equal((await fetch(url)).status, 200);
  }

  /** Wait until this is shown. */
  async until(text: string): Promise<void> {
    await this.untilTrue(() => this.statuses.at(-1) === text);
  }

  async untilTrue(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
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
  await reset();
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
  await withoutEnd(async () => {
    await tell("/script", { text: "Never to be finished", deltas: 4 });
    const target = document();
    const append = async (text: string) => {
      await target.append(text);
      await session.interrupt();
    };
    assert.equal(await session.ask("Count", append), "interrupted");
    assert.ok(target.text !== "" && "Never to be finished".startsWith(target.text), target.text);
  });
});

test("an answer can be cancelled before it has begun", deadline, async () => {
  await withoutEnd(async () => {
    const asked = session.ask("Count", document().append);
    await session.interrupt();
    assert.equal(await asked, "interrupted");
  });
});

test("an answer that cannot be written down is ended, and is no part of the next one", deadline, async () => {
  await withoutEnd(async () => {
    const closed = async () => {
      throw new Error("The document has been closed.");
    };
    await assert.rejects(session.ask("Count", closed), /has been closed/);
  });
  await tell("/script", { text: "Another one" });
  const target = document();
  assert.equal(await session.ask("Again", target.append), "completed");
  assert.equal(target.text, "Another one");
});

test("what is no message is passed over, and separators of Unicode are text", deadline, async () => {
  const other = new Session(["sh", "-c", "echo null; echo 42; echo Welcome!; exec app-server"], new FakeWindow());
  await other.start("1.0");
  await tell("/script", { text: "one\u2028two\u2029three" });
  const target = document();
  assert.equal(await other.ask("Count", target.append), "completed");
  assert.equal(target.text, "one\u2028two\u2029three");
  await other.close();
});

test("a login that the user declines is told", deadline, async () => {
  await tell("/authorize", { error: "access_denied" });
  const other = new FakeWindow();
  const declined = new Session(COMMAND, other);
  await declined.start("1.0");
  await declined.logIn();
  await other.untilTrue(() => other.errors.length > 0);
  await declined.close();
});

test("a server that dies ends the answer, and a click on the status starts another one", deadline, async () => {
  await withoutEnd(async () => {
    const other = new FakeWindow();
    const folder = await mkdtemp(join(tmpdir(), "session-"));
    // What the command has started besides lives on and holds the pipes; that is no reason to wait for it.
    const script = `sleep 30 & echo $! > ${folder}/other; echo $$ > ${folder}/server; exec app-server`;
    const dying = new Session(["sh", "-c", script], other);
    await dying.start("1.0");
    const kill = async (name: string) => process.kill(Number(await readFile(join(folder, name))), "SIGKILL");
    const append = async () => void (await kill("server"));
    await assert.rejects(dying.ask("Count", append), /ended with SIGKILL/);
    await other.until("$(error) app-server");
    assert.equal(other.click, "restart");
    await dying.close();
    await kill("other");
    await rm(folder, { recursive: true });
  });
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

test("a login in another window is seen when the account is asked for again", deadline, async () => {
  await elsewhere((client) => client.request("account/login/start", { type: "apiKey", apiKey: "sk-elsewhere" }));
  await session.showAccount();
  await window.until("$(key) API key");
});
