/** BudgetService (proto/rotor/v1/budget_service.proto): translates and calls the budget desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { BudgetService } from "../gen/rotor/v1/budget_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { budgetMessage, toLimit, toScope } from "./convert/limits.ts";

export function createBudgetService(engine: () => Engine): ServiceImpl<typeof BudgetService> {
  return {
    listBudgets: () => ({ budgets: engine().budgets.list().map(budgetMessage) }),
    async setBudget({ name, scope, limit, warnPercent }) {
      const wanted = { name, scope: toScope(scope), limit: toLimit(limit), warnPercent: warnPercent || null };
      return { budget: budgetMessage(await engine().budgets.set(wanted)) };
    },
    async removeBudget({ name }) {
      if (name === "") throw new AppError("invalid_request", "name is empty");
      await engine().budgets.remove(name);
      return {};
    },
  };
}
