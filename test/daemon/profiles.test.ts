/**
 * Rules and profiles through the proxy of a real daemon: a key that belongs to a profile, a header that names one, a project that is bound
 * to one. What was given never reaches upstream.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createProxyClient, type ProxyClient, speakerOf } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { Trio } from "./support/trio.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

const PROJECT = { key: "demo-1a2b3c4d5e6f", path: "/srv/demo" };
const call = <T = unknown>(method: string, request: object = {}) => lane.control.call<T>(method, request);
const speaker = async (client: ProxyClient, headers: Record<string, string> = {}) =>
  speakerOf((await client.ask("codex", { headers })).text);

/** A profile that may use one account of the case, and is gone after it. */
async function withProfile(trio: Trio, more: object, play: (alias: string) => Promise<void>): Promise<void> {
  const alias = trio.alias("C");
  await call("ProfileService/SetProfile", { profile: { name: "narrow", accounts: alias, ...more } });
  try {
    await play(alias);
  } finally {
    await call("ProfileService/RemoveProfile", { name: "narrow" });
  }
}

test("a header names a profile; the exchange says so, and upstream never sees the header", () =>
  lane.withTrio((trio) =>
    withProfile(trio, {}, async (alias) => {
      for (let n = 0; n < 3; n++) expect(await speaker(lane.client, { "x-rotor-profile": "narrow" })).toBe(alias);
      const { exchanges } = await call<{
        exchanges: { plan: { profile: string; passedOver: { reason: string }[] } }[];
      }>("ExchangeService/ListExchanges", { pageSize: 1 });
      expect(exchanges[0]!.plan.profile).toBe("narrow");
      expect(exchanges[0]!.plan.passedOver.map(({ reason }) => reason)).toEqual(["outside_profile", "outside_profile"]);
      const seen = JSON.stringify(trio.requests("/backend-api/codex/responses"));
      expect(seen).not.toContain("x-rotor");
    }),
  ));

test("an unknown profile, and a model that a profile does not allow, are refused in words before anything is sent", () =>
  lane.withTrio((trio) =>
    withProfile(trio, { models: ["o4*"] }, async () => {
      const unknown = await lane.client.ask("codex", { headers: { "x-rotor-profile": "nowhere" } });
      expect([unknown.status, unknown.text]).toEqual([400, expect.stringContaining("profile_not_found")]);
      for (const dress of ["codex", "sdk"] as const) {
        const refused = await lane.client.ask(dress, { headers: { "x-rotor-profile": "narrow" } });
        expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("model_not_allowed")]);
      }
      expect(trio.tried()).toBe("");
    }),
  ));

test("the model list of a profile has what it allows, for Codex and for SDKs", () =>
  lane.withTrio(async () => {
    const names = async (path: string, headers: Record<string, string>) => {
      const { status, text } = await lane.client.get(path, headers);
      expect(status).toBe(200);
      return (JSON.parse(text) as { models: { slug: string }[] }).models.map(({ slug }) => slug);
    };
    await call("ModelService/SetModelAlias", { name: "quick", target: "gpt-5.5-low" });
    expect((await names("/backend-api/codex/models", {})).length).toBeGreaterThan(1);
    await call("ProfileService/SetProfile", { profile: { name: "narrow", models: ["gpt-5.5"] } });
    const headers = { "x-rotor-profile": "narrow" };
    expect(await names("/backend-api/codex/models", headers)).toEqual(["gpt-5.5"]);
    expect(await names("/v1/models", headers)).toEqual(["gpt-5.5"]);
    const { text } = await lane.client.get("/v1/models", headers);
    const { data } = JSON.parse(text) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(["gpt-5.5", "quick"]);
    expect((await lane.client.get("/v1/models", { "x-rotor-profile": "nobody" })).status).toBe(400);
    await call("ModelService/RemoveModelAlias", { name: "quick" });
    await call("ProfileService/RemoveProfile", { name: "narrow" });
  }));

test("the model list of a key has what its terms and its profile allow, and so has each model by its name", () =>
  lane.withTrio(async () => {
    await call("ModelService/ListModels", { refresh: true });
    const all = await shownTo(lane.client);
    expect(all.ids.length).toBeGreaterThan(2);
    const other = all.slugs.find((slug) => slug !== "gpt-5.5")!;
    const terms = { models: ["gpt-5.5", `${other}*`] };
    const { secret } = await call<{ secret: string }>("KeyService/CreateKey", { name: "scoped", terms });
    const scoped = createProxyClient(lane.client.url, secret);
    const allowed = all.slugs.filter((slug) => slug === "gpt-5.5" || slug.startsWith(other));
    for (const [name, target] of [
      ["quick", "gpt-5.5-low"],
      ["second", other],
    ])
      await call("ModelService/SetModelAlias", { name, target });
    await call("ProfileService/SetProfile", { profile: { name: "narrow", models: ["gpt-5.5"] } });
    const narrow = { "x-rotor-profile": "narrow" };
    const names = [...all.slugs, "quick", "second"];
    try {
      for (const [client, headers, shown] of [
        [lane.client, {}, names],
        [scoped, {}, [...allowed, "quick", "second"]],
        [lane.client, narrow, ["gpt-5.5", "quick"]],
        [scoped, narrow, ["gpt-5.5", "quick"]],
      ] as const) {
        const { slugs, ids } = await shownTo(client, headers);
        const aliases = ids.filter((id) => !slugs.includes(id));
        expect([...slugs, ...aliases]).toEqual([...shown]);
        for (const name of names) {
          const { status, text } = await client.get(`/v1/models/${name}`, headers);
          const answer = JSON.parse(text) as { id?: string; error?: { code: string } };
          const found = (shown as readonly string[]).includes(name);
          expect([name, status, answer.id ?? answer.error?.code]).toEqual(
            found ? [name, 200, name] : [name, 404, "model_not_found"],
          );
        }
      }
      await call("KeyService/SetKeyTerms", { keyId: await keyId("scoped"), terms: {} });
      expect((await shownTo(scoped)).slugs).toEqual(all.slugs);
    } finally {
      for (const name of ["quick", "second"]) await call("ModelService/RemoveModelAlias", { name });
      await call("ProfileService/RemoveProfile", { name: "narrow" });
    }
  }));

