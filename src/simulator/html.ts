/**
 * The pages that a person sees at the issuer. Plain HTML, no script, everything escaped.
 */
import type { SimAccount } from "./accounts.ts";

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (char) => names[char]!);
}

const STYLE =
  "body{font:16px system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}label{display:block;padding:.6rem;border:1px solid #8886;border-radius:.5rem;margin:.4rem 0}button{font:inherit;padding:.5rem 1.2rem;margin:.8rem .5rem 0 0}";

function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)} · simulator</title><style>${STYLE}</style></head><body><h1>${escapeHtml(title)}</h1>${body}</body></html>`;
}

export function messagePage(title: string, text: string): string {
  return page(title, `<p>${escapeHtml(text)}</p>`);
}

/** A form that posts the hidden fields, the chosen `account` and `action` = allow | deny. */
export function accountPage(
  action: string,
  hidden: Record<string, string>,
  accounts: SimAccount[],
  chosen: SimAccount | null,
): string {
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const first = chosen ?? accounts[0];
  const choices = accounts.map((account) => {
    const checked = account === first ? " checked" : "";
    const text = `${account.alias} · ${account.email} · ${account.plan}`;
    return `<label><input type="radio" name="account" value="${escapeHtml(account.alias)}"${checked}> ${escapeHtml(text)}</label>`;
  });
  return page(
    "Choose an account",
    `<p>Codex asks to sign in with one of the simulator's accounts.</p><form method="post" action="${escapeHtml(action)}">${fields.join("")}${choices.join("")}<button name="action" value="allow">Continue</button><button name="action" value="deny">Cancel</button></form>`,
  );
}

/** Where the code of a device login is typed in. */
export function devicePage(action: string, accounts: SimAccount[], userCode: string): string {
  const options = accounts.map(
    (account) =>
      `<option value="${escapeHtml(account.alias)}">${escapeHtml(`${account.alias} · ${account.email}`)}</option>`,
  );
  return page(
    "Sign in a device",
    `<form method="post" action="${escapeHtml(action)}"><label>Code <input name="user_code" value="${escapeHtml(userCode)}" autocomplete="off"></label><label>Account <select name="account">${options.join("")}</select></label><button name="action" value="allow">Continue</button><button name="action" value="deny">Cancel</button></form>`,
  );
}
