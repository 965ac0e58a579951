// The thin part: VS Code on one side, `session.ts` on the other.

import * as vscode from "vscode";

import { Session } from "./session.js";

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const status = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Right);
  status.command = "appServer.logIn";
  status.show();

  const command = vscode.workspace.getConfiguration("appServer").get<string[]>("command", ["app-server"]);
  const started = (session = new Session(command, {
    showStatus(text, details) {
      status.text = text;
      status.tooltip = details;
    },
    async openUrl(url) {
      await vscode.env.openExternal(vscode.Uri.parse(url, true));
    },
  }));

  context.subscriptions.push(
    status,
    vscode.commands.registerCommand("appServer.logIn", () => reported(started.logIn())),
    vscode.commands.registerCommand("appServer.ask", () => reported(ask(started))),
  );
  await reported(started.start(String(context.extension.packageJSON.version)));
}

export async function deactivate(): Promise<void> {
  await session?.close();
}

/** Ask what the user types, and stream the answer into a new document. */
async function ask(session: Session): Promise<void> {
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
  const edit = new vscode.WorkspaceEdit();
  edit.insert(document.uri, document.lineAt(document.lineCount - 1).range.end, text);
  if (!(await vscode.workspace.applyEdit(edit))) throw new Error("The document cannot be written to.");
}

/** What goes wrong is shown to the user. */
async function reported(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    void vscode.window.showErrorMessage(`app-server: ${error instanceof Error ? error.message : String(error)}`);
  }
}
