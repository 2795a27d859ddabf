/**
 * Foreign RPC clients at the control socket of the compiled executable: `buf curl`, which learns everything by reflection, and grpc-js on Node.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { nextAccount, type ShownExchange, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, type World } from "./harness.ts";
import type { Started } from "./processes.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dir, "../..");
const BUF = join(ROOT, "node_modules", ".bin", "buf");

const SERVICES = ["Account", "Daemon", "Exchange", "Key", "Pool", "Setting"].map((noun) => `rotor.v1.${noun}Service`);

/** Each way into the one socket. */
const WAYS = {
  gRPC: ["--protocol", "grpc", "--http2-prior-knowledge"],
  "Connect over HTTP/1.1": ["--protocol", "connect"],
  "Connect over HTTP/2": ["--protocol", "connect", "--http2-prior-knowledge"],
  "gRPC-Web": ["--protocol", "grpcweb"],
} as const;

function bufCurl(world: World, way: readonly string[], path: string, ...args: string[]): string[] {
  return [BUF, "curl", "--unix-socket", world.socket, ...way, ...args, `http://localhost/${path}`];
}

async function succeed(world: World, command: readonly string[]): Promise<string> {
  const run = await world.run(command);
  expect(run.err).toBe("");
  expect(run.exit).toBe(0);
  return run.out;
}

/** A streaming request by curl whose first account is out; the answer's text. */
async function askOnce(world: World): Promise<string> {
  const key = world.write("key.txt", `authorization: Bearer ${world.key}`);
  const body = JSON.stringify({ model: "gpt-5.5", input: "say hello", stream: true });
  return succeed(world, ["curl", "-sS", "-H", `@${key}`, "-d", body, `${world.proxyUrl}/v1/responses`]);
}

/** Starts a watch, lets an exchange meet a 429 on its first account, and gives the exchange as the watcher saw it end. */
async function watchOneMove(world: World, watch: Started): Promise<{ first: string; seen: ShownExchange }> {
  const first = await nextAccount(world);
  await world.upstream.exhaust(first);
  await watch.prints(/\}\s*$/);
  expect(await askOnce(world)).toContain("response.completed");
  await watch.prints(/"outcome": ?"served"[\s\S]*\}\n$/);
  return {
    first,
    seen: messagesIn(watch.out)
      .flatMap((message) => message.exchanges ?? [])
      .at(-1)!,
  };
}

/** JSON values one after another, pretty or not: between two of them stands no comma, inside one there always does. */
function messagesIn(text: string): { exchanges?: ShownExchange[] }[] {
  return JSON.parse(`[${text.trim().replaceAll("}\n{", "},{")}]`);
}

describe("buf curl", () => {
  test("lists the services and describes a method by reflection", async () => {
    await inWorld(async (world) => {
      const listed = (await succeed(world, bufCurl(world, WAYS.gRPC, "", "--list-services"))).trim().split("\n");
      expect(listed).toEqual(expect.arrayContaining([...SERVICES, "grpc.health.v1.Health"]));
      const methods = await succeed(world, bufCurl(world, WAYS.gRPC, "", "--list-methods"));
      expect(methods).toContain("rotor.v1.PoolService/ExplainSelection");
      for (const protocol of ["grpc-v1", "grpc-v1alpha"]) {
        const way = [...WAYS.gRPC, "--reflect-protocol", protocol];
        expect(await succeed(world, bufCurl(world, way, "rotor.v1.DaemonService/GetDaemon"))).toContain('"pid"');
      }
      const health = await succeed(world, bufCurl(world, WAYS.gRPC, "grpc.health.v1.Health/Check"));
      expect(JSON.parse(health)).toEqual({ status: "SERVING" });
    });
  });

  test("calls in every protocol, with errors that say what is wrong", async () => {
    await inWorld(async (world) => {
      for (const way of Object.values(WAYS)) {
        const listed = JSON.parse(await succeed(world, bufCurl(world, way, "rotor.v1.AccountService/ListAccounts")));
        expect(listed.accounts.map((account: { alias: string }) => account.alias).sort()).toEqual([...ACCOUNTS].sort());
        expect(JSON.stringify(listed)).not.toContain("rt_");
        const refused = await world.run(
          bufCurl(
            world,
            way,
            "rotor.v1.ExchangeService/GetExchange",
            "-d",
            '{"exchangeId":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}',
          ),
        );
        expect(refused.exit).not.toBe(0);
        expect(JSON.parse(refused.err)).toMatchObject({ code: "not_found", message: expect.any(String) });
      }
    });
  });

  for (const name of ["gRPC", "Connect over HTTP/1.1"] as const) {
    test(`watches an exchange that meets a 429 and moves on (${name})`, async () => {
      await inWorld(async (world) => {
        const watch = world.start(bufCurl(world, WAYS[name], "rotor.v1.ExchangeService/WatchExchanges"));
        const { first, seen } = await watchOneMove(world, watch);
        expect(triesOf(seen)).toBe(`${first} window_exhausted next, ${seen.accountAlias} served done`);
        await watch.stop();
      });
    });
  }
});

describe("grpc-js on Node", () => {
  const program = join(import.meta.dir, "programs", "grpc-js.mjs");

  async function describeApi(world: World): Promise<string> {
    const image = join(world.home, "api.binpb");
    await succeed(world, [BUF, "build", join(ROOT, "proto"), "-o", image]);
    return image;
  }

  test("calls, and reads a refusal", async () => {
    await inWorld(async (world) => {
      const command = ["node", program, world.socket, await describeApi(world)];
      const listed = JSON.parse(await succeed(world, [...command, "rotor.v1.AccountService/ListAccounts"]));
      expect(listed.accounts).toHaveLength(ACCOUNTS.length);
      const accountId = listed.accounts[0].id;
      const shown = await succeed(world, [
        ...command,
        "rotor.v1.AccountService/GetAccount",
        JSON.stringify({ accountId }),
      ]);
      expect(JSON.parse(shown).account.id).toBe(accountId);
      const refused = await succeed(world, [
        ...command,
        "rotor.v1.AccountService/GetAccount",
        '{"accountId":"nobody"}',
      ]);
      expect(JSON.parse(refused).error).toMatchObject({ code: expect.stringMatching(/NOT_FOUND|INVALID_ARGUMENT/) });
    });
  });

  test("watches an exchange that meets a 429 and moves on", async () => {
    await inWorld(async (world) => {
      const image = await describeApi(world);
      const watch = world.start(["node", program, world.socket, image, "rotor.v1.ExchangeService/WatchExchanges"]);
      const { first, seen } = await watchOneMove(world, watch);
      expect(triesOf(seen)).toBe(`${first} window_exhausted next, ${seen.accountAlias} served done`);
      await watch.stop();
    });
  });
});
