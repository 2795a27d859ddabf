/**
 * The real OpenCode with Rotor's plugin in its folder, and nothing else said to it: with a ChatGPT login of its own and without one, over an
 * account that runs out, a daemon that moves to another port and one that is down.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT } from "../../src/cli/plugin-text.ts";
import { playPlugin } from "../support/plugin-play.ts";
import { listExchanges, nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import { type OpenCodeServer, openServer } from "./opencode-server.ts";
import { storyOf } from "./upstream.ts";

setDefaultTimeout(290_000);

/** What OpenCode would fetch from elsewhere; none of it changes how it speaks to its model. */
const OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
  // `auth login` asks for it whatever the first one says.
  OPENCODE_MODELS_URL: "http://127.0.0.1:1",
};

/** Several times what a busy machine needs for one run. */
const PATIENT = { env: OFFLINE, limitMs: 120_000 };

/** A login as OpenCode keeps it, long expired: whoever used it would have to renew it first, and be seen. */
const OWN = {
  type: "oauth",
  refresh: ["their", "refresh".repeat(6)].join("-"),
  access: ["their", "access".repeat(6)].join("-"),
  expires: 1,
  accountId: "their-workspace-id",
};

const PLUGINS = ".config/opencode/plugins";

async function withPlugin(body: (world: World, opencode: string) => Promise<void>): Promise<void> {
  const { opencode } = installClients();
  await inWorld(async (world) => {
    world.write(`${PLUGINS}/rotor.js`, OPENCODE_PLUGIN_TEXT);
    // A first list of models, so that a test never depends on who was faster.
    await world.ctl("model", "list");
    await body(world, opencode);
    expectNoKeyIn(world.home);
  });
}

/** The key of the handshake lives in memory: no file that OpenCode or the plugin wrote holds one. */
function expectNoKeyIn(folder: string): void {
  const shape = /rtr_[0-9A-HJKMNP-TV-Z]{10}_/;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const holding = files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => shape.test(readFileSync(path, "latin1")));
  expect(files.length).toBeGreaterThan(1);
  expect(holding).toEqual([]);
}

async function withServer(
  world: World,
  opencode: string,
  body: (server: OpenCodeServer) => Promise<void>,
): Promise<void> {
  const server = await openServer(world, opencode, OFFLINE);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}

