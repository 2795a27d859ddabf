/**
 * The real Codex CLI straight at the simulator, with a ChatGPT login and no Rotor between: the simulator must be an upstream that Codex
 * believes, or the other tests of this folder prove nothing.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { headerOf, storyOf, type Upstream } from "./upstream.ts";

setDefaultTimeout(60_000);

function configFor(upstream: Upstream): string {
  const { port } = new URL(upstream.issuer);
  // Two hosts: with one origin Codex would go to chatgpt.com by itself (wire §0.4).
  return `model = "gpt-5.5"
chatgpt_base_url = "http://localhost:${port}/backend-api"
openai_base_url = "http://127.0.0.1:${port}/backend-api/codex"

[features]
plugins = false
apps = false

[analytics]
enabled = false
`;
}

async function withDirectCodex(
  body: (world: World, codex: (...args: string[]) => Promise<Run>, start: string[]) => Promise<void>,
): Promise<void> {
  const { codex } = installClients();
  await inWorld(async (world) => {
    world.write(".codex/config.toml", configFor(world.upstream));
    const env = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${world.upstream.issuer}/oauth/token` };
    const exec = (...args: string[]) => world.run([codex, "exec", "--skip-git-repo-check", ...args], { env });
    await body(world, exec, [codex]);
  });
}

async function logIn(world: World): Promise<void> {
  const login = await world.upstream.addAccount({ alias: "own", plan: "plus" });
  world.write(".codex/auth.json", JSON.stringify(login));
}

clientSuite("codex straight at the simulator", () => {
  test("answers and tool calls, with zstd bodies, after a refused WebSocket", async () => {
    await withDirectCodex(async (world, codex) => {
      await logIn(world);
      await world.upstream.fault({ at: "upgrade", kind: "upgrade_required", times: "always" });
      const run = await codex("--sandbox", "danger-full-access", "run: echo direct-$((40+2))");
      expect(run.out).toContain("SIM own says: the tool answered:");
      expect(run.out).toContain("direct-42");
      expect(run.exit).toBe(0);
      const seen = await world.upstream.responses();
      expect(storyOf(seen.filter((request) => request.method === "POST"))).toBe("own 200, own 200");
      expect(seen.filter((request) => request.method === "GET").map((request) => request.status)).toEqual([426]);
      expect(headerOf(seen.at(-1)!, "content-encoding")).toBe("zstd");
      const paths = (await world.upstream.requests()).map((request) => request.path);
      expect(paths).toContain("/backend-api/wham/accounts/check");
    });
  });

  test("over a WebSocket: a warm-up, then only what is new, with a tool call", async () => {
    await withDirectCodex(async (world, codex) => {
      await logIn(world);
      const run = await codex("--sandbox", "danger-full-access", "run: echo socket-$((40+2))");
      expect(run.out).toContain("SIM own says: the tool answered:");
      expect(run.out).toContain("socket-42");
      expect(run.exit).toBe(0);
      const seen = await world.upstream.settled();
      expect(storyOf(seen.filter((request) => request.method !== "GET"))).toBe("own 200, own 200, own 200");
      expect(seen.every((request) => request.method !== "POST")).toBe(true);
      const [warm, turn, next] = seen.filter((request) => request.method === "WS");
      expect(warm!.body!.generate).toBe(false);
      for (const request of [turn!, next!]) expect(request.body!.previous_response_id).toStartWith("resp_");
    });
  });

  test("an expired login is renewed by Codex, once, and the rotated token is kept", async () => {
    await withDirectCodex(async (world, codex) => {
      await logIn(world);
      const tokenOf = () =>
        JSON.parse(readFileSync(join(world.home, ".codex", "auth.json"), "utf8")).tokens.refresh_token;
      const before = tokenOf();
      await world.upstream.expireAccess("own");
      const run = await codex("say hello");
      expect(run.out).toBe("SIM own says: say hello\n");
      const renewals = (await world.upstream.requests()).filter((request) => request.path === "/oauth/token");
      expect(renewals.map((request) => request.status)).toEqual([200]);
      expect(tokenOf()).not.toBe(before);
    });
  });

  test("a full window makes Codex print its usage limit, with the way up and the time", async () => {
    await withDirectCodex(async (world, codex) => {
      await logIn(world);
      await world.upstream.exhaust("own");
      const run = await codex("say hello");
      expect(run.err).toMatch(/You’ve hit your usage limit\..*\d+:\d\d [AP]M/);
      const asked = (await world.upstream.settled()).filter((request) => request.body?.generate !== false);
      expect(storyOf(asked.filter((request) => request.method === "WS"))).toBe("own 429");
    });
  });

  test("codex login --device-auth gets a login that works", async () => {
    await withDirectCodex(async (world, codex, [binary]) => {
      await world.upstream.addAccount({ alias: "own", plan: "plus" });
      const issuer = ["--experimental_issuer", world.upstream.issuer];
      const login = world.start([binary!, "login", "--device-auth", ...issuer]);
      const [code] = await login.prints(/[A-Z0-9]{4}-[A-Z0-9]{4,5}(?=\W)/);
      await world.upstream.agree(code, "own");
      expect((await login.ended).exit).toBe(0);
      expect(existsSync(join(world.home, ".codex", "auth.json"))).toBe(true);
      expect((await codex("say hello")).out).toBe("SIM own says: say hello\n");
    });
  });
});
