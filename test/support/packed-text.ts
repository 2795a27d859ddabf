/** What a store keeps packed, in plain bytes: a search of the file alone would find nothing in it. */
import { Database } from "bun:sqlite";

const TABLES = ["exchange_batch", "ledger_batch"];

export function packedText(database: string): Buffer {
  const db = new Database(database, { readonly: true });
  try {
    const rows = TABLES.flatMap((table) =>
      db.query<{ packed: Uint8Array<ArrayBuffer> }, []>(`SELECT packed FROM ${table}`).all(),
    );
    return Buffer.concat(rows.map(({ packed }) => Bun.zstdDecompressSync(packed)));
  } finally {
    db.close();
  }
}
