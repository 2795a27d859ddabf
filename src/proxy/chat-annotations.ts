/**
 * Citations of an answer, in the words of Chat Completions and back. Chat knows those of pages alone, and a client with types fails on any
 * other: what cites a file stays in the text. Places are counted in the text of the whole answer. Pure.
 */
import { isObject } from "./chat-facts.ts";

type Json = Readonly<Record<string, unknown>>;

interface Citation {
  readonly url: string;
  readonly title: string;
  readonly start_index: number;
  readonly end_index: number;
}

/** `annotations` of the message that this item is; `offset` is how much of the answer was said before it. */
export function annotationsOf(item: unknown, offset: number): Json[] {
  const parts = isObject(item) && item.type === "message" && Array.isArray(item.content) ? item.content : [];
  const found: Json[] = [];
  let from = offset;
  for (const part of parts) {
    if (!isObject(part) || part.type !== "output_text") continue;
    for (const annotation of Array.isArray(part.annotations) ? part.annotations : []) {
      const cited = isObject(annotation) && annotation.type === "url_citation" ? citationIn(annotation) : null;
      if (cited === null) continue;
      const { start_index, end_index } = cited;
      const placed = { ...cited, start_index: start_index + from, end_index: end_index + from };
      found.push({ type: "url_citation", url_citation: placed });
    }
    from += typeof part.text === "string" ? part.text.length : 0;
  }
  return found;
}

/** What a client sends back of an earlier answer, as upstream wrote it; what is none is left out. */
export function citationsOf(annotations: unknown): Json[] {
  return (Array.isArray(annotations) ? annotations : []).flatMap((annotation) => {
    const cited =
      isObject(annotation) && isObject(annotation.url_citation) ? citationIn(annotation.url_citation) : null;
    return cited === null ? [] : [{ type: "url_citation", ...cited }];
  });
}

/** With all four of its members: typed clients take nothing less. */
function citationIn({ url, title, start_index, end_index }: Json): Citation | null {
  if (typeof url !== "string" || typeof start_index !== "number" || typeof end_index !== "number") return null;
  return { url, title: typeof title === "string" ? title : "", start_index, end_index };
}
