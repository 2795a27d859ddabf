/**
 * The shapes of credentials, for texts that a person or a log will see. The last line of defence: whoever has a credential in hand must not
 * put it into a text at all. Never used on bytes that go to a client.
 */

/** Names and paths may begin like a token; none that a person chose goes on like this. */
const FEWEST_IN_WORDS_OF_OURS = 24;

/** `rt_…`, `sk-…`, `at-…`, `ac_…`, `rtr_…` with at least `fewest` signs after that; JWTs; what follows a Bearer (wire §1). */
export function withoutTokens(text: string, fewest = FEWEST_IN_WORDS_OF_OURS): string {
  const prefixed = new RegExp(String.raw`\b(?:rt|sk|at|ac|rtr)[-_][\w-]{${fewest},}(?:\.[\w-]+)*`, "gi");
  return text
    .replace(/\bbearer\s+[\w.~+/=-]{8,}/gi, REMOVED)
    .replace(/\beyJ[\w-]{5,}(?:\.[\w-]*){0,2}/g, REMOVED)
    .replace(prefixed, REMOVED);
}

export const REMOVED = "[removed]";
