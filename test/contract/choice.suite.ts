/** Contract of what a store keeps of rules and profiles. */
import { expect, test } from "bun:test";
import type { Profile } from "../../src/domain/profile.ts";
import type { Store } from "../../src/store/store.ts";
import { accountLike, credentialsLike } from "../support/store-samples.ts";

export function profileLike(name: string, changes: Partial<Profile> = {}): Profile {
  return {
    name,
    accounts: [],
    strategy: null,
    models: [],
    rules: [],
    keyIds: [],
    projects: [],
    budgets: [],
    ...changes,
  };
}

const FULL = profileLike("work", {
  accounts: [
    { kind: "tag", name: "work" },
    { kind: "alias", name: "all" },
    { kind: "tier", name: "pro" },
  ],
  strategy: "drain-first",
  models: ["gpt-5*"],
  rules: ["# at night", "off spare 22:00-06:00"],
  keyIds: ["ABCDEFGHJK"],
  projects: [{ key: "demo-1a2b3c4d5e6f", path: "/srv/démo" }],
  budgets: ["night", "team"],
});

export function choice(store: () => Store): void {
  test("rules come back line by line, comments and empty lines too; a list replaces the one before", async () => {
    await store().saveRules(["# mine", "", "keep 20% of work"]);
    expect((await store().loadPool()).rules).toEqual(["# mine", "", "keep 20% of work"]);
    await store().saveRules(["avoid spare"]);
    expect((await store().loadPool()).rules).toEqual(["avoid spare"]);
    await store().saveRules([]);
    expect((await store().loadPool()).rules).toEqual([]);
  });

  test("a profile with another name stays where it stands, and what it was called is free", async () => {
    await store().saveProfiles([FULL, profileLike("home")]);
    await store().saveProfiles([{ ...FULL, name: "office" }], { from: "work", to: "office" });
    expect((await store().loadPool()).profiles).toEqual([{ ...FULL, name: "office" }, profileLike("home")]);
  });

  test("accounts, rules and profiles change in one step, or not at all", async () => {
    const [one, two] = [accountLike(1), accountLike(2)];
    await store().addAccounts([one, two].map((account, n) => ({ account, credentials: credentialsLike(n + 1) })));
    await store().saveRules(["avoid a"]);
    await store().saveProfiles([FULL, profileLike("home")]);
    const along = { rules: ["avoid b"], profiles: [profileLike("home", { rules: ["avoid b"] })] };
    await store().saveAccounts([{ ...one, alias: "b" }], along);
    const after = async () => {
      const { accounts, rules, profiles } = await store().loadPool();
      return { aliases: accounts.map(({ alias }) => alias), rules, profiles };
    };
    const changed = { aliases: ["b", two.alias], rules: along.rules, profiles: [FULL, ...along.profiles] };
    expect(await after()).toEqual(changed);
    const taken = store().saveAccounts([{ ...two, alias: "b" }], { rules: [], profiles: [] });
    await expect(taken).rejects.toMatchObject({ code: "alias_taken" });
    expect(await after()).toEqual(changed);
  });

  test("profiles come back whole, in the order in which they were added", async () => {
    await store().saveProfiles([FULL, profileLike("home")]);
    await store().saveProfiles([profileLike("night"), { ...FULL, keyIds: [] }]);
    expect((await store().loadPool()).profiles).toEqual([
      { ...FULL, keyIds: [] },
      profileLike("home"),
      profileLike("night"),
    ]);
  });

  test("a removed profile is gone; removing none is no error", async () => {
    await store().saveProfiles([FULL, profileLike("home")]);
    await store().removeProfile("work");
    await store().removeProfile("nobody");
    expect((await store().loadPool()).profiles).toEqual([profileLike("home")]);
  });
}
