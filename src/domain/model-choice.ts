/**
 * Which model a name stands for. A model's own name stands for itself; else it may be an alias, a name with an effort or `-fast` at its
 * end, or, when the operator asked for that, a model that another one has replaced. Pure: what is known arrives with the question.
 * Never changes a name silently: whatever is not sent as asked comes back as a mapping, to be shown.
 */
import type { ModelFacts } from "./model.ts";

/** How a request differs from what its client asked; null = left as the client has it. */
export interface ModelMapping {
  readonly asked: string;
  readonly sent: string;
  readonly effort: string | null;
  readonly serviceTier: string | null;
}

export interface ModelBook {
  /** Empty = no list was ever had: then names are judged by their looks. */
  readonly models: ReadonlyMap<string, ModelFacts>;
  /** Name → target. */
  readonly aliases: ReadonlyMap<string, string>;
  /** The setting `model_prefer_latest`: `off`, `upstream`, or the name of a model. */
  readonly preferLatest: string;
}

interface Choice {
  readonly model: string;
  readonly effort: string | null;
  readonly fast: boolean;
}

const FAST = "fast";
const PRIORITY = "priority";
/** Lowest first. `ultra` is the client's word for `max` (wire §3.3). */
const EFFORTS: readonly string[] = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"];
/** Judged by looks: `max` and `ultra` are no suffixes there, `gpt-5.1-codex-max` is a model. */
const EFFORTS_BY_LOOKS: readonly string[] = EFFORTS.filter((effort) => effort !== "max" && effort !== "ultra");
/** What other programs put before a name to say whose model it is. */
const OWNER = /^(?:openai|rotor|codex)\//;
/** A ChatGPT account is not served the smallest models; OpenCode asks one for its titles (opencode-plugin §4). First that is listed. */
const SMALL: readonly RegExp[] = [/-mini$/, /^gpt-\d+-luna$/, /-luna$/];

/** null: the name goes as it is. */
export function chooseModel(asked: string, book: ModelBook): ModelMapping | null {
  const plain = asked.replace(OWNER, "");
  const choice = choose(asked, book) ?? choose(plain, book) ?? asIs(asked);
  const sent = preferred(smallOne(choice.model, book) ?? choice.model, book);
  const facts = book.models.get(sent);
  const effort = choice.effort === null ? null : nearestEffort(choice.effort, facts);
  const serviceTier = choice.fast && isFast(facts, book) ? PRIORITY : null;
  return sent === asked && effort === null && serviceTier === null ? null : { asked, sent, effort, serviceTier };
}

/** May this name mean something that only the lists can tell? */
export function needsBook(asked: string, aliases: ReadonlyMap<string, string>): boolean {
  return aliases.has(asked) || OWNER.test(asked) || asked.endsWith("-nano") || suffixOf(asked) !== null;
}

function asIs(model: string): Choice {
  return { model, effort: null, fast: false };
}

/** null: the name means nothing here. */
function choose(name: string, book: ModelBook, mayAlias = true): Choice | null {
  const target = mayAlias ? book.aliases.get(name) : undefined;
  // An alias of an alias is refused when it is set, so that following one once is following it to its end.
  if (target !== undefined) return choose(target, book, false) ?? asIs(target);
  if (book.models.has(name)) return asIs(name);
  const suffix = suffixOf(name);
  if (suffix === null) return isPlain(name, book) ? asIs(name) : null;
  const base = name.slice(0, -suffix.length - 1);
  const inner = choose(base, book, mayAlias);
  const ofAlias = mayAlias && book.aliases.has(base);
  if (inner === null) return null;
  const facts = book.models.get(inner.model);
  if (suffix === FAST) return inner.fast || !isFast(facts, book) ? null : { ...inner, fast: true };
  if (inner.effort !== null && !ofAlias) return null;
  const effort = effortFor(suffix, facts, book);
  return effort === null ? null : { ...inner, effort };
}

/** Without a list, what looks like a model is one. */
function isPlain(name: string, book: ModelBook): boolean {
  return book.models.size === 0 && /^gpt-\d/.test(name);
}

function suffixOf(name: string): string | null {
  const suffix = name.slice(name.lastIndexOf("-") + 1);
  return suffix.length < name.length - 1 && (suffix === FAST || EFFORTS.includes(suffix)) ? suffix : null;
}

function isFast(facts: ModelFacts | undefined, book: ModelBook): boolean {
  return facts === undefined ? book.models.size === 0 : facts.serviceTiers.includes(PRIORITY);
}

