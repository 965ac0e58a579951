// The thin part: VS Code on one side, `session.ts` on the other. Each window has a server of its own; they share the
// login, which the servers keep. So there is no secret here, neither in the settings nor in VS Code's own store.

import * as vscode from "vscode";

import { Session, type Click, type Window } from "./session.js";

/** What a click on the status runs. */
const COMMANDS = { logIn: "appServer.logIn", restart: "appServer.restart" } as const;

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const status = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Right);
  status.name = "app-server";
  status.show();

  const window: Window = {
    showStatus(text: string, details: string, click: Click) {
      status.text = text;
      status.tooltip = details;
      status.command = click && COMMANDS[click];
    },
    showError(text) {
      void vscode.window.showErrorMessage(`app-server: ${text}`);
    },
    async openUrl(url) {
      const opened = await vscode.env.openExternal(vscode.Uri.parse(url, true));
      if (!opened) throw new Error("The browser was not opened.");
    },
  };

  /** Start a server: the first one, or one in the place of another that is gone or hangs. */
  async function start(): Promise<void> {
    const command = vscode.workspace.getConfiguration("appServer").get<string[]>("command", ["app-server"]);
    const former = session?.close();
    session = new Session(command, window);
    await Promise.all([session.start(String(context.extension.packageJSON.version)), former]);
  }

  /** What goes wrong is shown to the user. */
  async function reported(work: Promise<void> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      window.showError(error instanceof Error ? error.message : String(error));
    }
  }

  context.subscriptions.push(
    status,
    vscode.commands.registerCommand("appServer.logIn", () => reported(session?.logIn())),
    vscode.commands.registerCommand("appServer.restart", () => reported(start())),
    vscode.commands.registerCommand("appServer.ask", () => reported(session && ask(session, reported))),
    vscode.window.onDidChangeWindowState(({ focused }) => {
      if (focused) session?.showAccount().catch(() => {}); // if it cannot, the status shows why already
    }),
  );
  await reported(start());
}

export async function deactivate(): Promise<void> {
  await session?.close();
  session = undefined;
}

/** Ask what the user types, and stream the answer into a new document. */
async function ask(session: Session, reported: (work: Promise<void>) => Promise<void>): Promise<void> {
  const question = await vscode.window.showInputBox({ prompt: "What do you want to know?" });
  if (!question) return;
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: `> ${question}\n\n` });
  await vscode.window.showTextDocument(document);
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "The model answers", cancellable: true },
    async (_, cancelled) => {
      cancelled.onCancellationRequested(() => reported(session.interrupt()));
      await session.ask(question, (text) => append(document, text));
    },
  );
}

async function append(document: vscode.TextDocument, text: string): Promise<void> {
  if (document.isClosed) throw new Error("The document has been closed.");
  const edit = new vscode.WorkspaceEdit();
  edit.insert(document.uri, document.lineAt(document.lineCount - 1).range.end, text);
  if (!(await vscode.workspace.applyEdit(edit))) throw new Error("The document cannot be written to.");
}
