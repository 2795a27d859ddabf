/**
 * Makes a report that can be shown to strangers: what says who somebody is or what they work on is replaced, by the field that it stands in;
 * the same thing gets the same name everywhere, so that a reader can still follow it. Texts lose addresses, tokens and the home folder.
 */
import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { withoutTokens } from "../base/token-shape.ts";

/** Fields of the API that hold something personal, whatever message they are in, and what stands there instead. */
export const PERSONAL_FIELDS: Readonly<Record<string, string>> = {
  email: "e-mail",
  login_hint: "e-mail",
  user_id: "user",
  workspace_id: "workspace",
  workspace_name: "workspace-name",
  note: "note",
  conversation: "conversation",
  conversation_id: "conversation",
  title: "title",
  directory: "folder",
  project: "project",
  project_key: "project",
};

export interface Redactor {
  /** Protobuf JSON with implicit fields, without what is personal. */
  message<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): unknown;
  /** Any other value as JSON. */
  plain(value: unknown): unknown;
  text(text: string): string;
}

export function createRedactor(homeDir: string): Redactor {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const nameOf = (kind: string, value: string) => {
    const key = `${kind} ${value}`;
    const known = names.get(key);
    if (known !== undefined) return known;
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    names.set(key, `[${kind} ${number}]`);
    return names.get(key)!;
  };
  const text = (value: string) => {
    const plain = withoutTokens(value).replace(/[\w.%+-]+@[\w-]+(?:\.[\w-]+)+/g, (email) => nameOf("e-mail", email));
    return homeDir.length > 1 ? plain.replaceAll(homeDir, "~") : plain;
  };
  const kindOf = (field: DescField | undefined) =>
    field !== undefined && Object.hasOwn(PERSONAL_FIELDS, field.name) ? PERSONAL_FIELDS[field.name]! : null;
  /** `schema` null = no message of ours: a well-known type or a map. */
  const clean = (schema: DescMessage | null, value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map((one) => clean(schema, one));
    if (typeof value !== "object" || value === null) return value;
    const fields = new Map(schema?.fields.map((field) => [field.jsonName, field]) ?? []);
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => {
        const field = fields.get(name);
        const kind = kindOf(field);
        if (kind !== null && typeof inner === "string") return [name, inner === "" ? "" : nameOf(kind, inner)];
        return [name, clean(field?.message ?? null, inner)];
      }),
    );
  };
  return {
    message: (schema, message) => clean(schema, toJson(schema, message, { alwaysEmitImplicit: true })),
    plain: (value) => clean(null, value),
    text,
  };
}
