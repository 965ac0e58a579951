"""The exported TypeScript is accepted by the compiler, and it catches what a client could get wrong.

Runs with ``pytest -m tsc`` only (see ``conftest.py``).
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from protocol.export import generate_ts

CLIENT: Final = """
import type {
  Account, ClientRequest, ClientRequestMap, CodexErrorInfo, JsonValue, RateLimitSnapshot, ServerNotification,
  ServerRequest, ServerRequestMap, ThreadItem, v2,
} from "./wire/index.js";

declare function call<M extends keyof ClientRequestMap>(
  method: M, params: ClientRequestMap[M]["params"],
): Promise<ClientRequestMap[M]["result"]>;

export async function useRequests(): Promise<string> {
  await call("account/logout", undefined);
  await call("account/rateLimits/read", null);
  await call("account/login/start", { type: "apiKey", apiKey: "sk-1" });
  // @ts-expect-error the key is missing
  await call("account/login/start", { type: "apiKey" });
  // @ts-expect-error there is no such method
  await call("account/explode", {});
  // @ts-expect-error params are required
  await call("account/read", undefined);
  const limits = await call("account/rateLimits/read", { excludeResetCreditDetails: true });
  // @ts-expect-error the limit may be absent
  const codex: RateLimitSnapshot | undefined = limits.rateLimitsByLimitId["codex"];
  const { account } = await call("account/read", {});
  return account === null ? "nobody" : nameOf(account);
}

function nameOf(account: Account): string {
  switch (account.type) {
    case "chatgpt":
      return account.email ?? account.planType;
    case "apiKey":
    case "amazonBedrock":
    case "gcp":
      // @ts-expect-error only ChatGPT accounts have an address
      return account.email;
  }
}

export function onNotification(message: ServerNotification): number {
  if (message.method === "account/login/completed" && !message.params.success) {
    const error: string | null = message.params.error;
    console.log(error);
  }
  return message.emittedAtMs;
}

export function onRequest(request: ServerRequest): ServerRequestMap[typeof request.method]["result"] {
  switch (request.method) {
    case "account/chatgptAuthTokens/refresh": {
      const previous: string | null = request.params.previousAccountId;
      return { accessToken: "e30.e30.x", chatgptAccountId: previous ?? "acc" };
    }
    case "item/tool/call":
      return { contentItems: [{ type: "inputText", text: request.params.tool }], success: true };
    case "item/tool/requestUserInput":
      return { answers: { [request.params.questions[0]?.id ?? ""]: { answers: ["yes"] } } };
  }
}

export async function converse(): Promise<string> {
  const { thread, approvalPolicy } = await call("thread/start", {
    cwd: "/w",
    approvalPolicy: { granular: { sandbox_approval: true, rules: true, mcp_elicitations: false } },
    config: { "model_providers.mine.base_url": "http://127.0.0.1/v1" },
  });
  // @ts-expect-error there is no such policy
  await call("thread/start", { approvalPolicy: "sometimes" });
  await call("thread/list", { cwd: ["/w"] });
  await call("thread/list", { cwd: "/w" });
  const asked: string = typeof approvalPolicy === "string" ? approvalPolicy : String(approvalPolicy.granular.rules);
  const parent: string | null = thread.parentThreadId;
  const { turn } = await call("turn/start", {
    threadId: thread.id,
    input: [{ type: "text", text: "hello" }, { type: "image", url: "data:image/png;base64,AA==" }],
    effort: "low",
  });
  // @ts-expect-error a text has a text
  await call("turn/start", { threadId: thread.id, input: [{ type: "text" }] });
  const { config } = await call("config/read", {});
  const setting: JsonValue | undefined = config["some_setting"];
  const kept: v2.Turn = turn;
  return [asked, parent, setting, kept.id, ...turn.items.map(shown)].join();
}

function shown(item: ThreadItem): string {
  switch (item.type) {
    case "agentMessage":
      return item.text;
    case "userMessage":
      return item.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    case "dynamicToolCall":
      return item.status + cityOf(item.arguments);
    default:
      return item.id;
  }
}

function cityOf(given: JsonValue): string {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return "";
  // @ts-expect-error it may be no text, or not there
  const city: string = given["city"];
  return city;
}

// What a client declares for itself is taken where any JSON will do.
interface Schema { type: string; properties?: Record<string, Schema> }

export function withSchema(schema: Schema, threadId: string): Promise<v2.TurnStartResponse> {
  return call("turn/start", { threadId, input: [], outputSchema: schema });
}

function kind(info: CodexErrorInfo | null): string {
  if (info === null || typeof info === "string") return info ?? "none";
  if ("httpConnectionFailed" in info) return String(info.httpConnectionFailed.httpStatusCode);
  return "stream";
}

export function onTurn(message: ServerNotification): string {
  switch (message.method) {
    case "item/agentMessage/delta":
      return message.params.delta;
    case "error":
      return kind(message.params.error.codexErrorInfo);
    case "turn/completed":
      return message.params.turn.error?.message ?? message.params.turn.status;
    case "serverRequest/resolved":
      return String(message.params.requestId);
    default:
      return "";
  }
}

export const logout: ClientRequest = { id: 1, method: "account/logout" };
// @ts-expect-error the method decides what the params are
export const wrong: ClientRequest = { id: 1, method: "account/login/cancel", params: { refreshToken: true } };
"""


def tsc() -> str:
    found = os.environ.get("APP_SERVER_TSC") or shutil.which("tsc")
    assert found, "no TypeScript compiler: set APP_SERVER_TSC, or put tsc on PATH"
    return found


@pytest.mark.tsc
@pytest.mark.parametrize("resolution", [["nodenext"], ["esnext", "--moduleResolution", "bundler"]], ids=" ".join)
@pytest.mark.parametrize("experimental", [False, True], ids=["stable", "experimental"])
def test_the_strict_compiler_accepts_the_types_and_finds_mistakes_with_them(
    experimental: bool, resolution: list[str], tmp_path: Path
) -> None:
    generate_ts(tmp_path / "wire", experimental=experimental)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    client = tmp_path / "client.ts"
    client.write_text(CLIENT, encoding="utf-8")
    strictness = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--verbatimModuleSyntax"]
    finished = subprocess.run(
        [tsc(), "--noEmit", *strictness, "--target", "es2022", "--module", *resolution, str(client)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
