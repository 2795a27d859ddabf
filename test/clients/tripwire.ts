/**
 * The only way out of a test world: a proxy on loopback that lets nobody through and writes down who tried. Clients, daemon and simulator
 * get it as their HTTP(S)_PROXY, so that a call to any host but loopback ends here.
 */
import { createServer } from "node:net";

export interface Tripwire {
  readonly env: Readonly<Record<string, string>>;
  /** First line of each call, e.g. `CONNECT chatgpt.com:443 HTTP/1.1`. */
  readonly calls: readonly string[];
  close(): void;
}

const LOOPBACK = "127.0.0.1,localhost,::1";

export async function openTripwire(): Promise<Tripwire> {
  const calls: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      calls.push(bytes.toString("latin1").split("\r\n")[0]!);
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the tripwire has no port");
  const url = `http://127.0.0.1:${address.port}`;
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WSS_PROXY", "WS_PROXY"];
  const env: Record<string, string> = { NO_PROXY: LOOPBACK, no_proxy: LOOPBACK };
  for (const name of names) Object.assign(env, { [name]: url, [name.toLowerCase()]: url });
  return { env, calls, close: () => void server.close() };
}