/** As upstream takes it; null when it does not take it. */
function effortFor(asked: string, facts: ModelFacts | undefined, book: ModelBook): string | null {
  if (facts === undefined) {
    if (book.models.size > 0 || !EFFORTS_BY_LOOKS.includes(asked)) return null;
    return asked === "minimal" ? "low" : asked;
  }
  // No list names it, and upstream takes it: clients ask for titles with it.
  if (asked === "none") return asked;
  if (facts.efforts.includes(asked)) return asked === "ultra" ? "max" : asked;
  // The Platform's lowest, under the name of the lowest here.
  return asked === "minimal" ? (facts.efforts[0] ?? null) : null;
}

/** What was chosen for one model, as the one that takes its place has it: the nearest effort below, else its lowest. */
function nearestEffort(effort: string, facts: ModelFacts | undefined): string {
  if (facts === undefined || effort === "none" || facts.efforts.includes(effort) || facts.efforts.length === 0)
    return effort;
  const rank = EFFORTS.indexOf(effort);
  return facts.efforts.findLast((known) => EFFORTS.indexOf(known) <= rank) ?? facts.efforts[0]!;
}

function smallOne(name: string, book: ModelBook): string | null {
  if (!name.endsWith("-nano") || book.models.size === 0 || book.models.has(name)) return null;
  const names = [...book.models.keys()].filter((slug) => !book.aliases.has(slug));
  for (const looks of SMALL) {
    const found = names.find((slug) => looks.test(slug));
    if (found !== undefined) return found;
  }
  return null;
}

/** Longer than any chain that upstream has named; a ring ends there too. */
const UPGRADES_MAX = 8;

function preferred(model: string, book: ModelBook): string {
  const { preferLatest, models, aliases } = book;
  if (preferLatest === "off") return model;
  // A name that an alias has taken means something else now; so does every one below.
  if (preferLatest !== "upstream")
    return isReplacedBy(model, preferLatest) && !aliases.has(preferLatest) ? preferLatest : model;
  const passed = new Set([model]);
  let latest = model;
  for (let step = 0; step < UPGRADES_MAX; step++) {
    const next = models.get(latest)?.upgradeTo ?? null;
    // Only to what some account has; and a ring has no latest.
    if (next === null || !models.has(next) || aliases.has(next)) return latest;
    if (passed.has(next)) return model;
    passed.add(next);
    latest = next;
  }
  return model;
}

const VERSIONED = /^gpt-(\d+(?:\.\d+)?)(?:-|$)/;
/** Chosen for their size or their purpose, not for their age. */
const OF_ITS_OWN = /-(?:mini|nano|spark|luna|pro)(?:-|$)/;

/** An earlier version of the GPT models than the target. */
function isReplacedBy(model: string, target: string): boolean {
  const from = VERSIONED.exec(model)?.[1];
  const to = VERSIONED.exec(target)?.[1];
  return from !== undefined && to !== undefined && Number(from) < Number(to) && !OF_ITS_OWN.test(model);
}

const ALIAS_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/;

/** Why this may not become an alias; null when it may. */
export function aliasProblem(name: string, target: string, aliases: ReadonlyMap<string, string>): string | null {
  if (!ALIAS_NAME.test(name)) return "an alias is 1–64 of a–z A–Z 0–9 . _ : / - and begins with a letter or a digit";
  if (!ALIAS_NAME.test(target) || OWNER.test(target)) return "the target must be the name of a model";
  const others = new Map([...aliases].filter(([other]) => other !== name));
  const meant = stemsOf(target);
  if (meant.includes(name)) return `${name} would stand for itself`;
  const chained = meant.find((stem) => others.has(stem));
  if (chained !== undefined) return `${chained} is an alias itself; name the model that is meant`;
  for (const [other, otherTarget] of others) {
    if (stemsOf(otherTarget).includes(name))
      return `the alias ${other} stands for ${otherTarget}; an alias of an alias is none`;
  }
  return null;
}

/** The name, and what is left of it without each of its suffixes. */
function stemsOf(name: string): readonly string[] {
  const suffix = suffixOf(name);
  return suffix === null ? [name] : [name, ...stemsOf(name.slice(0, -suffix.length - 1))];
}

/** `gpt-5.5-high-fast → gpt-5.5 (effort high, service tier priority)`, in ASCII: it stands in a header too. */
export function mappingText({ asked, sent, effort, serviceTier }: ModelMapping): string {
  const more = [
    ...(effort === null ? [] : [`effort ${effort}`]),
    ...(serviceTier === null ? [] : [`service tier ${serviceTier}`]),
  ];
  return `${asked} -> ${sent}${more.length === 0 ? "" : ` (${more.join(", ")})`}`;
}
