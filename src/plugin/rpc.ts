/**
 * One call of the control API: the Connect protocol as JSON over HTTP/1.1 on the Unix socket, through `node:http`, because that is the one
 * way that works alike in OpenCode's Bun, in Desktop's Node and over a dead daemon (which an HTTP/2 client waits for).
 */
import { request } from "node:http";

export class RpcError extends Error {
  /** Of Rotor (`profile_not_found`), else of the Connect protocol (`unavailable`). */
  readonly code: string;
  /** The command that mends it; "" when there is none. */
  readonly hint: string;

  constructor(message: string, code: string, hint = "") {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** `method` is `PoolService/GetPool`. Rejects with {@link RpcError}, after `limitMs` at the latest. */
export function call<T>(socketPath: string, method: string, body: object = {}, limitMs = 5_000): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const data = JSON.stringify(body);
    const lost = (error: Error) => reject(new RpcError(error.message, "unavailable"));
    const headers = {
      host: "rotor",
      "content-type": "application/json",
      "connect-protocol-version": "1",
      "content-length": Buffer.byteLength(data),
    };
    const path = `/rotor.v1.${method}`;
    const sent = request({ socketPath, path, method: "POST", headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", lost);
      response.on("end", () => {
        clearTimeout(timer);
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}");
          if (response.statusCode === 200) resolve(answer as T);
          else reject(errorOf(answer, response.statusCode ?? 0));
        } catch {
          reject(new RpcError(`${method} was answered with ${response.statusCode} and no JSON`, "unavailable"));
        }
      });
    });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer in ${limitMs} ms`)), limitMs);
    // A host that wants to end is not held up.
    timer.unref?.();
    sent.on("error", (error) => {
      clearTimeout(timer);
      lost(error);
    });
    sent.end(data);
  });
}

interface ErrorAnswer {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly type?: string; readonly value?: string }[];
}

function errorOf(answer: ErrorAnswer, status: number): RpcError {
  const detail = answer.details?.find(({ type }) => type === "rotor.v1.ErrorDetail");
  const texts = detail?.value === undefined ? {} : textFields(Buffer.from(detail.value, "base64"));
  const code = texts[1] ?? answer.code ?? `http_${status}`;
  return new RpcError(answer.message ?? code, code, texts[2] ?? "");
}

/** Fields 1 and 2 of an ErrorDetail (`code`, `hint`): a whole protobuf library for two texts would be the larger half of this file. */
function textFields(bytes: Buffer): Record<number, string> {
  const texts: Record<number, string> = {};
  for (let at = 0; at + 1 < bytes.length; ) {
    const tag = bytes[at]!;
    const length = bytes[at + 1]!;
    // Both fields come first, and are short; what is not of that form ends the reading.
    if ((tag & 7) !== 2 || tag >> 3 > 2 || length > 127) break;
    texts[tag >> 3] = bytes.toString("utf8", at + 2, at + 2 + length);
    at += 2 + length;
  }
  return texts;
}
