/** Both directions of logins between the pool and other programs' formats, as one desk. */
import { createExportDesk } from "./export-desk.ts";
import { createImportDesk, type ImportDeskDeps } from "./import-desk.ts";
import type { TransferDesk } from "./transfer-desk.ts";

export function createTransferDesk(deps: ImportDeskDeps): TransferDesk {
  return { ...createImportDesk(deps), ...createExportDesk(deps) };
}
