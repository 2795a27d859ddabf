/** Limits as people write them, values with commas between them, and the commands that speak of use. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { csvText } from "../../src/cli/text/csv.ts";
import { limitText, parseLimit, parseLimits } from "../../src/cli/text/limit-text.ts";
import { NO_USAGE, type UsageTotals } from "../../src/domain/ledger.ts";
import { Measure, Period } from "../../src/gen/rotor/v1/limit_pb.ts";
import { type Desk, openDesk } from "./harness.ts";

describe("limits", () => {
  test("are read as people write them", () => {
    for (const [text, measure, amount, period] of [
      ["100 requests/hour", Measure.REQUESTS, 100n, Period.HOUR],
      ["1 request per hour", Measure.REQUESTS, 1n, Period.HOUR],
      ["2M tokens/day", Measure.TOKENS, 2_000_000n, Period.DAY],
      ["1,500,000 tokens a day", Measure.TOKENS, 1_500_000n, Period.DAY],
      ["20 USD/week", Measure.COST, 20_000_000n, Period.WEEK],
      ["$0.50 / month", Measure.COST, 500_000n, Period.MONTH],
      ["20usd/week", Measure.COST, 20_000_000n, Period.WEEK],
    ] as const)
      expect(parseLimit(text)).toEqual({ measure, amount, period });
  });

  test("that are none are refused", () => {
    for (const text of [
      "",
      "20",
      "20 USD",
      "tokens/day",
      "0 tokens/day",
      "-5 tokens/day",
      "5 lines/day",
      "5 tokens/year",
    ])
      expect(() => parseLimit(text)).toThrow();
  });

  test("come in lists, with commas in numbers too", () => {
    expect(parseLimits("none")).toEqual([]);
    expect(parseLimits("1,000 requests/hour, 2M tokens/day").map(limitText)).toEqual([
      "1,000 requests/hour",
      "2,000,000 tokens/day",
    ]);
  });

  test("what is printed is read again as the same", () => {
    const limitArb = fc.record({
      measure: fc.constantFrom(Measure.REQUESTS, Measure.TOKENS),
      amount: fc.bigInt({ min: 1n, max: 10n ** 14n }),
      period: fc.constantFrom(Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH),
    });
    fc.assert(fc.property(limitArb, (limit) => expect(parseLimit(limitText(limit))).toEqual(limit)));
  });
});

describe("comma-separated values", () => {
  /** RFC 4180, read back. */
  function parseCsv(text: string): string[][] {
    const rows: string[][] = [[]];
    let cell = "";
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '"') {
        for (i++; !(text[i] === '"' && text[i + 1] !== '"'); i++) {
          if (text[i] === '"') i++;
          cell += text[i];
        }
      } else if (text[i] === "," || text.startsWith("\r\n", i)) {
        rows.at(-1)!.push(cell);
        cell = "";
        if (text[i] === "\r") {
          rows.push([]);
          i++;
        }
      } else cell += text[i];
    }
    return rows.slice(0, -1);
  }

  test("whatever is in a cell comes back, and nothing is a formula", () => {
    const cell = fc.oneof(fc.string(), fc.stringMatching(/^[=+\-@,"\r\n\t]{1,5}$/));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (rows) => {
        const back = parseCsv(csvText(rows));
        expect(back).toEqual(rows.map((row) => row.map((text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text))));
        for (const text of back.flat()) expect(text).not.toMatch(/^[=+\-@\t\r]/);
      }),
    );
  });

  test("numbers stay numbers", () => {
    expect(csvText([["a", 1, 2n, -3]])).toBe("a,1,2,-3\r\n");
  });
});

