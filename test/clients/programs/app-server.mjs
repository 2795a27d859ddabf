/**
 * Asks Codex's own app-server what a desktop app asks it: `account/read`, `account/rateLimits/read`, then one turn, then the limits again.
 * Prints the answers and the notes about limits as one line of JSON.
 *
 *   app-server.mjs CODEX TEXT…
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [codex, ...words] = process.argv.slice(2);
const server = spawn(codex, ["app-server"], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map();
const notes = [];
let turnEnded = () => {};
let next = 1;

function send(message) {
  server.stdin.write(`${JSON.stringify(message)}\n`);
}

function call(method, params) {
  const id = next++;
  send({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve));
}

createInterface({ input: server.stdout }).on("line", (line) => {
  const message = JSON.parse(line);
  if (message.id !== undefined && message.method === undefined) {
    waiting.get(message.id)?.(message.error ?? message.result);
    return;
  }
  if (message.method === "account/rateLimits/updated") notes.push(message.params);
  if (message.method === "turn/completed") turnEnded(message.params);
});

await call("initialize", { clientInfo: { name: "rotor_test", title: "Rotor test", version: "1.0" } });
send({ method: "initialized" });
const account = await call("account/read", { refreshToken: false });
const before = await call("account/rateLimits/read", undefined);
const turns = [];
if (words.length > 0) {
  const { thread } = await call("thread/start", { cwd: process.cwd() });
  for (const text of words) {
    const ended = new Promise((resolve) => (turnEnded = resolve));
    const begun = await call("turn/start", { threadId: thread.id, input: [{ type: "text", text }] });
    turns.push(begun?.turn === undefined ? begun : (await ended).turn.status);
  }
}
const after = await call("account/rateLimits/read", undefined);
console.log(JSON.stringify({ before, account, turns, notes, after }));
server.stdin.end();
server.kill();
