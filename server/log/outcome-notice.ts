import { create, type MessageShape } from "@bufbuild/protobuf";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { RecordOutcome } from "./outcome.ts";

type OutcomeMessage = MessageShape<typeof RecordOutcomeSchema>;

/** An outcome in the contract's form, for other processes. */
export function toNotice({ offset, fragments }: RecordOutcome): OutcomeMessage {
  return create(RecordOutcomeSchema, {
    offset: BigInt(offset),
    fragments: fragments.map((f) => ({
      ...f,
      conflicts: [...f.conflicts],
      stored: [...f.stored],
      quarantinedIndices: [...f.quarantinedIndices],
    })),
  });
}

export function fromNotice({ offset, fragments }: OutcomeMessage): RecordOutcome {
  return {
    offset: Number(offset),
    fragments: fragments.map(({ $typeName: _, $unknown: __, ...f }) => ({
      ...f,
      stored: f.stored.map(({ index, reading }) => ({ index, reading: reading as ScoredReading })),
    })),
  };
}