describe("commands", () => {
  let desk: Desk;
  beforeEach(async () => {
    desk = await openDesk();
  });
  afterEach(() => desk.close());

  const totals = (change: Partial<UsageTotals>): UsageTotals => ({ ...NO_USAGE, ...change });
  const put = (...buckets: [string, Partial<UsageTotals>][]) => {
    desk.door.engine.spend.report.buckets = buckets.map(([bucket, change]) => ({ bucket, totals: totals(change) }));
  };

  test("usage prints sums, what is missing in them, and the whole", async () => {
    put(
      [
        "gpt-5.5",
        {
          requests: 3,
          served: 2,
          inputTokens: 1_000,
          cachedInputTokens: 750,
          outputTokens: 10,
          costMicroUsd: 1_234_567,
        },
      ],
      ["odd", { requests: 1, served: 1, inputTokens: 5, unpriced: 1 }],
    );
    const { out, err, exit } = await desk.run("usage", "--by", "model", "--since", "2d");
    expect(exit).toBe(0);
    expect(out).toContain("gpt-5.5");
    expect(out).toMatch(/^total +4 +1,005 +75% +10 +1\.23 USD\+/m);
    expect(err).toContain("1 of the requests got no answer");
    expect(err).toContain("their model has no price");
    expect(desk.door.engine.spend.report.asked).toMatchObject({ groupBy: "model" });
  });

  test("usage is a table for spreadsheets with --csv, and nothing in it calculates", async () => {
    put(["=cmd|' /C calc'!A0", { requests: 1, served: 1, costMicroUsd: 1 }]);
    const { out } = await desk.run("usage", "--by", "project", "--csv");
    const [header, line] = out.split("\r\n");
    expect(header).toStartWith("project,label,requests,served,input_tokens");
    expect(line).toStartWith("'=cmd|' /C calc'!A0,'=cmd|' /C calc'!A0,1,1,0,0,0,0,0.000001,0,");
  });

  test("usage refuses what it cannot read", async () => {
    for (const argv of [
      ["--by", "colour"],
      ["--since", "soon"],
      ["--csv", "--json"],
    ])
      expect((await desk.run("usage", ...argv)).exit).toBe(2);
  });

  test("prices are listed with their day, set and reset", async () => {
    expect((await desk.run("usage", "price")).out).toMatch(/^gpt-5\.5 +5 +0\.5 +30 +\d{4}-\d{2}-\d{2} +table$/m);
    expect((await desk.run("usage", "price", "set", "mine", "--input", "2", "--output", "8")).err).toContain(
      "0.2 cached",
    );
    expect((await desk.run("usage", "price")).out).toMatch(/^mine +2 +0\.2 +8 +\S+ +you$/m);
    expect((await desk.run("usage", "price", "reset", "mine")).err).toContain("no price now");
    expect((await desk.run("usage", "price", "set", "mine")).exit).toBe(2);
    expect((await desk.run("usage", "price", "melt", "mine")).exit).toBe(2);
  });

  test("a budget is set, listed, checked and taken away", async () => {
    await desk.run("key", "create", "ci");
    expect((await desk.run("budget", "set", "team", "--limit", "20 USD/week", "--warn", "80")).exit).toBe(0);
    expect((await desk.run("budget", "set", "ci", "--scope", "key:ci", "--limit", "1 request/hour")).exit).toBe(0);
    const { out } = await desk.run("budget", "list");
    expect(out).toMatch(/^team +all +20\.00 USD\/week +0% /m);
    expect(out).toMatch(/^ci +key ci +1 requests\/hour +100% /m);
    expect((await desk.run("budget", "check", "team")).exit).toBe(0);
    const check = await desk.run("budget", "check");
    expect([check.exit, check.out]).toEqual([1, expect.stringContaining("ci: used up")]);
    expect((await desk.run("budget", "remove", "ci")).exit).toBe(0);
    expect((await desk.run("budget", "check", "ci")).exit).toBe(4);
    for (const argv of [["x"], ["x", "--limit", "much"], ["x", "--limit", "1 USD/day", "--scope", "moon"]])
      expect((await desk.run("budget", "set", ...argv)).exit).toBe(2);
    expect((await desk.run("budget", "set", "x", "--limit", "1 USD/day", "--scope", "key:nobody")).exit).toBe(4);
  });

  test("a key's terms are what was said, one by one", async () => {
    await desk.run("key", "create", "ci", "--models", "gpt-5.4*,o3", "--limit", "2M tokens/day", "--expires", "30d");
    const shown = async () => (await desk.run("key", "show", "ci")).out;
    expect(await shown()).toMatch(/^models +gpt-5\.4\*, o3$/m);
    expect(await shown()).toMatch(/^limit +0 of 2,000,000 tokens\/day/m);
    await desk.run("key", "limit", "ci", "--models", "none", "--efforts", "low");
    expect(await shown()).toMatch(/^models +all$/m);
    expect(await shown()).toMatch(/^efforts +low$/m);
    expect(await shown()).toMatch(/^expires +in 30d/m);
    await desk.run("key", "limit", "ci", "--limit", "none", "--expires", "none");
    expect(await shown()).toMatch(/^limits +none$/m);
    expect(await shown()).toMatch(/^expires +never$/m);
    expect((await desk.run("key", "limit", "ci")).exit).toBe(2);
    expect((await desk.run("key", "limit", "ci", "--expires", "yesterday")).exit).toBe(2);
  });

  test("a new secret goes to stdout alone; the grace is said", async () => {
    await desk.run("key", "create", "ci");
    const { out, err } = await desk.run("key", "rotate", "ci");
    expect(out).toMatch(/^rtr_\S+\n$/);
    expect(err).toContain("good for another 1h");
    expect((await desk.run("key", "rotate", "ci", "--grace", "0")).err).toContain("refused from now on");
    expect((await desk.run("key", "rotate", "ci", "--grace", "later")).exit).toBe(2);
  });
});