/** The names in both shapes of the list. */
async function shownTo(client: ProxyClient, headers: Record<string, string> = {}) {
  const { status, text } = await client.get("/v1/models", headers);
  expect(status).toBe(200);
  const { models, data } = JSON.parse(text) as { models: { slug: string }[]; data: { id: string }[] };
  return { slugs: models.map(({ slug }) => slug), ids: data.map(({ id }) => id) };
}

async function keyId(wanted: string): Promise<string> {
  const { keys } = await call<{ keys: { id: string; name: string }[] }>("KeyService/ListKeys");
  return keys.find(({ name }) => name === wanted)!.id;
}

test("a project asks through its profile, and no longer when it is unbound", () =>
  lane.withTrio((trio) =>
    withProfile(trio, {}, async (alias) => {
      await call("ProfileService/BindProfile", { name: "narrow", project: PROJECT });
      const headers = { "x-rotor-project": PROJECT.key };
      for (let n = 0; n < 3; n++) expect(await speaker(lane.client, headers)).toBe(alias);
      await call("ProfileService/UnbindProfile", { projectKey: PROJECT.key });
      const spoken = new Set<string | null>();
      for (let n = 0; n < 3; n++) spoken.add(await speaker(lane.client, headers));
      expect(spoken.size).toBeGreaterThan(1);
    }),
  ));

test("a key that belongs to a profile cannot leave it, and finds nobody when its accounts are out", () =>
  lane.withTrio(async (trio) => {
    const secret = await lane.control.createKey("bound");
    const { keys } = await call<{ keys: { id: string; name: string }[] }>("KeyService/ListKeys");
    const keyIds = keys.filter(({ name }) => name === "bound").map(({ id }) => id);
    const bound = createProxyClient(lane.client.url, secret);
    await call("ProfileService/SetProfile", { profile: { name: "wide" } });
    try {
      await withProfile(trio, { keyIds }, async (alias) => {
        for (let n = 0; n < 3; n++) expect(await speaker(bound, { "x-rotor-profile": "wide" })).toBe(alias);
        const { id } = await trio.account("C");
        await call("AccountService/UpdateAccounts", { accountIds: [id], enabled: false });
        const refused = await bound.ask("codex");
        expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("no_usable_account")]);
        expect(await speaker(lane.client)).not.toBe(alias);
      });
    } finally {
      await call("ProfileService/RemoveProfile", { name: "wide" });
    }
  }));

test("a rule for a model is kept by real requests, and the story of an exchange names it", () =>
  lane.withTrio(async (trio) => {
    const rule = `only ${trio.alias("B")} for gpt-5*`;
    await call("RuleService/SetRules", { lines: ["# models", rule] });
    try {
      for (let n = 0; n < 3; n++) expect(await speaker(lane.client)).toBe(trio.alias("B"));
      const { exchanges } = await call<{ exchanges: { plan: { rules: { line: number; text: string }[] } }[] }>(
        "ExchangeService/ListExchanges",
        { pageSize: 1 },
      );
      expect(exchanges[0]!.plan.rules).toMatchObject([{ line: 2, text: rule }]);
    } finally {
      await call("RuleService/SetRules", { lines: [] });
    }
  }));

test("a preview asks the past again, and changes nothing", async () => {
  await lane.withTrio(async (trio) => {
    await lane.client.ask("codex");
    const others = `off ${trio.alias("A")}, ${trio.alias("B")}, ${trio.alias("C")} on mon-sun`;
    const preview = await call<{
      nowhereCount?: string;
      effects?: { fromAlias: string; toAlias?: string; line: number }[];
    }>("RuleService/PreviewRules", { lines: ["", others] });
    const last = preview.effects?.[0];
    expect(last).toMatchObject({ fromAlias: trio.alias("A"), line: 2 });
    const elsewhere = await call<{ effects?: { toAlias?: string; rule: string }[] }>("RuleService/PreviewRules", {
      lines: [`avoid ${trio.alias("A")}`],
    });
    expect([trio.alias("B"), trio.alias("C")]).toContain(elsewhere.effects?.[0]?.toAlias ?? "nobody");
    expect(await call("RuleService/ListRules")).toMatchObject({ list: { lines: [] } });
  });
});
