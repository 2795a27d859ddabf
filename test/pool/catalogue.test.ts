/** The model list: fetched once for all who ask, and what is known of a model without asking. */
import { expect, test } from "bun:test";
import { createCatalogue } from "../../src/pool/catalogue.ts";
import type { ExchangeRequest } from "../../src/pool/engine.ts";
import { opened } from "../support/fake-exchange-engine.ts";
import { createManualClock } from "../support/manual-clock.ts";

const REQUEST = {
  headers: [],
  keyId: "k",
  signal: new AbortController().signal,
  surface: "sdk",
  path: "/v1/models",
} as const;

function room(bodies: string[]) {
  const clock = createManualClock();
  const asked: ExchangeRequest[] = [];
  const run = async (request: ExchangeRequest) => {
    asked.push(request);
    return opened(bodies.shift()!, [["content-type", "application/json"]]);
  };
  return { clock, asked, catalogue: createCatalogue({ clock, run }) };
}

const list = (...models: [slug: string, lite: boolean][]) =>
  JSON.stringify({ models: models.map(([slug, lite]) => ({ slug, use_responses_lite: lite })) });

test("which models are lite is known by name until a list says it", async () => {
  const { catalogue, clock } = room([list(["gpt-6-sol", false], ["gpt-9", true]), "no list", list(["gpt-9", false])]);
  const known = () =>
    ["gpt-6-astra", "gpt-6.1-sol", "gpt-5.6-luna", "gpt-6-sol", "gpt-5.5", "gpt-5.4-nano", "gpt-9"].map(
      catalogue.isLite,
    );
  expect(known()).toEqual([true, true, true, true, false, false, false]);
  await catalogue.models(REQUEST);
  expect(known()).toEqual([true, true, true, false, false, false, true]);
  await clock.advance(600_000);
  await catalogue.models(REQUEST);
  expect(catalogue.isLite("gpt-9")).toBe(true);
  await clock.advance(600_000);
  await catalogue.models(REQUEST);
  expect(catalogue.isLite("gpt-9")).toBe(false);
});

test("the list is fetched once for all who ask, unpacked, and kept for a while", async () => {
  const { catalogue, asked } = room([list()]);
  const answers = await Promise.all([catalogue.models(REQUEST), catalogue.models(REQUEST)]);
  await catalogue.models(REQUEST);
  expect(answers.map(({ kind }) => kind)).toEqual(["models", "models"]);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({ method: "GET", stream: false, unpack: true });
});