clientSuite("opencode with the plugin", () => {
  test("without a login: served, counted for client and project, with Rotor's models", async () => {
    await withPlugin(async (world, opencode) => {
      const first = await nextAccount(world);
      const run = await world.run([opencode, "run", "say hello"], PATIENT);
      expect(run.out).toBe(`SIM ${first} says: "say hello"\n`);
      expect(run.exit).toBe(0);
      const { keys } = await world.ctlJson<{ keys: { id: string; name: string }[] }>("key", "list");
      const label = keys.find(({ name }) => name === "opencode")!;
      const exchanges = await listExchanges(world);
      expect(exchanges).toHaveLength(2);
      for (const exchange of exchanges)
        expect(exchange).toMatchObject({ keyId: label.id, surface: "sdk", status: 200 });
      const { buckets } = await world.ctlJson<{ buckets: { key: string }[] }>("usage", "--by", "project");
      expect(buckets.map(({ key }) => key)).toEqual([expect.stringMatching(/^work-[0-9a-f]{12}$/)]);
      const { models } = await world.ctlJson<{ models: { name: string; listed?: boolean }[] }>("model", "list");
      const listed = models.filter((model) => model.listed).map(({ name }) => `openai/${name}`);
      const offered = (await world.run([opencode, "models", "openai"], PATIENT)).out.trim().split("\n");
      expect(offered).toEqual(expect.arrayContaining(listed));
      expect(offered.filter((name) => !listed.includes(name.replace(/-fast$/, "")))).toEqual([]);
      // The one that upstream names first, and not the one that OpenCode would take.
      expect(run.err).toContain(`build · ${models.find((model) => model.listed)!.name}\n`);
    });
  });

  test("with a ChatGPT login of its own: served by Rotor all the same; that login goes nowhere", async () => {
    await withPlugin(async (world, opencode) => {
      world.write(".local/share/opencode/auth.json", JSON.stringify({ openai: OWN }));
      const first = await nextAccount(world);
      const run = await world.run([opencode, "run", "-m", "openai/gpt-5.5", "--variant", "high", "say hello"], PATIENT);
      expect(run.out).toBe(`SIM ${first} says: "say hello"\n`);
      const seen = await world.upstream.responses();
      expect(seen.map(({ status }) => status)).toEqual([200, 200]);
      const effort = (request: (typeof seen)[number]) =>
        (request.body!.reasoning as { effort?: string } | undefined)?.effort;
      expect(seen.map(effort)).toContain("high");
      const everything = JSON.stringify([await world.upstream.requests(), await listExchanges(world)]);
      for (const own of [OWN.refresh, OWN.access, OWN.accountId]) expect(everything).not.toContain(own);
      const stored = JSON.parse(readFileSync(join(world.home, ".local/share/opencode/auth.json"), "utf8"));
      expect(stored).toEqual({ openai: OWN });
    });
  });

  test("beside another plugin that changes the same provider: what it says stands, and Rotor serves", async () => {
    await withPlugin(async (world, opencode) => {
      const other = `export default { id: "other", server: async () => ({
        config: async (config) => {
          const openai = ((config.provider ??= {}).openai ??= {});
          openai.options = { ...openai.options, timeout: 100000, headers: { "x-other-option": "yes" } };
        },
        "chat.headers": async (_, { headers }) => void (headers["x-other"] = "yes"),
      }) };`;
      for (const name of ["aaa", "zzz"]) world.write(`${PLUGINS}/${name}.js`, other.replaceAll("other", name));
      const first = await nextAccount(world);
      const run = await world.run([opencode, "run", "-m", "openai/gpt-5.5", "say hello"], PATIENT);
      expect(run.out).toBe(`SIM ${first} says: "say hello"\n`);
      const turn = (await world.upstream.responses()).find(({ body }) => body?.model === "gpt-5.5")!;
      const names = turn.headers.map(([name]) => name);
      expect(names).toEqual(expect.arrayContaining(["x-aaa", "x-zzz"]));
    });
  });

  test("an account that runs out in the middle of a task: the next one goes on, OpenCode notices nothing", async () => {
    await withPlugin(async (world, opencode) => {
      await withServer(world, opencode, async (server) => {
        const id = await server.begin();
        const first = await nextAccount(world);
        expect(await server.say(id, "say one")).toBe(`SIM ${first} says: say one`);
        await world.upstream.exhaust(first);
        const second = await server.say(id, "run: echo moved-$((40+2))");
        expect(second).toMatch(/^SIM \w+ says: the tool answered: moved-42/);
        expect(second).not.toContain(`SIM ${first} `);
        const story = storyOf((await world.upstream.responses()).filter(({ body }) => Array.isArray(body?.tools)));
        // What the account that is out had sealed is refused by the next one, and left out then.
        expect(story).toMatch(new RegExp(`^${first} 200, ${first} 429, (?:(?!${first})\\w+ (?:400|200), )+\\w+ 200$`));
      });
    });
  });

  test("a daemon that comes back on another port is followed; one that is away is said, once, and found again", async () => {
    await withPlugin(async (world, opencode) => {
      await withServer(world, opencode, async (server) => {
        const id = await server.begin();
        expect(await server.say(id, "say one")).toContain("says: say one");
        expect(await world.restart()).not.toBe(world.proxyUrl);
        expect(await server.say(id, "say two")).toContain("says: say two");
        const before = (await world.upstream.responses()).length;
        await world.ctl("down");
        const refusal = await server.fails(id, "say three");
        expect(refusal).toContain("Rotor does not answer");
        expect(refusal).toContain("rotor up");
        expect(await world.upstream.responses()).toHaveLength(before);
        await world.restart();
        expect(await server.say(id, "say four")).toContain("says: say four");
        const { clients } = await world.ctlJson<{ clients: { client: string; pid: number }[] }>("client", "list");
        expect(clients).toMatchObject([{ client: "opencode", pid: server.pid }]);
      });
    });
  });

  test("without a daemon and without the program to start one it ends at once, and says what to do", async () => {
    await withPlugin(async (world, opencode) => {
      world.write(".local/share/opencode/auth.json", JSON.stringify({ openai: OWN }));
      await world.ctl("down");
      const run = await world.run([opencode, "run", "-m", "openai/gpt-5.5", "say hello"], PATIENT);
      expect(run.exit).not.toBe(0);
      expect(run.out).toBe("");
      expect(run.err).toContain("Rotor does not answer");
      expect(await world.upstream.responses()).toEqual([]);
    });
  });

  test("/rotor pins and explains, -fast changes the service tier alone, a profile of the folder is in force", async () => {
    await withPlugin(async (world, opencode) => {
      await withServer(world, opencode, async (server) => {
        const id = await server.begin();
        expect(await server.order(id, "rotor", "pin team")).toContain("Pinned to team");
        expect(await server.order(id, "rotor", "explain")).toContain("would go to team (pin)");
        expect(await server.order(id, "rotor", "unpin")).toContain("The pin is gone");
        await server.say(id, "say fast", "gpt-5.5-fast");
        const fast = (await world.upstream.responses()).at(-1)!;
        expect(fast.body).toMatchObject({ model: "gpt-5.5", service_tier: "priority" });
        await world.ctl("profile", "set", "narrow", "--accounts", "plus");
        await world.ctl("profile", "bind", "narrow", world.work);
        const other = await server.begin();
        expect(await server.say(other, "say hello")).toBe("SIM plus says: say hello");
      });
    });
  });

  test("opencode auth login -p rotor signs in to one more account, and stores nothing in OpenCode", async () => {
    await withPlugin(async (world, opencode) => {
      await world.upstream.addAccount({ alias: "fourth", plan: "prolite" });
      const login = world.start(
        [opencode, "auth", "login", "-p", "rotor", "-m", "Rotor: add a ChatGPT account (a code, from any browser)"],
        {
          env: OFFLINE,
        },
      );
      const [, code] = await login.prints(/type the code (\S+)\./, 120_000);
      await world.upstream.agree(code!, "fourth");
      const ended = await login.ended;
      expect(ended.out + ended.err).toContain("Login successful");
      const { accounts } = await world.ctlJson<{ accounts: { tier: string }[] }>("account", "list");
      expect(accounts.map(({ tier }) => tier)).toContain("prolite");
      expect(readdirSync(join(world.home, ".local/share/opencode"))).not.toContain("auth.json");
    });
  });

  test("the same file in OpenCode's own runtime, Bun 1.3, without OpenCode around it", async () => {
    const { opencode } = installClients();
    const folder = mkdtempSync(join(tmpdir(), "rotor-bun13-"));
    try {
      writeFileSync(join(folder, "rotor.js"), OPENCODE_PLUGIN_TEXT);
      writeFileSync(join(folder, "rotor-tui.js"), OPENCODE_TUI_TEXT);
      // An executable that Bun compiled is Bun itself when it is told so.
      const played = await playPlugin([opencode], folder, { BUN_BE_BUN: "1" });
      expect(played).toMatchObject({ served: 200, afterRestart: 200, down: 400, shape: ["id", "server", "setup"] });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
