/** ModelService: the catalogue in the words of the API, what a name is sent as, and aliases made and removed; bad ones refused. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { ModelService } from "../../src/gen/rotor/v1/model_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Door, grpcClient, openDoor } from "./harness.ts";

const ONE = accountOf("one");
const TWO = accountOf("two");
let door: Door;
let models: Client<typeof ModelService>;
beforeEach(async () => {
  door = await openDoor();
  door.engine.put(ONE);
  door.engine.put(TWO);
  models = grpcClient(ModelService, door.path);
});
afterEach(() => door.close());

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorDetailSchema)[0]?.code;
  }
  throw new Error("the call was answered");
}

test("the list says who has what, which names stand for what, and what each account was told", async () => {
  await models.setModelAlias({ name: "quick", target: "gpt-5.5-low" });
  const list = await models.listModels({});
  expect(list.models.map(({ name, accountIds }) => [name, accountIds])).toEqual([
    ["gpt-5.5", [ONE.id, TWO.id]],
    ["gpt-6-sol", [ONE.id]],
  ]);
  expect(list.models[0]).toMatchObject({
    ...{ displayName: "GPT-5.5", listed: true, contextTokens: 272_000n, maxOutputTokens: 0n },
    ...{ efforts: ["low", "medium", "high", "xhigh"], defaultEffort: "medium", serviceTiers: ["priority"] },
  });
  expect(list.aliases).toMatchObject([{ name: "quick", target: "gpt-5.5-low" }]);
  expect(timestampMs(list.aliases[0]!.createTime!)).toBe(T0);
  const [told, untold] = list.sources;
  expect(told).toMatchObject({ accountId: ONE.id, modelCount: 2, problem: "" });
  expect(timestampMs(told!.fetchTime!)).toBe(T0);
  expect(untold).toMatchObject({ accountId: TWO.id, modelCount: 0, problem: "timed out" });
  expect(untold!.fetchTime).toBeUndefined();
});

test("whether clients may fill up their own lists is the setting", async () => {
  for (const value of [false, true]) {
    await door.engine.settings.set("model_backfill", String(value));
    expect((await models.listModels({})).backfill).toBe(value);
  }
});

test("a name is told as it is sent: its model, and the effort and tier that its end asks for", async () => {
  await models.setModelAlias({ name: "quick", target: "gpt-5.5-low" });
  expect((await models.getModel({ name: "gpt-5.5" })).mapping).toBeUndefined();
  for (const [name, effort, serviceTier] of [
    ["quick", "low", ""],
    ["gpt-5.5-high-fast", "high", "priority"],
  ] as const) {
    const { model, mapping } = await models.getModel({ name });
    expect(model!.name).toBe("gpt-5.5");
    expect(mapping).toMatchObject({ asked: name, sent: "gpt-5.5", effort, serviceTier });
  }
  expect(await codeOf(models.getModel({ name: "gpt-9" }))).toBe("model_not_found");
});

test("an alias ends when it is removed; one of an alias, of no name, and the removal of none are refused", async () => {
  const { alias } = await models.setModelAlias({ name: "quick", target: "gpt-5.5" });
  expect(alias).toMatchObject({ name: "quick", target: "gpt-5.5" });
  expect(await codeOf(models.setModelAlias({ name: "quicker", target: "quick" }))).toBe("invalid_model_alias");
  expect(await codeOf(models.setModelAlias({ name: "", target: "gpt-5.5" }))).toBe("invalid_model_alias");
  expect((await models.removeModelAlias({ name: "quick" })).alias).toMatchObject({ name: "quick", target: "gpt-5.5" });
  expect((await models.listModels({})).aliases).toEqual([]);
  expect(await codeOf(models.removeModelAlias({ name: "quick" }))).toBe("model_alias_not_found");
  expect(await codeOf(models.getModel({ name: "quick" }))).toBe("model_not_found");
});
