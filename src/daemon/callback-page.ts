/**
 * The pages that a person sees at the end of a browser login. Plain HTML without script or anything from elsewhere; everything that is
 * not ours is escaped.
 */
import type { CallbackEnd } from "../pool/callback-listener.ts";

export interface Page {
  readonly status: number;
  readonly html: string;
}

export function callbackPage(end: CallbackEnd): Page {
  switch (end.kind) {
    case "completed": {
      const name = end.alias === null ? "The account" : `The account ${end.alias}`;
      const what = end.added ? "is part of the pool now" : "has new credentials";
      return messagePage(200, "Signed in", `${name} ${what}. You can close this page.`);
    }
    case "failed":
      return messagePage(400, "Not signed in", `${end.message}. Nothing was changed; begin again with: rotor login`);
    case "state_mismatch":
      return messagePage(
        400,
        "State mismatch",
        "This address belongs to no login that Rotor waits for. It may be an old one: begin again with: rotor login",
      );
    case "malformed":
      return messagePage(400, "Not a callback", "This address holds neither a code nor an error. The login goes on.");
  }
}

export function messagePage(status: number, title: string, text: string): Page {
  const safeTitle = escapeHtml(title);
  const html = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${safeTitle} · Rotor</title>
<style>:root{color-scheme:light dark}body{font:1.05rem/1.5 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem}</style>
</head><body><main><h1>${safeTitle}</h1><p>${escapeHtml(text)}</p></main></body></html>
`;
  return { status, html };
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (char) => names[char]!);
}
