/**
 * Opens what other products encrypted with a passphrase: the opencode-multi-auth envelope and the codex-lb account bundle. Their
 * parameters are fixed, and nothing else is accepted, so that a file cannot ask for memory or time. Never keeps a passphrase or key.
 */
import { createDecipheriv, scrypt } from "node:crypto";
import { AppError } from "../base/errors.ts";
import { type JsonNode, number, parseJson, text } from "./json-node.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

export function isOpencodeMultiAuthEnvelope(doc: JsonNode): boolean {
  return doc.get("encrypted").value === true && typeof doc.get("data").value === "string";
}

/** scrypt with Node's defaults, no additional data, the tag apart (opencode-multi-auth reference §2.5). */
export async function openOpencodeMultiAuthEnvelope(doc: JsonNode, passphrase: string | null): Promise<unknown> {
  const salt = bytesAt(doc.get("salt"), SALT_BYTES);
  const nonce = bytesAt(doc.get("iv"), NONCE_BYTES);
  const tag = bytesAt(doc.get("tag"), TAG_BYTES);
  const data = bytesAt(doc.get("data"), null);
  // The product takes a passphrase of nothing but blanks for none, and any other one with its blanks.
  const given = passphrase?.trim() ? passphrase : null;
  const key = await scryptKey(doc, given, salt, 16_384);
  return jsonIn(doc, decrypt(doc, key, nonce, Buffer.concat([data, tag]), null));
}

export function isCodexLbBundle(doc: JsonNode): boolean {
  return doc.get("format").value === "codex-lb-account-bundle";
}

/** scrypt with N = 2^15; the header is bound in as JSON with sorted keys (codex-lb account_bundle.py, read 2026-11). */
export async function openCodexLbBundle(doc: JsonNode, passphrase: string | null): Promise<unknown> {
  if (doc.read("version", number) !== 1) throw doc.get("version").wrong("is not one that Rotor knows");
  const [kdf, cipher] = [doc.get("kdf"), doc.get("cipher")];
  const isKnown =
    kdf.get("name").value === "scrypt" &&
    kdf.get("n").value === 32_768 &&
    kdf.get("r").value === 8 &&
    kdf.get("p").value === 1 &&
    cipher.get("name").value === "AES-256-GCM";
  if (!isKnown) throw doc.wrong("is encrypted in a way that Rotor does not know");
  const salt = bytesAt(kdf.get("salt"), SALT_BYTES);
  const nonce = bytesAt(cipher.get("nonce"), NONCE_BYTES);
  const sealed = bytesAt(doc.get("ciphertext"), null);
  const header = {
    cipher: { name: "AES-256-GCM", nonce: cipher.read("nonce", text) },
    format: "codex-lb-account-bundle",
    kdf: { n: 32_768, name: "scrypt", p: 1, r: 8, salt: kdf.read("salt", text) },
    version: 1,
  };
  const key = await scryptKey(doc, passphrase || null, salt, 32_768);
  return jsonIn(doc, decrypt(doc, key, nonce, sealed, Buffer.from(JSON.stringify(header))));
}

function bytesAt(at: JsonNode, length: number | null): Buffer {
  const encoded = text(at);
  const bytes = Buffer.from(encoded, "base64");
  // `Buffer.from` leaves out what is not base64; written back it must be the same.
  const isWhole = bytes.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "");
  if (!isWhole || (length !== null && bytes.length !== length)) throw at.wrong("is damaged");
  return bytes;
}

function scryptKey(doc: JsonNode, passphrase: string | null, salt: Buffer, cost: number): Promise<Buffer> {
  if (passphrase === null) {
    throw new AppError("passphrase_required", `${doc.place} is encrypted`, { facts: { file: doc.file || null } });
  }
  const options = { N: cost, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    scrypt(Buffer.from(passphrase, "utf8"), salt, KEY_BYTES, options, (error, key) =>
      error ? reject(new AppError("internal", "the key could not be made", { cause: error })) : resolve(key),
    );
  });
}

function decrypt(doc: JsonNode, key: Buffer, nonce: Buffer, sealed: Buffer, bound: Buffer | null): Buffer {
  if (sealed.length < TAG_BYTES) throw doc.wrong("is damaged");
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  key.fill(0);
  if (bound !== null) decipher.setAAD(bound);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new AppError("passphrase_wrong", `${doc.place} does not open with this passphrase, or it is damaged`, {
      facts: { file: doc.file || null },
    });
  }
}

function jsonIn(doc: JsonNode, plain: Buffer): unknown {
  const parsed = parseJson(plain.toString("utf8"));
  plain.fill(0);
  if (!parsed.ok) throw doc.wrong(`holds no JSON (${parsed.reason})`);
  return parsed.value;
}
