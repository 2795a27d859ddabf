/** The model catalogue of the engine in memory: names stand for what the real rules say, over a list that never changes. */
import { AppError } from "../../src/base/errors.ts";
import type { Account } from "../../src/domain/account.ts";
import type { ModelAlias, PoolModel } from "../../src/domain/model.ts";
import { aliasProblem, chooseModel } from "../../src/domain/model-choice.ts";
import type { CatalogueDesk } from "../../src/pool/catalogue.ts";
import { modelOf } from "./builders.ts";

/** Two models, of which only the first account has both; aliases are kept. */
export function createModels(nowMs: () => number, accounts: () => readonly Account[]): CatalogueDesk {
  const aliases = new Map<string, ModelAlias>();
  const models = (): readonly PoolModel[] => [
    { facts: modelOf("gpt-5.5"), accountIds: accounts().map(({ id }) => id) },
    {
      facts: modelOf("gpt-6-sol", { defaultEffort: "low", lite: true }),
      accountIds: accounts()
        .slice(0, 1)
        .map(({ id }) => id),
    },
  ];
  const book = () => ({
    models: new Map(models().map(({ facts }) => [facts.slug, facts])),
    aliases: new Map([...aliases].map(([name, { target }]) => [name, target])),
    preferLatest: "off",
  });
  return {
    models: () => Promise.reject(new Error("the fake engine serves nobody")),
    etag: () => null,
    isLite: () => false,
    defaultEffort: () => null,
    choose: (asked) => chooseModel(asked, book()),
    prepare: async () => {},
    get(name) {
      const found = models().find(({ facts }) => facts.slug === name);
      if (found === undefined) throw new AppError("model_not_found", `there is no model ${name}`);
      return found;
    },
    aliases: () => [...aliases.values()],
    known: models,
    async view() {
      return {
        models: models(),
        aliases: [...aliases.values()],
        sources: accounts().map(({ id: accountId }, i) =>
          i === 0
            ? { accountId, modelCount: 2, fetchedAtMs: nowMs(), problem: null }
            : { accountId, modelCount: 0, fetchedAtMs: null, problem: "timed out" },
        ),
      };
    },
    async setAlias(name, target) {
      const problem = aliasProblem(name, target, book().aliases);
      if (problem !== null) throw new AppError("invalid_model_alias", problem);
      const alias = { name, target, createdAtMs: nowMs() };
      aliases.set(name, alias);
      return alias;
    },
    async removeAlias(name) {
      const alias = aliases.get(name);
      if (alias === undefined) throw new AppError("model_alias_not_found", `there is no alias ${name} of a model`);
      aliases.delete(name);
      return alias;
    },
  };
}
