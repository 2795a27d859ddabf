/** What is personal leaves no report: by the field that it stands in, and in words as the last line of defence. */
import { expect, test } from "bun:test";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { createRedactor, PERSONAL_FIELDS } from "../../src/cli/redact.ts";
import { AccountSchema } from "../../src/gen/rotor/v1/account_pb.ts";
import { GetStatusResponseSchema } from "../../src/gen/rotor/v1/daemon_service_pb.ts";
import { ListExchangesResponseSchema } from "../../src/gen/rotor/v1/exchange_service_pb.ts";
import { ListKeysResponseSchema } from "../../src/gen/rotor/v1/key_service_pb.ts";
import { ListProfilesResponseSchema } from "../../src/gen/rotor/v1/profile_service_pb.ts";
import { tokenFor } from "../support/tokens.ts";

test("the same thing has the same name everywhere, another thing another", () => {
  const redactor = createRedactor("/home/ann");
  const status = create(GetStatusResponseSchema, {
    accounts: [
      { alias: "work", email: "ann@example.org", workspaceId: "w-1", note: "of Ann" },
      { alias: "club", email: "ann@example.org", workspaceId: "w-2" },
    ],
    clients: [{ client: "opencode", directory: "/home/ann/src/secret" }],
  });
  const report = redactor.message(GetStatusResponseSchema, status) as Record<string, Record<string, unknown>[]>;
  expect(report.accounts).toMatchObject([
    { alias: "work", email: "[e-mail 1]", workspaceId: "[workspace 1]", note: "[note 1]", tier: "" },
    { alias: "club", email: "[e-mail 1]", workspaceId: "[workspace 2]", note: "" },
  ]);
  expect(report.clients).toMatchObject([{ client: "opencode", directory: "[folder 1]" }]);
  expect(redactor.text("ann@example.org lives in /home/ann/x")).toBe("[e-mail 1] lives in ~/x");
});

test("texts lose what looks like a token", () => {
  const redactor = createRedactor("/");
  const token = tokenFor({ userId: "u", workspaceId: "w" }, 1_800_000_000_000);
  const account = create(AccountSchema, { holds: [{ text: `it said ${token} of bob@example.org` }] });
  const text = JSON.stringify(redactor.message(AccountSchema, account));
  expect(text).not.toContain(token);
  expect(text).toContain("it said [removed] of [e-mail 1]");
});

test("no field of a report that sounds personal is forgotten", () => {
  const seen = new Set<string>();
  const names = new Set<string>();
  const walk = (schema: DescMessage) => {
    if (seen.has(schema.typeName)) return;
    seen.add(schema.typeName);
    for (const field of schema.fields) {
      if (field.message) walk(field.message);
      else if (field.scalar !== undefined) names.add(field.name);
    }
  };
  for (const schema of [
    GetStatusResponseSchema,
    ListExchangesResponseSchema,
    ListKeysResponseSchema,
    ListProfilesResponseSchema,
  ])
    walk(schema);
  const personal = [...names].filter((name) => /mail|user|workspace|^note$|conversation|director|^project/.test(name));
  expect(personal.length).toBeGreaterThan(5);
  expect(personal.filter((name) => !Object.hasOwn(PERSONAL_FIELDS, name))).toEqual([]);
});
