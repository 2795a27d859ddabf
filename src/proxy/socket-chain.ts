/**
 * What a client's WebSocket may refer back to: its last response, and the whole input that this response ended. With it a request that
 * carries only what is new can be sent in full, to any account. Belongs to one socket and is gone with it; keeps bytes, reads none.
 */

/** What all chains together may hold: a conversation is a megabyte or so. */
export class ChainBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#maxBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Items of an input, as JSON without the brackets around them. */
export type Items = readonly Uint8Array[];

export class SocketChain {
  readonly #budget: ChainBudget;
  #responseId: string | null = null;
  #items: Items = [];
  #bytes = 0;

  constructor(budget: ChainBudget) {
    this.#budget = budget;
  }

  /** The input and output that `responseId` stands for; null when that is not remembered. */
  itemsOf(responseId: string): Items | null {
    return responseId === this.#responseId ? this.#items : null;
  }

  /** `items` are all of the conversation, this response's own included. */
  remember(responseId: string, items: Items): void {
    this.forget();
    const bytes = items.reduce((sum, item) => sum + item.length, 0);
    if (!this.#budget.take(bytes)) return;
    this.#responseId = responseId;
    this.#items = items;
    this.#bytes = bytes;
  }

  forget(): void {
    this.#budget.release(this.#bytes);
    this.#responseId = null;
    this.#items = [];
    this.#bytes = 0;
  }
}
