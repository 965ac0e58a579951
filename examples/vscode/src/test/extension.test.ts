// The extension in an editor that is as little as will do. What VS Code itself makes of it, only VS Code can tell.

import assert from "node:assert/strict";
import Module from "node:module";
import { after, before, test } from "node:test";

import type { ExtensionContext } from "vscode";

import { COMMAND, reset, tell, withoutEnd } from "../testing/offline.js";

const deadline = { timeout: 20_000 };

/** What the user sees and does. */
const editor = {
  command: COMMAND,
  status: { text: "", tooltip: "", command: undefined as string | undefined, name: "", show() {} },
  text: "",
  isClosed: false,
  errors: [] as string[],
  commands: new Map<string, () => Promise<void>>(),
  cancel: () => {},
  focus: (_: { focused: boolean }) => {},
  /** Called with each edit. */
  edited: () => {},
};

class Edit {
  inserted = "";
  insert(_uri: unknown, at: number, text: string): void {
    assert.equal(at, editor.text.length);
    this.inserted = text;
  }
}

const document = {
  uri: "untitled:1",
  get isClosed() {
    return editor.isClosed;
  },
  get lineCount() {
    return editor.text.split("\n").length;
  },
  lineAt: (line: number) => ({ range: { end: editor.text.split("\n").slice(0, line + 1).join("\n").length } }),
};

const vscode = {
  StatusBarAlignment: { Right: 2 },
  ProgressLocation: { Notification: 15 },
  Uri: { parse: (text: string) => text },
  WorkspaceEdit: Edit,
  env: { openExternal: async (url: string) => (await fetch(url)).ok },
  commands: {
    registerCommand(name: string, run: () => Promise<void>) {
      editor.commands.set(name, run);
      return { dispose: () => editor.commands.delete(name) };
    },
  },
  window: {
    createStatusBarItem: () => editor.status,
    showErrorMessage: async (text: string) => void editor.errors.push(text),
    showInputBox: async () => "What is it?",
    showTextDocument: async () => {},
    onDidChangeWindowState(changed: typeof editor.focus) {
      editor.focus = changed;
      return { dispose() {} };
    },
    withProgress: (_: object, task: (progress: object, cancelled: object) => Promise<void>) =>
      task({}, { onCancellationRequested: (cancel: () => void) => (editor.cancel = cancel) }),
  },
  workspace: {
    getConfiguration: () => ({ get: () => editor.command }),
    async openTextDocument({ content }: { content: string }) {
      editor.text = content;
      return document;
    },
    async applyEdit(edit: Edit) {
      editor.text += edit.inserted;
      editor.edited();
      return true;
    },
  },
};

// `require("vscode")` finds something in VS Code only.
const loader = Module as unknown as { _load(request: string, ...more: unknown[]): unknown };
const load = loader._load;
loader._load = (request, ...more) => (request === "vscode" ? vscode : load(request, ...more));
const { activate, deactivate } = require("../extension.js") as typeof import("../extension.js");

const context = { subscriptions: [], extension: { packageJSON: { version: "1.0" } } };
const run = (name: string) => editor.commands.get(`appServer.${name}`)!();

before(reset);
after(deactivate);

test("a server that cannot be started is an error, and can be started once the settings are right", deadline, async () => {
  editor.command = ["no-such-program"];
  await activate(context as unknown as ExtensionContext);
  assert.match(editor.errors.pop() ?? "", /cannot be started/);
  assert.equal(editor.status.text, "$(error) app-server");
  assert.equal(editor.status.command, "appServer.restart");
  editor.command = COMMAND;
  await run("restart");
  assert.deepEqual(editor.errors, []);
});

test("the commands in package.json are those that there are", () => {
  const { contributes } = require("../../package.json") as { contributes: { commands: { command: string }[] } };
  const declared = contributes.commands.map(({ command }) => command);
  assert.deepEqual(declared.sort(), [...editor.commands.keys()].sort());
});

test("an answer is streamed into a document", deadline, async () => {
  await run("logIn");
  await tell("/script", { text: "It is\nthis.", deltas: 3 });
  await run("ask");
  assert.deepEqual(editor.errors, []);
  assert.equal(editor.text, "> What is it?\n\nIt is\nthis.");
});

test("an answer is cancelled where its progress is shown", deadline, async () => {
  editor.edited = () => editor.cancel();
  await withoutEnd(() => run("ask"));
  editor.edited = () => {};
  assert.deepEqual(editor.errors, []);
});

test("a document that is closed ends its answer", deadline, async () => {
  editor.isClosed = true;
  await withoutEnd(() => run("ask"));
  editor.isClosed = false;
  assert.match(editor.errors.pop() ?? "", /has been closed/);
});
