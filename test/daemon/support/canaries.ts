/**
 * Canaries: values that must not be found outside their places, in every form in which a program could have written them down. Knows
 * nothing of Rotor; what is allowed where is the caller's list.
 */

/** How a value can stand in bytes that somebody wrote. */
export const FORMS = ["plain", "base64", "base64url", "hex", "url-encoded", "json-escaped"] as const;
export type Form = (typeof FORMS)[number];

/** A place where one kind of canary may be found, and why. */
export interface Allowed {
  readonly kind: string;
  readonly place: RegExp;
  readonly why: string;
}

export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Canary {
  readonly kind: string;
  readonly value: string;
}

export interface Canaries {
  /** Plants a value of this kind; the same one twice is one. */
  plant(kind: string, value: string): void;
  all(): readonly Canary[];
  /** `kind as form in place`, for everything that is where it is not allowed. */
  leaks(places: readonly Place[], allowed: readonly Allowed[]): string[];
}

/** A secret must not be found in pieces either: its end is enough. The end of a token is random, its head is not. */
const CORE_CHARS = 40;
/** Shorter ones would be found by chance. */
const SHORTEST = 8;

export function createCanaries(): Canaries {
  const canaries = new Map<string, Canary & { readonly needles: readonly [Form, Buffer][] }>();
  return {
    plant(kind, value) {
      if (value.length < SHORTEST) throw new Error(`a canary of ${value.length} characters is found everywhere`);
      if (!canaries.has(value)) canaries.set(value, { kind, value, needles: needlesOf(value.slice(-CORE_CHARS)) });
    },
    all: () => [...canaries.values()],
    leaks(places, allowed) {
      const found = new Set<string>();
      for (const { name, bytes } of places)
        for (const { kind, needles } of canaries.values()) {
          if (allowed.some((one) => one.kind === kind && one.place.test(name))) continue;
          for (const [form, needle] of needles) if (bytes.includes(needle)) found.add(`${kind} as ${form} in ${name}`);
        }
      return [...found];
    },
  };
}

/** What is looked for; forms that equal the plain one are not looked for twice. */
function needlesOf(core: string): [Form, Buffer][] {
  const needles: [Form, string][] = [["plain", core]];
  for (const form of ["base64", "base64url"] as const)
    for (const before of [0, 1, 2]) needles.push([form, aligned(core, form, before)]);
  const hex = Buffer.from(core).toString("hex");
  needles.push(["hex", hex], ["hex", hex.toUpperCase()]);
  const encoded = encodeURIComponent(core);
  needles.push(["url-encoded", encoded], ["url-encoded", encoded.replaceAll("%20", "+")]);
  needles.push(["json-escaped", JSON.stringify(core).slice(1, -1)]);
  const seen = new Set<string>();
  return needles.flatMap(([form, text]): [Form, Buffer][] => {
    if (seen.has(text)) return [];
    seen.add(text);
    return [[form, Buffer.from(text)]];
  });
}

/** The characters of base64 that `core` alone decides when `before` (mod 3) bytes stand before it, whatever follows. */
function aligned(core: string, form: "base64" | "base64url", before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(core)]);
  const shared = [0, 2, 3][before]!;
  return bytes.toString(form).slice(shared, Math.floor((bytes.length * 8) / 6));
}

/** How a careless program would have written it, with something around it. */
export function writtenAs(form: Form, value: string, before: number): string {
  const around = `${"x".repeat(before)}${value}yz`;
  switch (form) {
    case "plain":
      return around;
    case "url-encoded":
      return encodeURIComponent(around);
    case "json-escaped":
      return JSON.stringify(around);
    default:
      return Buffer.from(around).toString(form);
  }
}
