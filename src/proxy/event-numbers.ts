/**
 * Counts the events of a stream one further, from wherever it stands on: for a stream that was given an event which it did not have. Changes the
 * digits of `sequence_number` and no other byte; holds back the part of an event that has not ended.
 */
import { findMember, type JsonMember, scanMembers } from "./json-members.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";

export class EventRenumbering {
  #blocks: SseBlocks | null = new SseBlocks();

  feed(chunk: Uint8Array): Uint8Array {
    const blocks = this.#blocks;
    if (blocks === null) return chunk;
    const told: Uint8Array[] = [];
    const take = (block: Buffer) => told.push(...oneFurther(block)) > 0;
    blocks.feed(chunk, take);
    if (blocks.isTooLong) {
      // Nobody reads such an event: it goes on as it comes.
      this.#blocks = null;
      blocks.end(take);
    }
    return Buffer.concat(told);
  }

  end(): Uint8Array {
    const told: Uint8Array[] = [];
    this.#blocks?.end((block) => told.push(...oneFurther(block)) > 0);
    return Buffer.concat(told);
  }
}

const DIGITS = /^\d{1,15}$/;

/** In pieces. Copies where they are of `block`, whose bytes are read over. */
function oneFurther(block: Buffer): Uint8Array[] {
  const data = blockData(block);
  const member = data === null ? null : numberIn(data);
  if (data === null || member === null || !isWithin(data, block)) return [Buffer.from(block)];
  const digits = data.toString("latin1", member.valueStart, member.valueEnd);
  if (!DIGITS.test(digits)) return [Buffer.from(block)];
  const start = data.byteOffset - block.byteOffset;
  return [
    Buffer.from(block.subarray(0, start + member.valueStart)),
    Buffer.from(String(Number(digits) + 1)),
    Buffer.from(block.subarray(start + member.valueEnd)),
  ];
}

function numberIn(data: Buffer): JsonMember | null {
  const scan = scanMembers(data);
  return scan.ok ? findMember(scan.members, "sequence_number") : null;
}

/** Data of several lines, which upstream does not write, is a copy. */
function isWithin(data: Buffer, block: Buffer): boolean {
  return (
    data.buffer === block.buffer &&
    data.byteOffset >= block.byteOffset &&
    data.byteOffset + data.length <= block.byteOffset + block.length
  );
}
