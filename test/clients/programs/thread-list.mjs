/**
 * Asks Codex's own app-server which conversations it shows, as the desktop app does. Prints what each began with, oldest first, as one JSON array.
 *
 *   thread-list.mjs CODEX
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const server = spawn(process.argv[2], ["app-server"], { stdio: ["pipe", "pipe", "inherit"] });
const say = (message) => server.stdin.write(`${JSON.stringify(message)}\n`);
say({ id: 1, method: "initialize", params: { clientInfo: { name: "test", title: "test", version: "1" } } });
for await (const line of createInterface({ input: server.stdout })) {
  const { id, result } = JSON.parse(line);
  if (id === 1) {
    say({ method: "initialized" });
    say({ id: 2, method: "thread/list", params: { sourceKinds: ["exec", "cli", "appServer"] } });
  }
  if (id !== 2) continue;
  console.log(JSON.stringify(result.data.map(({ preview }) => preview).reverse()));
  break;
}
server.kill();
