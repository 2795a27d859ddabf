/**
 * The vocabulary: one word, one meaning. Words that we gave up do not come back through domain, pool, proto or the help of the ctl.
 * Names that others coined (headers, claims, error codes of upstream, terms of a standard) are theirs and stay.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  isCallExpression,
  isNoSubstitutionTemplateLiteral,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isStringLiteral,
  type Node,
} from "typescript/unstable/ast";
import { type HouseFile, lineAt, loadHouse, parseTexts, productFiles, ROOT, walk } from "./house-tree.ts";
import { type Breach, expectKept } from "./law.ts";

/** Given up → say this. */
const GIVEN_UP: readonly (readonly [pattern: RegExp, say: string])[] = [
  [/\busers?\b/, "account, operator or client"],
  [/\bseats?\b/, "account"],
  [/\bsessions?\b/, "conversation, exchange or login"],
  [/\bquotas?\b/, "window"],
  [/\brotat(?:e|es|ed|ing|ion|ions)\b/, "select, move on or refresh"],
  [/\bhealth\b/, "hold or usable"],
  [/\bban(?:s|ned)?\b/, "hold"],
  [/\bproviders?\b/, "upstream"],
  [/\bbackends?\b/, "upstream"],
];

/** Phrases of others, with whose they are. Compared after camelCase and snake_case are taken apart. */
const BORROWED: readonly (readonly [phrase: RegExp, whose: string])[] = [
  [/\b(?:chatgpt )?user ids?\b/, "claim of the OpenAI id token; half of an account's identity"],
  [/\bchatgpt account user id\b/, "claim of the OpenAI id token"],
  [/\buser codes?\b/, "RFC 8628 §3.2"],
  [/\bend user\b/, "gRPC and OAuth texts"],
  [/\brole\W+user\b/, "role of a message, OpenAI API"],
  [/\buser agents?\b/, "RFC 9110 §10.1.5"],
  [/\b(?:x )?session (?:id|affinity)\b/, "request headers of Codex and OpenCode"],
  [/\bbackend api\b/, "upstream's path /backend-api"],
  [/\bbackend[- ]client\b/, "crate of the Codex CLI"],
  [/\binsufficient quota\b/, "error code of OpenAI"],
  [/\b(?:app session terminated|account session expired)\b/, "error codes of the OpenAI issuer"],
  [/\bquota exceeded\b/, "error code of OpenAI"],
  [/\bgrpc(?:\.| )health\b/, "the gRPC health protocol"],
  [/\bhealth(?:\.| )v1\b/, "the gRPC health protocol"],
  [/\b(?:get )?\/ ?health\b/, "the proxy's route, contracts §8"],
  [/\bmodel providers?\b/, "section of the Codex config"],
  [/\brefresh[- ]token rotation\b/, "RFC 9700 §2.2.2"],
  [/\brotates? (?:the|its|a) refresh tokens?\b/, "RFC 9700 §2.2.2"],
  [/\b(?:another|unix|os|same) users?\b/, "the owner of a process or file"],
  [/\bas the user who\b/, "the owner of a process"],
  [/\bkey rotation\b/, "the client-key verb of contracts §9"],
  [/\brotate key\b/, "the client-key verb of contracts §9"],
  [/\brotate data key\b/, "what NIST SP 800-57 calls a new data key"],
  [/\bseal rotate\b/, "the same, as a verb of the ctl"],
  [/\bkey[. ]rotate\b/, "the client-key verb of contracts §9"],
];

/** Lower case, with the words of camelCase, snake_case and kebab-case names taken apart; same number of lines. */
function apart(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .toLowerCase();
}

function givenUp(path: string, text: string, firstLine = 1): Breach[] {
  return text.split("\n").flatMap((line, index) => {
    let rest = apart(line);
    for (const [phrase] of BORROWED) rest = rest.replace(new RegExp(phrase, "g"), "·");
    return GIVEN_UP.flatMap(([pattern, say]) => {
      const word = pattern.exec(rest)?.[0];
      return word ? [`${path}:${firstLine + index} says "${word}"; say ${say}`] : [];
    });
  });
}

/** Fields of the command table and of help topics that a person reads in the terminal, and what is handed to commander. */
const READ_FIELDS = /^(?:summary|about|details|examples|title|text|lines|description|promise|hint|why)$/;
const READ_ARGUMENTS = /^(?:command|description|summary|option|requiredOption|argument|addHelpText|usage)$/;

function helpTexts(file: HouseFile): { text: string; line: number }[] {
  const found: { text: string; line: number }[] = [];
  const take = (node: Node) =>
    walk(node, (inner) => {
      if (isStringLiteral(inner) || isNoSubstitutionTemplateLiteral(inner))
        found.push({ text: inner.text, line: lineAt(file.text, inner.getStart(file.tree)) });
    });
  if (file.path === "src/cli/help/help-topics.ts") take(file.tree);
  else
    walk(file.tree, (node) => {
      if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
        if (READ_ARGUMENTS.test(node.expression.name.text))
          for (const argument of node.arguments) if (isStringLiteral(argument)) take(argument);
      } else if (isPropertyAssignment(node) && READ_FIELDS.test(node.name.getText(file.tree))) take(node.initializer);
    });
  return found;
}

const REASON =
  "One word has one meaning in proto, code, ctl and docs (product.md §1), so that a reader who learnt it once can trust it. " +
  "A term of a standard or a literal name of upstream belongs into BORROWED with whose it is.";

test("domain and pool speak the vocabulary", async () => {
  const house = await loadHouse();
  const files = [...productFiles(house, "domain"), ...productFiles(house, "pool")];
  expectKept(
    REASON,
    files.flatMap((file) => givenUp(file.path, file.text)),
  );
});

test("proto speaks the vocabulary", () => {
  const folder = join(ROOT, "proto", "rotor");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".proto"));
  expect(names.length).toBeGreaterThan(0);
  expectKept(
    REASON,
    names.flatMap((name) => givenUp(`proto/rotor/${name}`, readFileSync(join(folder, name), "utf8"))),
  );
});

test("the help of the ctl speaks the vocabulary", async () => {
  const files = productFiles(await loadHouse(), "cli");
  expectKept(
    REASON,
    files.flatMap((file) => helpTexts(file).flatMap(({ text, line }) => givenUp(file.path, text, line))),
  );
});

test("the law of words bites, and leaves other people's words alone", async () => {
  expect(givenUp("x", "const activeSession = 1;")).toHaveLength(1);
  expect(givenUp("x", "// the next provider in rotation")).toHaveLength(2);
  expect(givenUp("x", "\n\nRATE_QUOTA")).toEqual(['x:3 says "quota"; say window']);
  expect(givenUp("x", 'headers.get("x-session-id") ?? claims.chatgpt_user_id ?? "/backend-api/codex"')).toEqual([]);
  expect(givenUp("x", "grpc.health.v1, bandwidth, obsession, healthy, User-Agent")).toEqual([]);
  const [file] = await parseTexts({
    "src/cli/a.ts":
      'program.command("use").description("switch the backend"); const t = { summary: "every session" }; f("user");',
  });
  expect(
    helpTexts(file!)
      .map(({ text }) => text)
      .sort(),
  ).toEqual(["every session", "switch the backend", "use"]);
});
