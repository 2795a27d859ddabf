/**
 * How a Chat Completions request is refused: 400, a stable code, and the place in the request as OpenAI writes it (`messages[2].role`).
 */
import { CHAT_FIELDS, type ChatField } from "../base/chat-fields.ts";
import { AppError } from "../base/errors.ts";

/** The request is not what the API says. */
export function invalidChat(param: string, message: string): AppError {
  return new AppError("invalid_request", message, { facts: { param } });
}

/** The request is right, but cannot be served here. */
export function unsupportedChat(param: string, message: string): AppError {
  return new AppError("unsupported_parameter", message, { facts: { param } });
}

/** In the words of the table. */
export function unsupportedField(field: ChatField): AppError {
  return unsupportedChat(field, `${field} is not supported: ${CHAT_FIELDS[field].note}`);
}
