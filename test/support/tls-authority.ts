/**
 * A certificate authority of the test's own, made at run time: keys that lie in a file would be found and used one day. As much of X.509
 * (RFC 5280) in DER as a TLS client looks at, signed with ECDSA P-256.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  readonly cert: string;
  issue(
    names: { readonly dns?: readonly string[]; readonly ip?: readonly string[] },
    validity?: Validity,
  ): TestCertificate;
}

interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

const DAY_MS = 24 * 3_600_000;
const NOW: Validity = { fromMs: Date.now() - DAY_MS, untilMs: Date.now() + DAY_MS };
export const EXPIRED: Validity = { fromMs: Date.now() - 9 * DAY_MS, untilMs: Date.now() - 2 * DAY_MS };

export function createTestAuthority(): TestAuthority {
  const own = newKeys();
  const subject = nameOf("Rotor test authority");
  const cert = certificate({
    subject,
    issuer: subject,
    publicKey: own.publicKey,
    signer: own.privateKey,
    validity: NOW,
    extensions: [CA],
  });
  return {
    cert,
    issue({ dns = [], ip = [] }, validity = NOW) {
      const keys = newKeys();
      const names = [
        ...dns.map((name) => der(0x82, Buffer.from(name))),
        ...ip.map((address) => der(0x87, Buffer.from(address.split(".").map(Number)))),
      ];
      const extensions = [extension([0x55, 0x1d, 0x11], der(0x30, ...names))];
      const fields = {
        subject: nameOf("test server"),
        issuer: subject,
        publicKey: keys.publicKey,
        signer: own.privateKey,
      };
      return { cert: certificate({ ...fields, validity, extensions }), key: pemOf(keys.privateKey) };
    },
  };
}

/** A certificate that vouches for itself. */
export function selfSigned(dns: string): TestCertificate {
  const { publicKey, privateKey } = newKeys();
  const subject = nameOf("self");
  const extensions = [extension([0x55, 0x1d, 0x11], der(0x30, der(0x82, Buffer.from(dns))))];
  const cert = certificate({ subject, issuer: subject, publicKey, signer: privateKey, validity: NOW, extensions });
  return { cert, key: pemOf(privateKey) };
}

const newKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pemOf = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }) as string;

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const size: number[] = [];
  for (let rest = body.length; rest > 0; rest >>= 8) size.unshift(rest & 255);
  const length = body.length < 128 ? [body.length] : [0x80 | size.length, ...size];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const oid = (bytes: readonly number[]) => der(0x06, Buffer.from(bytes));
const bits = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes);
const COMMON_NAME = oid([0x55, 0x04, 0x03]);
/** ecdsa-with-SHA256. */
const ALGORITHM = der(0x30, oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const TRUE = der(0x01, Buffer.from([0xff]));
/** basicConstraints, critical: this one may sign others. */
const CA = der(0x30, oid([0x55, 0x1d, 0x13]), TRUE, der(0x04, der(0x30, TRUE)));

const nameOf = (text: string) => der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(text)))));
const extension = (id: readonly number[], value: Buffer) => der(0x30, oid(id), der(0x04, value));
const instant = (atMs: number) => der(0x18, Buffer.from(new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, "")));

function certificate(given: {
  subject: Buffer;
  issuer: Buffer;
  publicKey: KeyObject;
  signer: KeyObject;
  validity: Validity;
  extensions: readonly Buffer[];
}): string {
  const serial = randomBytes(8);
  serial[0] = 1;
  const signed = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ALGORITHM,
    given.issuer,
    der(0x30, instant(given.validity.fromMs), instant(given.validity.untilMs)),
    given.subject,
    given.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, ...given.extensions)),
  );
  const whole = der(0x30, signed, ALGORITHM, bits(sign("sha256", signed, given.signer)));
  const lines = whole.toString("base64").match(/.{1,64}/g)!;
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
